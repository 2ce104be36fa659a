// Compares an install of quickstart to `helm upgrade --install --wait` of the same nine releases in sequence.
// Both use the same charts and values, and the runs alternate.
// helm's claims, ConfigMaps and Secret are created before its time is measured.
//   node bench/install.mjs --rounds 3 [--complete]
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ROOT,
  applyPrerequisites,
  dropNamespace,
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

const LIMIT = 0.6;
const { rounds, complete } = options({ rounds: '3', complete: false });
const [OURS, THEIRS] = ['bench-a', 'bench-b'];
const context = needCluster();
const dir = await mkdtemp(join(tmpdir(), 'genai-obs-bench-'));

/** Installs and uninstalls. @returns the seconds of the install */
async function ours(flags) {
  const { seconds } = await genaiObs(['install', '--yes', '--namespace', OURS, '--timeout', '600', ...flags]);
  await genaiObs(['uninstall', '--delete-data', '--yes', '--namespace', OURS]);
  await dropNamespace(OURS);
  return seconds;
}

async function theirs() {
  const steps = await planOf({ namespace: THEIRS });
  await applyPrerequisites(steps);
  const releases = steps.filter((step) => step.kind === 'release');
  let seconds = 0;
  const each = {};
  for (const { release, chart, values } of releases) {
    const file = join(dir, `${release}.json`);
    await writeFile(file, JSON.stringify(values), { mode: 0o600 });
    const done = await run('helm', [
      'upgrade',
      '--install',
      release,
      join(ROOT, 'templates', chart.name),
      '--namespace',
      THEIRS,
      '--values',
      file,
      '--wait',
      '--timeout',
      '10m',
    ]);
    each[release] = done.seconds;
    seconds += done.seconds;
  }
  for (const { release } of releases) await run('helm', ['uninstall', release, '--namespace', THEIRS]);
  await dropNamespace(THEIRS);
  return { seconds, each };
}

await withCleanup(
  async () => {
    console.log(`install of quickstart, context ${context}: ${rounds} rounds; ${machine()}`);
    const results = { ours: [], complete: [], theirs: [] };
    const work = {
      ours: () => ours(['--skip', 'preflight,verify']),
      ...(complete ? { complete: () => ours([]) } : {}),
      theirs: async () => {
        const { seconds, each } = await theirs();
        const times = Object.entries(each).map(([name, s]) => `${name} ${s.toFixed(1)}`);
        console.error(`  helm, seconds: ${times.join(', ')}`);
        return seconds;
      },
    };
    for (let round = 0; round < Number(rounds); round++) {
      // Alternate the order, so that warm caches and other load favour neither side.
      const order = round % 2 ? Object.keys(work).toReversed() : Object.keys(work);
      for (const who of order) {
        results[who].push(await work[who]());
        console.error(`  round ${round + 1} ${who}: ${results[who].at(-1).toFixed(1)} s`);
      }
    }
    const row = (name, values) => [
      name,
      ...values.map((value) => value.toFixed(1)),
      median(values).toFixed(1),
      (median(values) / median(results.theirs)).toFixed(2),
    ];
    table([
      ['seconds', ...results.ours.map((_, i) => `round ${i + 1}`), 'median', 'ratio'],
      row('genai-obs, without preflight and verify', results.ours),
      ...(complete ? [row('genai-obs, complete', results.complete)] : []),
      row('helm, in sequence', results.theirs),
    ]);
    verdict('install / helm in sequence', median(results.ours) / median(results.theirs), LIMIT);
  },
  async () => {
    await rm(dir, { recursive: true, force: true });
    await dropNamespace(OURS);
    await dropNamespace(THEIRS);
  },
);
