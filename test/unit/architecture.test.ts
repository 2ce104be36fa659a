import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { COMPONENT_IDS } from '../../src/profile/schema.ts';
import { LAYERS, layersTable } from '../support/layers.ts';

interface Source {
  path: string;
  text: string;
  /** What it imports at run time or for types: files of ours as paths, packages by name. */
  imports: { target: string; typeOnly: boolean; own: boolean }[];
}

function files(dir: string, ending: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}

const IMPORT = /^\s*(import|export)\s+(type\s)?[^'";]*?from\s+'([^']+)'|^\s*import\s+'([^']+)'|\bimport\('([^']+)'\)/gm;

const sources: Source[] = files('src', '.ts').map((path) => {
  const text = readFileSync(path, 'utf8');
  const imports = [...text.matchAll(IMPORT)].map((match) => {
    const target = match[3] ?? match[4] ?? match[5] ?? '';
    const own = target.startsWith('.');
    return { target: own ? normalize(join(dirname(path), target)) : target, typeOnly: match[2] !== undefined, own };
  });
  return { path, text, imports };
});

/** The layer of a file: its folder in src, and for src/cli.ts itself. */
const layer = (path: string): string => relative('src', path).split('/')[0] ?? '';

/** Circles of a graph, each once, as `a → b → a`. */
function circles(edges: Map<string, Set<string>>): string[] {
  const found = new Set<string>();
  const done = new Set<string>();
  const visit = (node: string, path: string[]): void => {
    const seen = path.indexOf(node);
    if (seen >= 0) {
      const circle = path.slice(seen);
      const first = circle.indexOf(circle.toSorted()[0] ?? '');
      found.add([...circle.slice(first), ...circle.slice(0, first), circle[first]].join(' → '));
      return;
    }
    if (done.has(node)) return;
    for (const next of edges.get(node) ?? []) visit(next, [...path, node]);
    done.add(node);
  };
  for (const node of edges.keys()) visit(node, []);
  return [...found];
}

/** Imports, those of types too, between files or between the folders that `of` names. */
function graph(of: (path: string) => string): Map<string, Set<string>> {
  const edges = new Map<string, Set<string>>();
  for (const { path, imports } of sources)
    for (const { own, target } of imports)
      if (own && of(path) !== of(target)) edges.set(of(path), (edges.get(of(path)) ?? new Set()).add(of(target)));
  return edges;
}

describe('the dependency rule', () => {
  it('knows every folder of src', () => {
    expect([...new Set(sources.map(({ path }) => layer(path)))].filter((name) => !(name in LAYERS))).toEqual([]);
  });

  it('holds: no layer imports what stands above it', () => {
    const wrong = sources.flatMap(({ path, imports }) => {
      const here = layer(path);
      return imports
        .filter(({ own, target }) => own && ![here, 'core', ...(LAYERS[here]?.may ?? [])].includes(layer(target)))
        .map(({ target }) => `${path} imports ${target}`);
    });
    expect(wrong).toEqual([]);
  });

  it('is the table of docs/architecture.md', () => {
    const table = /<!-- layers:begin[^]*?-->\n([^]*?)\n<!-- layers:end -->/.exec(
      readFileSync('docs/architecture.md', 'utf8'),
    );
    expect(table?.[1]?.trim()).toBe(layersTable());
  });

  it('has no circle between files or between folders, imports of types included', () => {
    expect(circles(graph((path) => path))).toEqual([]);
    expect(circles(graph(dirname))).toEqual([]);
    expect(circles(graph(layer))).toEqual([]);
  });

  it('finds a circle where there is one', () => {
    const edges = new Map([
      ['b', new Set(['c'])],
      ['c', new Set(['a', 'd'])],
      ['a', new Set(['b'])],
    ]);
    expect(circles(edges)).toEqual(['a → b → c → a']);
  });

  it('components and shared parts know of upstream charts only their pins, which are data', () => {
    const wrong = sources.flatMap(({ path, imports }) =>
      ['components', 'parts'].includes(layer(path))
        ? imports
            .filter(({ own, target }) => own && layer(target) === 'charts' && target !== 'src/charts/pins.ts')
            .map(({ target }) => `${path} imports ${target}`)
        : [],
    );
    expect(wrong).toEqual([]);
    expect(sources.find(({ path }) => path === 'src/charts/pins.ts')?.imports).toEqual([]);
  });

  it('core imports nothing of ours but core', () => {
    for (const { path, imports } of sources)
      if (layer(path) === 'core')
        expect(
          imports.filter(({ own, target }) => own && layer(target) !== 'core'),
          path,
        ).toEqual([]);
  });

  it('a component never imports another', () => {
    const isComponent = (path: string): boolean => COMPONENT_IDS.some((id) => path === `src/components/${id}.ts`);
    const wrong = sources
      .filter(({ path }) => isComponent(path))
      .flatMap(({ path, imports }) =>
        imports.filter(({ target }) => isComponent(target)).map(({ target }) => `${path} imports ${target}`),
      );
    expect(wrong).toEqual([]);
    expect(COMPONENT_IDS.filter((id) => !sources.some(({ path }) => path === `src/components/${id}.ts`))).toEqual([]);
  });

  it('only adapters and ui touch packages that do I/O', () => {
    const guarded = /^(execa|@kubernetes\/client-node|listr2|chalk|@inquirer\/.*)$/;
    const owner: Record<string, string> = {
      execa: 'adapters',
      '@kubernetes/client-node': 'adapters',
      listr2: 'ui',
      chalk: 'ui',
      '@inquirer/prompts': 'ui',
    };
    const users = sources.flatMap(({ path, imports }) =>
      imports.filter(({ own, target }) => !own && guarded.test(target)).map(({ target }) => ({ path, target })),
    );
    expect(users.length).toBeGreaterThan(3);
    expect(users.filter(({ path, target }) => owner[target] !== layer(path))).toEqual([]);
  });

  it('only adapters start programs or open connections', () => {
    const io = /^node:(child_process|https?|net|tls|dgram)$/;
    const wrong = sources.flatMap(({ path, imports }) =>
      imports
        .filter(({ target, typeOnly }) => !typeOnly && io.test(target) && layer(path) !== 'adapters')
        .map(({ target }) => `${path} imports ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  it('checks are pure: they read no file, no clock of the cluster, no network', () => {
    const wrong = sources.flatMap(({ path, imports }) =>
      layer(path) === 'checks'
        ? imports
            .filter(
              ({ own, target, typeOnly }) =>
                !typeOnly && ((!own && target.startsWith('node:')) || layer(target) === 'adapters'),
            )
            .map(({ target }) => `${path} imports ${target}`)
        : [],
    );
    expect(wrong).toEqual([]);
  });
});

describe('sizes and manners', () => {
  it('no "any", no silenced compiler, nothing left to do', () => {
    const code = (text: string): string =>
      text.replace(/\/\*[^]*?\*\/|\/\/.*$|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`/gm, '');
    const wrong = sources.filter(
      ({ text }) =>
        /[:<(|&,]\s*any\b(?!\s*:)|\bas any\b/.test(code(text)) ||
        /@ts-(ignore|nocheck|expect-error)|(ox|es)lint-disable(?!-next-line \S+( --|$))/m.test(text) ||
        /\b(TODO|FIXME|XXX|HACK)\b/.test(text),
    );
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });

  it('templates and profiles hold no work left to do, and no path of a machine', () => {
    const all = [...files('templates', ''), ...files('profiles', '')];
    expect(all.length).toBeGreaterThan(50);
    expect(
      all.filter((path) => /\b(TODO|FIXME|XXX|changeme)\b|\/root\/|\/home\/[a-z]/.test(readFileSync(path, 'utf8'))),
    ).toEqual([]);
  });

  it('errors are the only classes', () => {
    const classes = sources.flatMap(({ path, text }) =>
      [...text.matchAll(/^(?:export )?class (\w+)( extends \w*Error)?/gm)]
        .filter((match) => !match[2])
        .map((match) => `${path}: ${match[1]}`),
    );
    expect(classes).toEqual([]);
  });
});
