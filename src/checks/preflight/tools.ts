import { coerce, gte } from 'semver';
import { checksOf, notHere, type Verdict, type Check, ok, warn, fail, skip } from '../lib/check.ts';
import { fact, type Facts } from '../lib/facts.ts';
import { ADDON_IDS, COMPONENT_IDS, type Config } from '../../profile/schema.ts';

const pre = checksOf('PRE', 'preflight');

function versionOf(facts: Facts, tool: string): string {
  return facts.tool(tool).version;
}

function kubectl(facts: Facts): Verdict {
  const install = 'install kubectl: https://kubernetes.io/docs/tasks/tools/';
  const text = versionOf(facts, 'kubectl');
  const version = coerce(text);
  if (!version)
    return fail('kubectl is not on the PATH', { cause: 'kubectl is not installed on this machine', fix: install });
  if (!gte(version, '1.24.0'))
    return fail(`kubectl ${text}, needed is 1.24 or newer`, {
      cause: 'the client is too old for the commands that genai-obs runs',
      fix: install,
    });
  const server = facts.version().gitVersion;
  const skew = Math.abs((coerce(server)?.minor ?? version.minor) - version.minor);
  if (skew > 1)
    return warn(`kubectl ${text} against server ${server}: ${skew} minor versions apart`, {
      cause: 'kubectl supports one minor version of difference to the server',
      fix: install,
    });
  if (!gte(version, '1.28.0'))
    return warn(`kubectl ${text} is older than 1.28`, { cause: 'the client is old', fix: install });
  return ok(`kubectl ${text}, server ${server}`);
}

function helm(facts: Facts): Verdict {
  const install = 'install Helm 3.12 or newer: https://helm.sh/docs/intro/install/';
  const text = versionOf(facts, 'helm');
  const version = coerce(text);
  if (!version)
    return fail('helm is not on the PATH', { cause: 'Helm is not installed on this machine', fix: install });
  if (!gte(version, '3.8.0'))
    return fail(`Helm ${text}, needed is 3.8 or newer`, { cause: 'this Helm cannot read the charts', fix: install });
  if (!gte(version, '3.12.0'))
    return warn(`Helm ${text} is older than 3.12`, { cause: 'this Helm is old', fix: install });
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
  return warn(`in use on this machine: ${taken.map((port) => `${port} (${PORTS[port]})`).join(', ')}`, {
    cause: 'another program listens there; genai-obs picks another port for its own tunnels',
    fix: `genai-obs open --port 0, or stop the program: lsof -iTCP:${taken[0]} -sTCP:LISTEN`,
  });
}

/** Whether a profile uses an upstream chart. */
function upstream(config: Config): boolean {
  return (
    COMPONENT_IDS.some((id) => config[id].enabled && config[id].chart !== 'genai-obs') ||
    ADDON_IDS.some((id) => config[id].enabled)
  );
}

function noRepository(config: Config): string {
  return upstream(config)
    ? 'charts are downloaded at pinned versions: no Helm repository is used'
    : 'the charts are part of genai-obs: no Helm repository is used';
}

export const toolChecks: Check[] = [
  pre('01', 'kubectl is installed and fits the server', {
    about:
      'Compares the version of kubectl with 1.28 and with the server; genai-obs restarts workloads and ' +
      'opens tunnels with it. Ok: 1.28 or newer, at most one minor version from the server. Warning: ' +
      '1.24 to 1.27, or further apart. Failed: absent or older. Install the version of your server.',
    sources: '004-PRE-06',
    reads: [fact.tool('kubectl'), fact.version()],
    run: kubectl,
  }),
  pre('02', 'Helm is installed and new enough', {
    about:
      'Reads the version of Helm: every component is one Helm release. Ok: 3.12 or newer, including 4.x. ' +
      'Warning: 3.8 to 3.11. Failed: absent or older. Install a current Helm.',
    sources: '000-PRE-02, 003-PRE-01, 004-PRE-05',
    reads: [fact.tool('helm')],
    run: helm,
  }),
  pre('03', 'jq is installed', {
    about:
      'Looks for jq on the PATH. genai-obs does not need it, but commands in the documentation read JSON ' +
      'with it. Absent is a warning, never a failure.',
    sources: '004-PRE-07',
    reads: [fact.tool('jq')],
    run: optional('jq', 'commands in the documentation use it'),
  }),
  pre('04', 'yq is installed', {
    about:
      'Looks for yq on the PATH. genai-obs does not need it, but commands in the documentation read YAML ' +
      'with it. Absent is a warning, never a failure.',
    sources: '004-PRE-07',
    reads: [fact.tool('yq')],
    run: optional('yq', 'commands in the documentation use it'),
  }),
  pre('20', 'Helm repositories are registered and fresh', {
    about:
      'Always skipped. Our own charts are part of genai-obs, and upstream charts are downloaded at ' +
      'pinned versions without a repository on this machine.',
    sources: '000-INST-01, 003-PRE-02, 004-P1-02',
    reads: [],
    skipIf: noRepository,
    run: (facts) => skip(noRepository(facts.config)),
  }),
  pre('24', 'Local ports for tunnels are free', {
    about:
      'Checks the well-known ports of 127.0.0.1 that tunnels to Grafana and the backends use. A port in ' +
      'use is a warning: `genai-obs open --port 0` picks another one.',
    sources: '000-ACC-01, 003-PRE-07',
    reads: () => Object.keys(PORTS).map((port) => fact.port(port)),
    run: ports,
  }),
  pre('28', 'Terraform is installed', {
    about: 'Always skipped: this profile is installed with Helm, and Terraform is not used.',
    sources: '002-DEP-03',
    ...notHere('this profile is installed with Helm: Terraform is not used'),
  }),
];
