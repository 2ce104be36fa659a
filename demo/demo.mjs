// npm run demo [-- --context NAME]   a real stack on a real cluster, with a sample LLM workload, proven end to end
// npm run demo -- down               removes all of it
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
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

/** The quickest real cluster: a named context, else Docker with kind, else the bed. */
async function cluster() {
  if (context) return { kind: 'context', env: process.env, context };
  if (has('docker', 'info') && has('kind', 'version')) {
    if (!has('kind', 'get', 'kubeconfig', '--name', 'genai-obs-demo'))
      await must('kind', 'kind', ['create', 'cluster', '--name', 'genai-obs-demo', '--wait', '120s']);
    return { kind: 'kind', env: process.env, context: 'kind-genai-obs-demo' };
  }
  if (!canRunBed())
    throw new Error(
      'there is no cluster to use: name a kube context with --context, or start Docker and install kind, or run as root on Linux for the test bed',
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

async function up() {
  say(
    'This demo prepares a cluster, installs the quickstart profile, runs a sample LLM workload and proves that its telemetry arrives.',
  );
  say('With a cluster or prebuilt programs at hand: 2 to 3 minutes. Remove everything with: npm run demo -- down\n');
  await ensureDependencies();
  await ensureBuild();
  const where = await cluster();
  state.write({
    kind: where.kind,
    context: where.context,
    startedBed: where.started || state.read()?.startedBed || false,
  });
  say(`\n• installing quickstart into namespace ${NAMESPACE} of context ${where.context}`);
  await must('the installation', ...cli(where, 'install', '--yes', '--cluster-name', 'demo', '--sampling-rate', '1'));
  say('\n• starting the sample workload: a traced RAG chat in front of a fake model');
  await startWorkload(where);
  say('• letting it talk for 45 s, so that rates have something to show');
  await new Promise((resolve) => setTimeout(resolve, 45_000));
  say('\n• genai-obs doctor --probe');
  const verdict = await show(...cli(where, 'doctor', '--probe'));
  const bed =
    where.kind === 'bed'
      ? `  first         eval "$(test/bed/bed env)"      (kubeconfig, kubectl and helm of the bed)\n`
      : '';
  say(`
What is where
${bed}  Grafana       node bin/genai-obs.js open --context ${where.context}      (dashboards in folder "GenAI Observability")
  the workload  kubectl --context ${where.context} -n ${WORKLOAD} get pods
  the stack     kubectl --context ${where.context} -n ${NAMESPACE} get pods
  the doctor    node bin/genai-obs.js doctor --probe --verbose --context ${where.context}
Remove all of it
  npm run demo -- down`);
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
    say('No demo has run here: nothing to remove.');
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
  say('The demo is gone.');
  return 0;
}

try {
  process.exitCode = args.includes('down') ? await down() : await up();
} catch (error) {
  say(
    `\nThe demo stopped: ${error.message}\nRun it again: it carries on. Remove what there is with: npm run demo -- down`,
  );
  process.exitCode = 1;
}
