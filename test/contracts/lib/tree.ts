import type { Json, JsonMap } from '../../../src/core/types.ts';
import type { Chart, Dependency } from './archive.ts';
import { isMap, joined } from './paths.ts';

/** Maximum depth; deeper values are open. */
const DEPTH = 8;

/** Values that a chart reads: a leaf, an open value (which may be anything), or a map of known keys. */
export interface Branch {
  open: boolean;
  /** values.schema.json forbids other keys. */
  closed: boolean;
  keys?: Map<string, Branch>;
}

const leaf = (): Branch => ({ open: false, closed: false });
const open = (): Branch => ({ open: true, closed: false });
const section = (): Branch => ({ open: false, closed: false, keys: new Map() });
const under = (key: string, branch: Branch): Branch => ({ ...section(), keys: new Map([[key, branch]]) });

/**
 * Values of a chart: from values.yaml, values.schema.json and its templates, which may read further keys.
 * Open are maps that a template uses as a whole (`toYaml`, `range`, `tpl`), nested dependencies and guests.
 * @param isKnown whether a direct dependency has its own facts and is left out
 */
export function valueTree(chart: Chart, isKnown: (name: string, version: string) => boolean, nested = false): Branch {
  const tree = fromValues(chart.values, 0);
  for (const dependency of chart.dependencies) {
    const { alias, condition, name, version } = dependency;
    if (condition) place(tree, condition.split('.'), leaf);
    if (!nested && isKnown(name, version)) continue;
    const theirs = nested || isGuest(chart, dependency) ? open() : valueTree(dependency.chart, isKnown, true);
    const global = theirs.keys?.get('global');
    theirs.keys?.delete('global');
    if (global) merge(tree, under('global', global));
    merge(tree, under(alias, theirs));
  }
  const inner = new Set(chart.dependencies.map(({ alias }) => alias));
  if (chart.schema) addSchema(tree, chart.schema, chart.schema, 0, inner);
  for (const { path, by } of PASSED_IN[chart.name] ?? [])
    if (chart.templates.some((template) => by.test(template))) place(tree, path, open);
  const { read, whole } = references(chart.templates);
  // Longest first, so that the parents of a path become sections.
  for (const path of read.toSorted((a, b) => b.length - a.length)) place(tree, path, open);
  for (const path of whole) {
    const branch = branchAt(tree, path);
    if (branch && !branch.closed) branch.open = true;
  }
  return tree;
}

/** Values that a template reads from a section passed to it as an argument, and that values.yaml lacks. */
const PASSED_IN: Record<string, { path: string[]; by: RegExp }[]> = {
  loki: [{ path: ['singleBinary', 'lifecycle'], by: /\$component\.lifecycle\b/ }],
};

/** A chart of another project that is disabled by default, such as MinIO in the chart of Loki. */
function isGuest(chart: Chart, { condition, remote }: Dependency): boolean {
  const on = condition
    ?.split('.')
    .reduce<Json | undefined>((here, key) => (isMap(here) ? here[key] : undefined), chart.values);
  return remote && condition !== undefined && on !== true;
}

/** Maps of the Kubernetes API, which charts pass through unchanged. */
const PASSED_THROUGH = new RegExp(
  '^(affinity|resources|tolerations|dnsConfig|(update)?[sS]trategy)$|' +
    '([sS]ecurityContext|Probe|[aA]nnotations|[lL]abels|(node|pod)\\w*Affinity|[sS]elector)$',
);

function fromValues(value: Json | undefined, depth: number): Branch {
  if (value === null || value === undefined || Array.isArray(value)) return open();
  if (!isMap(value)) return leaf();
  if (!Object.keys(value).length || depth >= DEPTH) return depth === 0 ? section() : open();
  return {
    ...section(),
    keys: new Map(
      Object.entries(value).map(([key, one]) => [
        key,
        isMap(one) && PASSED_THROUGH.test(key) ? open() : fromValues(one, depth + 1),
      ]),
    ),
  };
}

function branchAt(tree: Branch, path: string[]): Branch | undefined {
  return path.reduce<Branch | undefined>((here, key) => here?.keys?.get(key), tree);
}

/** Adds a branch at a path unless there is one. Does not descend into leaves and open values. */
function place(tree: Branch, path: string[], make: () => Branch): void {
  let here = tree;
  for (const [i, key] of path.entries()) {
    if (!here.keys || here.open || (here.closed && !here.keys.has(key))) return;
    const next = here.keys.get(key) ?? (i === path.length - 1 ? make() : section());
    here.keys.set(key, next);
    here = next;
  }
}

function merge(into: Branch, from: Branch): void {
  into.open ||= from.open;
  for (const [key, branch] of from.keys ?? []) {
    const mine = into.keys?.get(key);
    if (!mine) (into.keys ??= new Map()).set(key, branch);
    else merge(mine, branch);
  }
}

/** @param inner names of dependencies, which have their own schemas */
function addSchema(branch: Branch, schema: JsonMap, root: JsonMap, depth: number, inner: Set<string>): void {
  const node = resolved(schema, root);
  const properties = isMap(node['properties']) ? node['properties'] : {};
  if (node['additionalProperties'] === false && branch.keys) {
    branch.closed = true;
    branch.open = false;
  }
  if (branch.open || !branch.keys || depth >= DEPTH) return;
  for (const [key, property] of Object.entries(properties)) {
    if (!isMap(property) || inner.has(key)) continue;
    const known = branch.keys.get(key) ?? fromSchema(property, root);
    branch.keys.set(key, known);
    addSchema(known, property, root, depth + 1, new Set());
  }
  if (depth > 0 && mayHoldAnything(node)) branch.open = true;
}

/** `additionalProperties: true` next to named properties only means that the schema is not strict. */
function mayHoldAnything(node: JsonMap): boolean {
  const more = node['additionalProperties'];
  return (
    isMap(more) ||
    isMap(node['patternProperties']) ||
    (node['type'] === 'object' && !node['properties'] && more !== false)
  );
}

function fromSchema(schema: JsonMap, root: JsonMap): Branch {
  const node = resolved(schema, root);
  if (isMap(node['properties']) && Object.keys(node['properties']).length) return section();
  return typeof node['type'] === 'string' && ['string', 'boolean', 'integer', 'number'].includes(node['type'])
    ? leaf()
    : open();
}

/** Follows references inside the schema. A reference to another file stays unresolved, so its value is open. */
function resolved(schema: JsonMap, root: JsonMap): JsonMap {
  let node = schema;
  for (let hops = 0; hops < 10; hops++) {
    const ref = node['$ref'];
    if (typeof ref !== 'string' || !ref.startsWith('#/')) return node;
    const target = ref
      .slice(2)
      .split('/')
      .reduce<Json | undefined>(
        (here, key) =>
          isMap(here) ? here[decodeURIComponent(key).replaceAll('~1', '/').replaceAll('~0', '~')] : undefined,
        root,
      );
    if (!isMap(target)) return {};
    node = target;
  }
  return node;
}

const VALUES = /\.Values((?:\.[A-Za-z_]\w*)+)|index\s+\$?\.Values((?:\s+"[^"]+")+)(?:\)((?:\.[A-Za-z_]\w*)+))?/g;
const TAKES_ALL = /\b(toYaml|toYamlPretty|toJson|toPrettyJson|toRawJson|toToml|tpl|range|omit|pick|render)\b/;
/** `with .Values.x` and its body up to the first `end`. */
const WITH = /\{\{-?\s*with\s+(\$?\.Values[\w.]+)\s*-?\}\}([^]*?)\{\{-?\s*end\b/g;
const DOT_WHOLE = /\b(toYaml|toJson|tpl|range)\b[^}]*?[\s(]\.(?=[\s)}])/;

/** Values that templates refer to (`read`), and those that they use as a whole (`whole`). */
function references(templates: string[]): { read: string[][]; whole: string[][] } {
  const read = new Map<string, string[]>();
  const whole = new Map<string, string[]>();
  const note = (into: Map<string, string[]>, text: string): void => {
    for (const [, fields, keys, after] of text.matchAll(VALUES)) {
      const quoted = [...(keys ?? '').matchAll(/"([^"]+)"/g)].map((match) => match[1] ?? '');
      const path = [...quoted, ...(fields ?? after ?? '').split('.').slice(1)];
      if (path.length) into.set(joined(path), path);
    }
  };
  for (const template of templates) {
    const text = template.replace(/\{\{-?\s*\/\*[^]*?\*\/\s*-?\}\}/g, '');
    for (const [action] of text.matchAll(/\{\{[^]*?\}\}/g)) {
      note(read, action);
      if (TAKES_ALL.test(action)) note(whole, action);
    }
    for (const [, subject = '', body = ''] of text.matchAll(WITH)) if (DOT_WHOLE.test(body)) note(whole, subject);
  }
  return { read: [...read.values()], whole: [...whole.values()] };
}

/** The tree as sorted paths; see ChartFacts.values. */
export function paths(branch: Branch, base: string[] = []): string[] {
  if (branch.open) return [`${joined(base)}.*`];
  if (!branch.keys) return [joined(base)];
  return [...branch.keys].flatMap(([key, one]) => paths(one, [...base, key])).toSorted();
}

export function closedPaths(branch: Branch, base: string[] = []): string[] {
  const inner = [...(branch.keys ?? [])].flatMap(([key, one]) => (branch.open ? [] : closedPaths(one, [...base, key])));
  return [...(branch.closed ? [joined(base)] : []), ...inner].toSorted();
}
