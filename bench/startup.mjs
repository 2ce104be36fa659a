// Compares the startup time of `genai-obs --help` to `node -e 0`; the runs alternate.
//   node bench/startup.mjs --runs 20
import { spawnSync } from 'node:child_process';
import { CLI, machine, median, needBuild, options, table, verdict } from './lib.mjs';

const LIMIT = 1.6;
const { runs } = options({ runs: '20' });
needBuild();
const cases = {
  'node -e 0': ['-e', '0'],
  'genai-obs --help': [CLI, '--help'],
  'genai-obs --version': [CLI, '--version'],
  'genai-obs install --print-config': [CLI, 'install', '--print-config'],
};
const times = Object.fromEntries(Object.keys(cases).map((name) => [name, []]));

function time(args) {
  const start = process.hrtime.bigint();
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  if (status !== 0) throw new Error(stderr);
  return Number(process.hrtime.bigint() - start) / 1e6;
}

for (const args of Object.values(cases)) time(args);
for (let i = 0; i < Number(runs); i++) for (const [name, args] of Object.entries(cases)) times[name].push(time(args));

const base = times['node -e 0'];
/** Compares neighbouring runs, so that load on the machine affects both sides. */
const ratio = (values) => median(values.map((value, i) => value / base[i]));
console.log(`startup: ${runs} runs; ${machine()}`);
table([
  ['', 'median ms', 'minimum ms', 'ratio'],
  ...Object.entries(times).map(([name, values]) => [
    name,
    median(values).toFixed(1),
    Math.min(...values).toFixed(1),
    ratio(values).toFixed(2),
  ]),
]);
verdict('--help / node -e 0', ratio(times['genai-obs --help']), LIMIT);
