// npm test: lint, format, types, fast suites, and on a built bed (or with CI=true) the cluster suites.
// Node's own modules only until the packages are there.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  bedDown,
  bedEnvironment,
  buildBed,
  canRunBed,
  ensureChromium,
  ensureDependencies,
  isBedBuilt,
  must,
  say,
  show,
  startBed,
} from '../scripts/setup.mjs';

const CI = process.env.CI === 'true';
const only = process.argv[2]; // fast | cluster
const total = { passed: 0, failed: 0, skipped: 0 };
const notRun = [];
const scratch = mkdtempSync(join(tmpdir(), 'genai-obs-test-'));

// Ctrl-C reaches what runs as well: it cleans up and ends, then the bed goes down, and nothing else is begun.
let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => (interrupted = true));
const checkpoint = () => {
  if (interrupted) throw new Error('interrupted');
};

async function step(title, file, args) {
  const start = Date.now();
  say(`\n• ${title}`);
  const code = await show(file, args);
  total[code === 0 ? 'passed' : 'failed'] += 1;
  say(`  ${code === 0 ? 'passed' : 'FAILED'} (${((Date.now() - start) / 1000).toFixed(1)} s)`);
}

async function suite(project, title, env = process.env, file = '') {
  checkpoint();
  say(`\n• ${title}`);
  const out = join(scratch, `${project}${file.replaceAll('/', '-')}.json`);
  const args = [
    'node_modules/vitest/vitest.mjs',
    'run',
    '--project',
    project,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${out}`,
    ...(file ? [file] : []),
  ];
  const code = await show(process.execPath, args, { env: { ...env, GENAI_OBS_TEST: '1' } });
  try {
    const result = JSON.parse(readFileSync(out, 'utf8'));
    total.passed += result.numPassedTests;
    total.failed += result.numFailedTests;
    total.skipped += result.numPendingTests + result.numTodoTests;
    // A suite whose file cannot be loaded has no tests and still failed.
    if (code !== 0 && result.numFailedTests === 0) total.failed += 1;
    nameSkipped(result.testResults.flatMap(({ assertionResults }) => assertionResults));
  } catch {
    total.failed += 1;
  }
}

/** Names what was skipped: each such test, or its group, says in its title why. */
function nameSkipped(tests) {
  const reasons = new Map();
  for (const { status, fullName } of tests) {
    if (status === 'passed' || status === 'failed') continue;
    const reason = /\(skipped: (.+?)\)(?= |$)/.exec(fullName)?.[1] ?? fullName;
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }
  for (const [reason, n] of reasons) notRun.push(`${n} ${n === 1 ? 'test' : 'tests'}: ${reason}`);
}

async function statics() {
  await step('lint', 'node_modules/.bin/oxlint', ['--type-aware', 'src', 'test', 'demo', 'bench', 'scripts']);
  await step('format', 'node_modules/.bin/oxfmt', ['--check', 'src', 'test', 'demo', 'bench', 'scripts']);
  await step('types', 'node_modules/.bin/tsc', ['--noEmit']);
  await step('build', process.execPath, ['scripts/build.mjs']);
}

async function fast() {
  await suite(
    'unit',
    'unit, golden and doctor suites',
    isBedBuilt() ? { ...process.env, PATH: bedEnvironment().PATH } : process.env,
  );
  // After them: package managers and a JVM would take the time that the others wait for.
  await suite(
    'connect',
    'printed snippets, run with packages of their registries (each is skipped where its registry is not reachable)',
  );
}

/** Whether the cluster suites are run; says so where they are not. */
function onBed() {
  if (only === 'fast') return false;
  const why = !canRunBed()
    ? 'the bed needs root on Linux'
    : !CI && !isBedBuilt() && only !== 'cluster'
      ? 'the bed is not built (build it and run them with: npm test cluster; about an hour the first time)'
      : undefined;
  if (why) notRun.push(`cluster suites: ${why}`);
  return why === undefined;
}

/** Without it the fast suites are still worth running. */
async function built() {
  try {
    await buildBed(['helm4']);
    return true;
  } catch (error) {
    say(`\n${error.message}`);
    total.failed += 1;
    notRun.push('cluster suites: the bed could not be built');
    return false;
  }
}

async function cluster() {
  checkpoint();
  await ensureChromium();
  const started = await startBed();
  try {
    await suite('cluster', 'cluster suites on the bed, two at a time (about 11 minutes)', bedEnvironment());
    await suite(
      'cluster-alone',
      'cluster suites that want the bed for themselves (about 20 minutes)',
      bedEnvironment(),
    );
  } finally {
    if (started) {
      await bedDown();
      await step('the bed left nothing behind', 'test/bed/bed', ['check-clean']);
    }
  }
}

try {
  const wantsBed = onBed();
  say(
    `npm test: lint, format, types, build, fast suites (under 3 minutes)${wantsBed ? '; then the cluster suites on the test bed (half an hour; building it comes before)' : ''}.`,
  );
  await ensureDependencies();
  if (only === 'cluster') await must('the build', process.execPath, ['scripts/build.mjs']);
  else await statics();
  // Before the fast suites: some of them try what they made with its helms, its collector and its Prometheus.
  const bed = wantsBed && (await built());
  if (only !== 'cluster') await fast();
  if (bed) await cluster();
} catch (error) {
  say(`\n${error.message}`);
  total.failed += 1;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
for (const line of notRun) say(`not run: ${line}`);
process.stdout.write(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped\n`);
process.exitCode = total.failed ? 1 : 0;
