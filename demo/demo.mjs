// npm run demo [-- --context NAME]   installs the stack and a sample LLM workload on a real cluster and verifies both
// npm run demo -- down               removes everything the demo created
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  ROOT,
  bedDown,
  bedEnvironment,
  bedStatus,
  buildBed,
  canRunBed,
  ensureBuild,
  ensureDependencies,
  must,
  say,
  show,
  startBed,
  stateFile,
} from '../scripts/setup.mjs';

const CLI = join(ROOT, 'bin', 'genai-obs.js');
const NAMESPACE = 'genai-observability';
const WORKLOAD = 'genai-demo';
const state = stateFile('genai-obs-demo.json');

const args = process.argv.slice(2);
const context = args.includes('--context') ? args[args.indexOf('--context') + 1] : undefined;

const has = (file, ...rest) => spawnSync(file, rest, { stdio: 'ignore' }).status === 0;

/** The fastest available cluster: the context given by the user, else Docker with kind, else the test bed. */
async function cluster() {
  if (context) return { kind: 'context', env: process.env, context };
  if (has('docker', 'info') && has('kind', 'version')) {
    if (!has('kind', 'get', 'kubeconfig', '--name', 'genai-obs-demo'))
      await must('kind', 'kind', ['create', 'cluster', '--name', 'genai-obs-demo', '--wait', '120s']);
    return { kind: 'kind', env: process.env, context: 'kind-genai-obs-demo' };
  }
  if (!canRunBed())
    throw new Error(
      'found no cluster to use.\nPass a kube context with --context NAME, or start Docker and install kind, ' +
        'or run as root on Linux to use the test bed.',
    );
  await buildBed();
  const started = await startBed();
  return { kind: 'bed', env: bedEnvironment(), context: 'bed', started };
}

const cli = (where, verb, ...rest) => [
  process.execPath,
  [CLI, verb, '--context', where.context, '--namespace', NAMESPACE, ...rest],
  { env: where.env },
];

const INTRO = `This demo
  1. prepares a cluster: the context given with --context, else kind, else the test bed
  2. installs the quickstart profile into namespace ${NAMESPACE}
  3. runs a sample LLM workload in namespace ${WORKLOAD}
  4. verifies with genai-obs doctor --probe that telemetry arrives in every backend
It takes 2 to 3 minutes on an existing cluster. Building the test bed takes about 25 minutes, once.
Remove everything with: npm run demo -- down
`;

function summary(where) {
  const first =
    where.kind === 'bed'
      ? `  first         eval "$(test/bed/bed env)"      (kubeconfig, kubectl and helm of the test bed)\n`
      : '';
  return `
What is where
${first}  Grafana       node bin/genai-obs.js open --context ${where.context}      (dashboards: "GenAI Observability")
  the workload  kubectl --context ${where.context} -n ${WORKLOAD} get pods
  the stack     kubectl --context ${where.context} -n ${NAMESPACE} get pods
  the doctor    node bin/genai-obs.js doctor --probe --verbose --context ${where.context}
Remove everything
  npm run demo -- down`;
}

async function up() {
  say(INTRO);
  await ensureDependencies();
  await ensureBuild();
  const where = await cluster();
  state.write({
    kind: where.kind,
    context: where.context,
    startedBed: where.started || state.read()?.startedBed || false,
  });
  say(`\n• installing the quickstart profile into namespace ${NAMESPACE} of context ${where.context}`);
  await must('the installation', ...cli(where, 'install', '--yes', '--cluster-name', 'demo', '--sampling-rate', '1'));
  say('\n• starting the sample workload: a RAG chat with a fake model');
  await startWorkload(where);
  say('• generating traffic for 45 s, so that dashboards show rates');
  await sleep(45_000);
  say('\n• verifying with genai-obs doctor --probe');
  const verdict = await show(...cli(where, 'doctor', '--probe'));
  say(summary(where));
  return verdict;
}

async function startWorkload(where) {
  const [{ bundleWorkload }, { workloadObjects }] = await Promise.all([
    import('./workload/bundle.mjs'),
    import('./workload/manifests.mjs'),
  ]);
  const objects = workloadObjects({
    namespace: WORKLOAD,
    otlpEndpoint: `http://opentelemetry-collector.${NAMESPACE}.svc:4318`,
    script: await bundleWorkload(),
  });
  const kubectl = (rest, input) => {
    const done = spawnSync('kubectl', ['--context', where.context, ...rest], {
      env: where.env,
      input,
      stdio: ['pipe', 'ignore', 2],
    });
    if (done.status !== 0) throw new Error(`kubectl ${rest.join(' ')} failed`);
  };
  kubectl(['apply', '--server-side', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
  kubectl(['-n', WORKLOAD, 'wait', '--for=condition=Available', 'deployment', '--all', '--timeout=180s']);
}

async function down() {
  const was = state.read();
  const where = { context: context ?? was?.context, env: was?.kind === 'bed' ? bedEnvironment() : process.env };
  if (!where.context) {
    say('The demo has not run on this machine; there is nothing to remove.');
    return 0;
  }
  await ensureDependencies();
  await ensureBuild();
  if (was?.kind === 'kind') await must('kind', 'kind', ['delete', 'cluster', '--name', 'genai-obs-demo']);
  else if (was?.kind !== 'bed' || bedStatus() === 0) {
    say('• removing the sample workload');
    await must(
      'kubectl',
      'kubectl',
      ['--context', where.context, 'delete', 'namespace', WORKLOAD, '--ignore-not-found', '--wait'],
      { env: where.env },
    );
    await must('uninstall', ...cli(where, 'uninstall', '--delete-data', '--yes'));
  }
  if (was?.startedBed) await bedDown();
  rmSync(state.path, { force: true });
  say('The demo is removed.');
  return 0;
}

try {
  process.exitCode = args.includes('down') ? await down() : await up();
} catch (error) {
  say(`\nThe demo failed: ${error.message}`);
  say('Run the same command to resume, or remove everything with: npm run demo -- down');
  process.exitCode = 1;
}
