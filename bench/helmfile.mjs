// Compares genai-obs with `helmfile sync` on a profile of upstream charts: the first install, and a second one with
// nothing to do. Both use the same archives and values, and the runs alternate.
// helmfile runs with its default concurrency and wait: true; `kubectl rollout status` waits for what operators create.
// kubectl first applies what no chart creates: namespaces, claims, ConfigMaps, Secrets. That time counts towards the
// limit, so that both sides do the same work; the table also shows helmfile alone. Its releases install their own CRDs.
//   node bench/helmfile.mjs --profile k3s --charts DIR [--settings FILE.json] [--helmfile PATH] [--rounds 2]
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  ROOT,
  applyPrerequisites,
  genaiObs,
  machine,
  median,
  needCluster,
  options,
  planOf,
  run,
  table,
  verdict,
  withCleanup,
} from './lib.mjs';

const [INSTALL, RERUN] = [0.9, 0.3];
const { profile, charts, settings, helmfile, rounds } = options({
  profile: 'k3s',
  charts: '',
  settings: '',
  helmfile: 'helmfile',
  rounds: '2',
});
if (!charts) throw new Error('--charts DIR: the folder with the archives of the upstream charts');
const context = needCluster();
const dir = await mkdtemp(join(tmpdir(), 'genai-obs-bench-'));
const overlay = settings ? JSON.parse(await readFile(settings, 'utf8')) : {};
const config = join(dir, 'config.yaml');
await writeFile(
  config,
  stringify({ extends: profile, ...overlay, global: { ...overlay.global, charts: resolve(charts) } }),
);
const steps = await planOf(overlay, profile);
const versions = JSON.parse(await readFile(join(charts, 'mirror.json'), 'utf8')).charts;
const archiveOf = (name) =>
  join(
    resolve(charts),
    Object.keys(versions).find((file) => file.replace(/-v?\d[^-]*\.tgz$/, '') === name),
  );

/** Values that make a chart install its CRDs, for charts that have them as templates. */
const withCrds = {
  'opentelemetry-operator': { crds: { create: true } },
  'kube-prometheus-stack': { crds: { enabled: true } },
};

/** Writes a chart of plain objects that no upstream chart contains. */
async function rawChart(name, objects) {
  const folder = join(dir, name);
  await mkdir(join(folder, 'templates'), { recursive: true });
  await writeFile(join(folder, 'Chart.yaml'), stringify({ apiVersion: 'v2', name, version: '1.0.0' }));
  await writeFile(join(folder, 'objects.json'), JSON.stringify(objects));
  await writeFile(
    join(folder, 'templates', 'objects.yaml'),
    '{{- range .Files.Get "objects.json" | fromJsonArray }}\n---\n{{ toYaml . }}\n{{- end }}\n',
  );
  return folder;
}

async function writeHelmfile() {
  const releases = [];
  for (const step of steps) {
    if (step.kind === 'release') {
      const own = step.chart.source === 'genai-obs';
      const values = join(dir, `${step.release}.values.json`);
      await writeFile(values, JSON.stringify({ ...step.values, ...withCrds[step.chart.name] }), { mode: 0o600 });
      releases.push({
        name: step.release,
        namespace: step.namespace,
        chart: own ? join(ROOT, 'templates', step.chart.name) : archiveOf(step.chart.name),
        values: [values],
      });
    } else if (step.kind === 'objects' && isCustom(step)) {
      const name = step.id.replaceAll('/', '-');
      const operator = steps.find(
        (one) => one.kind === 'release' && step.needs.includes(`webhook/${one.id.replace('release/', '')}`),
      );
      const stack = steps.find((one) => one.id === 'release/kube-prometheus-stack');
      const first = operator ?? stack;
      const namespace = step.objects.find(({ metadata }) => metadata.namespace)?.metadata.namespace;
      releases.push({
        name,
        namespace,
        chart: await rawChart(name, step.objects),
        ...(first ? { needs: [`${first.namespace}/${first.release}`] } : {}),
      });
    }
  }
  const file = join(dir, 'helmfile.yaml');
  await writeFile(file, stringify({ helmDefaults: { wait: true, timeout: 600, kubeContext: context }, releases }));
  return { file, releases };
}

const isCustom = (step) =>
  step.objects.some(({ apiVersion }) => /opentelemetry\.io|monitoring\.coreos\.com/.test(apiVersion));

const { file, releases } = await writeHelmfile();

const namespaces = steps
  .flatMap((step) => (step.kind === 'objects' ? step.objects : []))
  .flatMap(({ kind, metadata }) => (kind === 'Namespace' ? [metadata.name] : []));

async function drop() {
  for (const kind of ['opentelemetrycollectors.opentelemetry.io'])
    await run('kubectl', ['delete', kind, '-A', '--all', '--wait', '--timeout=120s'], { check: false });
  for (const { name, namespace } of releases)
    await run('helm', ['uninstall', name, '--namespace', namespace], { check: false });
  await run('kubectl', ['delete', 'namespace', '--ignore-not-found', '--wait', '--timeout=300s', ...namespaces], {
    check: false,
  });
  const { stdout } = await run('kubectl', ['get', 'crd', '-o', 'name']);
  const own = stdout.split('\n').filter((name) => /opentelemetry\.io|monitoring\.coreos\.com/.test(name));
  if (own.length) await run('kubectl', ['delete', '--wait', ...own], { check: false });
  await run(
    'kubectl',
    ['delete', 'clusterrole,clusterrolebinding', '-l', 'app.kubernetes.io/part-of=genai-obs', '--ignore-not-found'],
    { check: false },
  );
}

async function ours() {
  const flags = ['install', '--yes', '-f', config, '--timeout', '600', '--skip', 'preflight,verify'];
  const first = (await genaiObs(flags)).seconds;
  const again = (await genaiObs(flags)).seconds;
  await genaiObs(['uninstall', '--delete-data', '--yes', '--namespace', namespaces[0]]);
  return { first, again };
}

/** Whether an operator creates the workload from a custom resource, so that no chart contains it. */
const isOperatorMade = (step, { kind }) =>
  step.kind === 'objects' || (step.chart?.name === 'kube-prometheus-stack' && kind === 'StatefulSet');

/** helm waits only for what a chart contains; waits here for operator-made workloads, as genai-obs does. */
async function ready() {
  const start = Date.now();
  const made = steps.flatMap((step) => (step.workloads ?? []).filter((workload) => isOperatorMade(step, workload)));
  await Promise.all(
    made.map(async ({ kind, name, namespace }) => {
      const workload = `${kind.toLowerCase()}/${name}`;
      while ((await run('kubectl', ['-n', namespace, 'get', workload], { check: false })).code !== 0) await sleep(200);
      await run('kubectl', ['-n', namespace, 'rollout', 'status', workload, '--timeout=300s']);
    }),
  );
  return (Date.now() - start) / 1000;
}

async function theirs() {
  const start = Date.now();
  await applyPrerequisites(steps, (step) => !isCustom(step));
  const prepared = (Date.now() - start) / 1000;
  const sync = ['--file', file, '--quiet', 'sync'];
  const timed = async () => (await run(helmfile, sync)).seconds + (await ready());
  const alone = await timed();
  const again = await timed();
  await drop();
  return { first: prepared + alone, alone, again };
}

const { stdout: there } = await run('kubectl', ['get', 'namespace', '-o', 'name', '--ignore-not-found', ...namespaces]);
if (there) throw new Error(`${there.trim().replaceAll('\n', ', ')} already exist; uninstall first`);

await withCleanup(
  async () => {
    console.log(
      `${profile} against helmfile, context ${context}, ${releases.length} releases: ${rounds} rounds; ${machine()}`,
    );
    const results = { ours: [], theirs: [] };
    const work = { ours, theirs };
    for (let round = 0; round < Number(rounds); round++) {
      for (const who of round % 2 ? ['theirs', 'ours'] : ['ours', 'theirs']) {
        results[who].push(await work[who]());
        const { first, again } = results[who].at(-1);
        console.error(`  round ${round + 1} ${who}: ${first.toFixed(1)} s, again ${again.toFixed(1)} s`);
      }
    }
    const of = (who, what) => median(results[who].map((one) => one[what]));
    table([
      ['seconds, median', 'install', 'again'],
      ['genai-obs, without preflight and verify', of('ours', 'first').toFixed(1), of('ours', 'again').toFixed(1)],
      ['kubectl apply, helmfile sync', of('theirs', 'first').toFixed(1), ''],
      ['helmfile sync alone', of('theirs', 'alone').toFixed(1), of('theirs', 'again').toFixed(1)],
    ]);
    console.log(`install / helmfile alone: ${(of('ours', 'first') / of('theirs', 'alone')).toFixed(2)}`);
    verdict('install / the same with helmfile', of('ours', 'first') / of('theirs', 'first'), INSTALL);
    verdict('again / helmfile', of('ours', 'again') / of('theirs', 'again'), RERUN);
  },
  async () => {
    await drop();
    await rm(dir, { recursive: true, force: true });
  },
);
