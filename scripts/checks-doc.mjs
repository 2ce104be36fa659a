// Writes docs/checks.md from src/checks.   node scripts/checks-doc.mjs [--check]
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';

// Inside of the package, because the checks find its templates from where they lie.
const bundle = join('node_modules', `.checks-doc-${process.pid}.mjs`);
await build({
  entryPoints: ['src/checks/index.ts'],
  bundle: true,
  packages: 'external',
  format: 'esm',
  platform: 'node',
  outfile: bundle,
  logLevel: 'error',
});
let CHECKS;
try {
  ({ CHECKS } = await import(pathToFileURL(bundle).href));
} finally {
  rmSync(bundle, { force: true });
}

const AREAS = {
  PRE: [
    'Cluster and machine',
    'What an installation needs. `genai-obs doctor --stage preflight` runs only these, and `genai-obs install` runs them first.',
  ],
  CLD: [
    'Grafana Cloud',
    'What the destination says to user and token. Part of the preflight stage; only for profiles that send there.',
  ],
  K3S: ['K3s', 'What K3s brings or keeps to itself. On any other Kubernetes these are skipped.'],
  COL: ['Collectors', 'Gateway, node and cluster collectors: where telemetry comes in.'],
  PROM: ['Prometheus', 'Metrics and rules.'],
  LOKI: ['Loki', 'Logs.'],
  TEMPO: ['Tempo', 'Traces.'],
  JAEG: ['Jaeger', 'Traces, where a profile stores them in Jaeger instead of Tempo (`genops`).'],
  GRAF: ['Grafana', 'Datasources, correlations and dashboards.'],
  ALRT: ['Alerting', 'Rules, routes and notifications.'],
  SEC: ['Security', ''],
  MNT: ['Maintenance', ''],
  E2E: [
    'End to end',
    'Only with `--probe`: one gen_ai trace, metric and log with a nonce go through the gateway, are read back from the backends and again through Grafana, and are removed.',
  ],
};

const STAGES = {
  preflight: 'before and after an installation',
  stack: 'on the installed stack',
  probe: 'with `--probe`',
};

function section(check) {
  const after = check.dependsOn?.length
    ? [`Explained by: ${check.dependsOn.map((id) => `[${id}](#${id.toLowerCase()})`).join(', ')}`]
    : [];
  const rows = [`Runs: ${STAGES[check.stage]}`, ...after, `Source: ${check.sources}`];
  return `<a id="${check.id.toLowerCase()}"></a>\n### ${check.id} ${check.title}\n\n${check.about}\n\n${rows.map((row) => `- ${row}`).join('\n')}\n`;
}

const sorted = CHECKS.toSorted((a, b) => a.id.localeCompare(b.id, 'en', { numeric: true }));
const parts = Object.entries(AREAS).map(([area, [title, about]]) => {
  const own = sorted.filter((check) => check.area === area);
  return `## ${title}\n\n${about ? `${about}\n\n` : ''}${own.map(section).join('\n')}`;
});
const counts = Object.entries(AREAS).map(
  ([area, [title]]) => `| ${area} | ${title} | ${CHECKS.filter((check) => check.area === area).length} |`,
);

const text = `# Checks of the doctor

Made by \`node scripts/checks-doc.mjs\`; do not edit.

\`genai-obs doctor\` knows ${CHECKS.length} checks. Each looks and changes nothing, has a stable id, and says what it saw, what is likely the cause and what mends it.
Run some of them with \`--only LOKI-02\` or \`--only LOKI\`, leave some out with \`--skip\`, list all with \`--verbose\`.

| Area | | Checks |
|---|---|---|
${counts.join('\n')}

| Status | Meaning | Exit code |
|---|---|---|
| ok | Looked, and it is well. | 0 |
| warn | Works, but not for ever or not as it should. | 0; with \`--strict\` 4 |
| fail | Broken: something does not work. | 3 |
| unknown | Could not look: no answer, no right, an answer that makes no sense. Never taken for ok. | 3 |
| blocked | The consequence of another finding, which is named: mend that first. | as its cause |
| skip | Does not apply; the reason is told. | 0 |

What explains a finding: the checks named under it, and for everything an API server that does not answer (PRE-05), for the stack a namespace
that is being deleted (PRE-26), no installation (MNT-08) or nodes that are not ready (PRE-07), and for whatever needs the network a NetworkPolicy (PRE-16).

${parts.join('\n')}`;

if (process.argv.includes('--check')) {
  if (readFileSync('docs/checks.md', 'utf8') !== text) {
    console.error('docs/checks.md is not current: node scripts/checks-doc.mjs');
    process.exit(1);
  }
} else writeFileSync('docs/checks.md', text);
