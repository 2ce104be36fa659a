// Compares a second install, with nothing to do, to the first one, and checks that helm's revisions did not change.
//   node bench/rerun.mjs --rounds 5
import {
  dropNamespace,
  genaiObs,
  machine,
  median,
  needCluster,
  options,
  run,
  table,
  verdict,
  withCleanup,
} from './lib.mjs';

const LIMIT = 0.15;
const { rounds, bare } = options({ rounds: '5', bare: false });
const NAMESPACE = 'bench-c';
const context = needCluster();
// Without --bare, both installs include preflight and verification, as they do for a user.
const flags = [
  'install',
  '--yes',
  '--namespace',
  NAMESPACE,
  '--timeout',
  '600',
  ...(bare ? ['--skip', 'preflight,verify'] : []),
];

async function revisions() {
  const { stdout } = await run('helm', ['list', '--namespace', NAMESPACE, '-o', 'json']);
  return JSON.parse(stdout)
    .map(({ name, revision }) => `${name} ${revision}`)
    .sort()
    .join(', ');
}

await withCleanup(
  async () => {
    console.log(`install again, context ${context}: ${rounds} times; ${machine()}`);
    const first = await genaiObs(flags);
    const before = await revisions();
    const again = [];
    for (let round = 0; round < Number(rounds); round++) again.push((await genaiObs(flags)).seconds);
    const after = await revisions();
    table([
      ['', 'seconds', 'ratio'],
      ['first', first.seconds.toFixed(1), '1.00'],
      ['again (median)', median(again).toFixed(2), (median(again) / first.seconds).toFixed(3)],
    ]);
    console.log(`${before === after ? 'ok  ' : 'MISS'} revisions: ${after}`);
    if (before !== after) process.exitCode = 1;
    verdict('again / first', median(again) / first.seconds, LIMIT);
  },
  async () => {
    await genaiObs(['uninstall', '--delete-data', '--yes', '--namespace', NAMESPACE], { check: false });
    await dropNamespace(NAMESPACE);
  },
);
