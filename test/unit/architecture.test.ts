import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { COMPONENT_IDS } from '../../src/profile/schema.ts';

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

/** Which layers a layer may import, besides itself and core. */
const MAY: Record<string, string[]> = {
  core: [],
  adapters: [],
  profile: ['components'],
  charts: ['adapters'],
  components: ['charts', 'profile'],
  engine: ['adapters', 'charts', 'components', 'profile'],
  checks: ['doctor', 'components', 'profile', 'engine'],
  doctor: ['adapters', 'app', 'charts', 'checks', 'components', 'engine', 'profile'],
  backup: ['adapters', 'components', 'doctor', 'engine', 'profile'],
  export: ['adapters', 'charts', 'engine', 'profile'],
  macos: ['components'],
  connect: ['adapters', 'components', 'profile'],
  mirror: ['adapters', 'charts', 'engine'],
  ui: ['adapters', 'app', 'components', 'doctor', 'engine', 'profile'],
  app: ['adapters', 'charts', 'components', 'engine', 'profile', 'ui'],
  commands: [
    'adapters',
    'app',
    'backup',
    'charts',
    'checks',
    'components',
    'connect',
    'doctor',
    'engine',
    'export',
    'macos',
    'mirror',
    'profile',
    'ui',
  ],
  'cli.ts': ['app', 'commands'],
};

describe('the dependency rule', () => {
  it('knows every folder of src', () => {
    expect([...new Set(sources.map(({ path }) => layer(path)))].filter((name) => !(name in MAY))).toEqual([]);
  });

  it('holds: no layer imports what stands above it', () => {
    const wrong = sources.flatMap(({ path, imports }) => {
      const here = layer(path);
      return imports
        .filter(({ own, target }) => own && ![here, 'core', ...(MAY[here] ?? [])].includes(layer(target)))
        .map(({ target }) => `${path} imports ${target}`);
    });
    expect(wrong).toEqual([]);
  });

  it('a component knows of upstream charts only their pins, which are data', () => {
    const wrong = sources.flatMap(({ path, imports }) =>
      layer(path) === 'components'
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
    // A stream in and out of a pod, and whether a port of this machine is free.
    const known = new Set(['src/doctor/facts/machine.ts imports node:net']);
    const wrong = sources.flatMap(({ path, imports }) =>
      imports
        .filter(({ target, typeOnly }) => !typeOnly && io.test(target) && layer(path) !== 'adapters')
        .map(({ target }) => `${path} imports ${target}`),
    );
    expect(wrong.filter((text) => !known.has(text))).toEqual([]);
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
  it('no file of src is longer than 300 lines', () => {
    expect(
      sources
        .map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }))
        .filter(({ lines }) => lines > 300),
    ).toEqual([]);
  });

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
