/** Allowed imports besides core and the folder itself: data of the architecture test and of docs/architecture.md. */
export const LAYERS: Record<string, { what: string; may: string[] }> = {
  core: {
    what: 'types, errors, comparison, text, quantities, redaction, assets; reads only the files of the package',
    may: [],
  },
  adapters: { what: 'the only owners of execa, client-node, kubectl and helm', may: [] },
  profile: { what: 'schema, layers, flags, and the rules between settings', may: [] },
  charts: { what: 'pins of upstream charts, and where their archives come from', may: ['adapters'] },
  parts: { what: 'the catalog (names, images, ports) and what several components share', may: ['charts', 'profile'] },
  components: { what: 'one file per component, and the registry', may: ['charts', 'parts', 'profile'] },
  engine: {
    what: 'plan, kinds of step, run, journal, lock, uninstall; knows no UI',
    may: ['adapters', 'charts', 'components', 'parts', 'profile'],
  },
  checks: {
    what: 'what a check is, the library of helpers, one file or folder per area; pure functions of facts',
    may: ['components', 'parts', 'profile'],
  },
  doctor: {
    what: 'collectors of facts, runner, end-to-end probe, reports',
    may: ['adapters', 'charts', 'checks', 'components', 'engine', 'parts', 'profile'],
  },
  backup: {
    what: 'one store per backend, archive, manifest',
    may: ['adapters', 'components', 'engine', 'parts', 'profile'],
  },
  export: {
    what: 'the plan as a Terraform module',
    may: ['adapters', 'charts', 'components', 'engine', 'parts', 'profile'],
  },
  mirror: {
    what: 'charts, images and overlay for air-gapped clusters',
    may: ['adapters', 'charts', 'components', 'engine', 'parts', 'profile'],
  },
  macos: { what: 'the bundle for a Mac: configuration, LaunchDaemons, installer', may: [] },
  connect: {
    what: 'what an application needs: environment, snippets, the change of a Deployment',
    may: ['adapters', 'components', 'parts', 'profile'],
  },
  ui: {
    what: 'the only owner of listr2, inquirer and chalk',
    may: ['adapters', 'components', 'doctor', 'engine', 'parts', 'profile'],
  },
  app: {
    what: 'sessions, signals, and what turns an error into a message and an exit code',
    may: ['adapters', 'charts', 'components', 'engine', 'parts', 'profile', 'ui'],
  },
  commands: {
    what: 'one file per verb: flags in, exit code out',
    may: [
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
      'parts',
      'profile',
      'ui',
    ],
  },
  cli: {
    what: 'the command tree, one file per group of verbs; an action imports its command when it runs',
    may: ['app', 'commands'],
  },
  'cli.ts': { what: 'the entry point', may: ['app', 'cli', 'commands'] },
};

const code = (name: string): string => `\`src/${name}${name.endsWith('.ts') ? '' : '/'}\``;

/** The table of docs/architecture.md. */
export function layersTable(): string {
  const rows = Object.entries(LAYERS).map(
    ([name, { what, may }]) =>
      `| ${code(name)} | ${what} | ${['core', ...may].filter((one) => one !== name).join(', ')} |`,
  );
  return ['| Folder | What | May import |', '|---|---|---|', ...rows].join('\n');
}
