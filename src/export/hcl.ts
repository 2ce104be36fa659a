/** An expression that is written as it is: a reference, a function call, a template with `${…}` in it. */
export interface Raw {
  raw: string;
}
export type HclValue = string | number | boolean | Raw | HclValue[] | { [key: string]: HclValue };

export const raw = (text: string): Raw => ({ raw: text });

/** A block with its labels, attributes and inner blocks, laid out as `terraform fmt` does. */
export interface Block {
  type: string;
  labels?: string[];
  /** One-line comment before it. */
  about?: string;
  attributes?: Record<string, HclValue>;
  blocks?: Block[];
}

/** A string in which nothing is interpolated. */
export function quoted(text: string): string {
  return JSON.stringify(text).replace(/([$%])\{/g, '$1$1{');
}

const isRaw = (value: HclValue): value is Raw =>
  typeof value === 'object' &&
  !Array.isArray(value) &&
  typeof value['raw'] === 'string' &&
  Object.keys(value).length === 1;

function valueText(value: HclValue, depth: number): string {
  if (typeof value === 'string') return quoted(value);
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (isRaw(value)) return value.raw;
  const pad = '  '.repeat(depth + 1);
  const end = '  '.repeat(depth);
  if (Array.isArray(value))
    return value.length ? `[\n${value.map((item) => `${pad}${valueText(item, depth + 1)},\n`).join('')}${end}]` : '[]';
  const lines = attributeLines(value, depth + 1, (key) => (/^[A-Za-z_][\w-]*$/.test(key) ? key : quoted(key)));
  return lines.length ? `{\n${lines.join('\n')}\n${end}}` : '{}';
}

/** Equals signs stand in one column as long as the values have one line, as the formatter wants it. */
function attributeLines(
  attributes: Record<string, HclValue>,
  depth: number,
  keyText = (key: string): string => key,
): string[] {
  const pad = '  '.repeat(depth);
  const rows = Object.entries(attributes).map(([key, value]) => ({ key: keyText(key), text: valueText(value, depth) }));
  const groups: (typeof rows)[] = [];
  let open = false;
  for (const row of rows) {
    const single = !row.text.includes('\n');
    if (single && open) groups.at(-1)?.push(row);
    else groups.push([row]);
    open = single;
  }
  return groups.flatMap((group) => {
    const width = Math.max(...group.map(({ key }) => key.length));
    return group.map(({ key, text }) => `${pad}${group.length > 1 ? key.padEnd(width) : key} = ${text}`);
  });
}

function blockText({ type, labels = [], about, attributes = {}, blocks = [] }: Block, depth: number): string {
  const pad = '  '.repeat(depth);
  const inner = [
    attributeLines(attributes, depth + 1).join('\n'),
    ...blocks.map((block) => blockText(block, depth + 1)),
  ].filter(Boolean);
  return `${about ? `${pad}# ${about}\n` : ''}${pad}${[type, ...labels.map(quoted)].join(' ')} {\n${inner.join('\n\n')}${inner.length ? '\n' : ''}${pad}}`;
}

/** A file of blocks. */
export function hcl(blocks: Block[]): string {
  return `${blocks.map((block) => blockText(block, 0)).join('\n\n')}\n`;
}
