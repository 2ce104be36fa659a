import { checksOf, notHere, type Verdict, type Check, ok, warn, fail, skip } from '../lib/check.ts';
import { fact, type Facts } from '../lib/facts.ts';
import { ADDON_IDS, COMPONENT_IDS, type Config } from '../../profile/schema.ts';

/** [major, minor] of `1.36.3`; undefined for an empty version. */
export function parts(version: string): [number, number] | undefined {
  const match = /^v?(\d+)\.(\d+)/.exec(version);
  return match ? [Number(match[1]), Number(match[2])] : undefined;
}

function atLeast([major, minor]: [number, number], wantedMajor: number, wantedMinor: number): boolean {
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

const pre = checksOf('PRE', 'preflight');

function versionOf(facts: Facts, tool: string): string {
  return facts.tool(tool).version;
}

function kubectl(facts: Facts): Verdict {
  const install = 'install kubectl: https://kubernetes.io/docs/tasks/tools/';
  const text = versionOf(facts, 'kubectl');
  const version = parts(text);
  if (!version)
    return fail('kubectl is not on the PATH', { cause: 'kubectl is not installed on this machine', fix: install });
  if (!atLeast(version, 1, 24))
    return fail(`kubectl ${text}, needed is 1.24 or newer`, { cause: 'the client is too old', fix: install });
  const server = facts.version().gitVersion;
  const skew = Math.abs((parts(server)?.[1] ?? version[1]) - version[1]);
  if (skew > 1)
    return warn(`kubectl ${text} against server ${server}: ${skew} minor versions apart`, {
      cause: 'kubectl supports one minor version of difference to the server',
      fix: install,
    });
  if (!atLeast(version, 1, 28))
    return warn(`kubectl ${text} is older than 1.28`, { cause: 'an old client', fix: install });
  return ok(`kubectl ${text}, server ${server}`);
}

function helm(facts: Facts): Verdict {
  const install = 'install Helm 3.12 or newer: https://helm.sh/docs/intro/install/';
  const text = versionOf(facts, 'helm');
  const version = parts(text);
  if (!version)
    return fail('helm is not on the PATH', { cause: 'Helm is not installed on this machine', fix: install });
  if (!atLeast(version, 3, 8))
    return fail(`Helm ${text}, needed is 3.8 or newer`, { cause: 'this Helm cannot read the charts', fix: install });
  if (!atLeast(version, 3, 12)) return warn(`Helm ${text} is older than 3.12`, { cause: 'an old Helm', fix: install });
  return ok(`Helm ${text}`);
}

function optional(tool: 'jq' | 'yq', use: string) {
  return (facts: Facts): Verdict => {
    const version = versionOf(facts, tool);
    return version
      ? ok(`${tool} ${version}`)
      : warn(`${tool} is not on the PATH`, {
          cause: `${tool} is not installed; genai-obs works without it, ${use}`,
          fix: `apt-get install ${tool}, or brew install ${tool}`,
        });
  };
}

const PORTS: Record<string, string> = {
  '3000': 'Grafana',
  '9090': 'Prometheus',
  '3100': 'Loki',
  '3200': 'Tempo',
  '9093': 'Alertmanager',
  '4317': 'OTLP',
};

function ports(facts: Facts): Verdict {
  const taken = Object.keys(PORTS).filter((port) => !facts.port(port).free);
  if (taken.length === 0) return ok(`ports ${Object.keys(PORTS).join(', ')} of 127.0.0.1 are free`);
  return warn(`taken on this machine: ${taken.map((port) => `${port} (${PORTS[port]})`).join(', ')}`, {
    cause: 'another program listens there; genai-obs picks another port for its own tunnels',
    fix: `genai-obs open --port 0, or stop the program: lsof -iTCP:${taken[0]} -sTCP:LISTEN`,
  });
}

/** Whether anything of a profile comes from a chart that is not ours. */
function upstream(config: Config): boolean {
  return (
    COMPONENT_IDS.some((id) => config[id].enabled && config[id].chart !== 'genai-obs') ||
    ADDON_IDS.some((id) => config[id].enabled)
  );
}

function noRepository(config: Config): string {
  return upstream(config)
    ? 'charts are taken at pinned versions: no Helm repository is used'
    : 'the charts are part of genai-obs: no Helm repository is used';
}

export const toolChecks: Check[] = [
  pre('01', 'kubectl is installed and fits the server', {
    about:
      'genai-obs restarts workloads and opens tunnels with kubectl. Ok: 1.28 or newer and at most one minor version from the server. Warning: 1.24 to 1.27, or further apart. Failed: absent or older. Install the version of your server.',
    sources: '004-PRE-06',
    reads: [fact.tool('kubectl'), fact.version()],
    run: kubectl,
  }),
  pre('02', 'Helm is installed and new enough', {
    about:
      'Every component is one Helm release. Ok: 3.12 or newer, also 4.x. Warning: 3.8 to 3.11. Failed: absent or older.',
    sources: '000-PRE-02, 003-PRE-01, 004-PRE-05',
    reads: [fact.tool('helm')],
    run: helm,
  }),
  pre('03', 'jq is installed', {
    about:
      'genai-obs itself does not need jq; commands in the documentation read JSON with it. Absent is a warning, never a failure.',
    sources: '004-PRE-07',
    reads: [fact.tool('jq')],
    run: optional('jq', 'commands in the documentation use it'),
  }),
  pre('04', 'yq is installed', {
    about:
      'genai-obs itself does not need yq; commands in the documentation read YAML with it. Absent is a warning, never a failure.',
    sources: '004-PRE-07',
    reads: [fact.tool('yq')],
    run: optional('yq', 'commands in the documentation use it'),
  }),
  pre('20', 'Helm repositories are registered and fresh', {
    about:
      'A check of appendix 1 that nothing here needs: our own charts are part of genai-obs, and charts of others are taken at pinned versions without a repository on this machine.',
    sources: '000-INST-01, 003-PRE-02, 004-P1-02',
    reads: [],
    skipIf: noRepository,
    run: (facts) => skip(noRepository(facts.config)),
  }),
  pre('24', 'Local ports for tunnels are free', {
    about:
      'Tunnels to Grafana and the backends use well-known ports of 127.0.0.1. A taken port is a warning: `genai-obs open` takes another one with --port 0.',
    sources: '000-ACC-01, 003-PRE-07',
    reads: () => Object.keys(PORTS).map((port) => fact.port(port)),
    run: ports,
  }),
  pre('28', 'Terraform is installed', {
    about: 'Only for profiles that are installed by Terraform.',
    sources: '002-DEP-03',
    ...notHere('this profile is installed with Helm: Terraform is not used'),
  }),
];
