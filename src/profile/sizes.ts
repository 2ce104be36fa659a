import { yamlAsset } from '../core/assets.ts';
import type { JsonMap } from '../core/types.ts';
import type { AddonId, ComponentId } from './schema.ts';

interface Row {
  requests: JsonMap;
  limits: JsonMap;
  claim?: string;
}

const rowsOf = (size: string): Partial<Record<string, Row>> =>
  size ? (yamlAsset<Record<string, Record<string, Row>>>('templates', 'sizes.yaml')[size] ?? {}) : {};

/** Requests and limits of a component; undefined without a size, or if the table has no row for it. */
export function sizedResources(size: string, id: ComponentId | AddonId): JsonMap | undefined {
  const row = rowsOf(size)[id];
  return row && { requests: row.requests, limits: row.limits };
}

export function sizedClaims(size: string): JsonMap {
  const settings = Object.entries(rowsOf(size)).flatMap(([id, row]): [string, JsonMap][] =>
    row?.claim ? [[id, id === 'prometheus' ? { server: { size: row.claim } } : { size: row.claim }]] : [],
  );
  return Object.fromEntries(settings);
}
