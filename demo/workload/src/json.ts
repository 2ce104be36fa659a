/** Reads JSON received over the network: a field of the wrong type counts as missing. */
export type Fields = Record<string, unknown>;

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function fieldsOf(value: unknown, key: string): Fields {
  const inner = isFields(value) ? value[key] : undefined;
  return isFields(inner) ? inner : {};
}

export function textOf(value: unknown, key: string): string | undefined {
  const inner = isFields(value) ? value[key] : undefined;
  return typeof inner === 'string' ? inner : undefined;
}

export function numberOf(value: unknown, key: string): number | undefined {
  const inner = isFields(value) ? value[key] : undefined;
  return typeof inner === 'number' ? inner : undefined;
}

export function listOf(value: unknown, key: string): unknown[] {
  const inner = isFields(value) ? value[key] : undefined;
  return Array.isArray(inner) ? inner : [];
}
