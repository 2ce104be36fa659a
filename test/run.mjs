// npm test: lint, format, types, build and fast suites; on a built test bed, or with CI=true, also the cluster suites.
// Uses only Node's own modules: the packages may not be installed yet.
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

// Ctrl-C also reaches the child, which cleans up and exits. We then start nothing more and stop the test bed.
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
    // A test file that fails to load reports no failed test.
    if (code !== 0 && result.numFailedTests === 0) total.failed += 1;
    nameSkipped(result.testResults.flatMap(({ assertionResults }) => assertionResults));
  } catch {
    total.failed += 1;
  }
}

/** Counts skipped tests by reason. The title of a skipped test, or of its group, holds "(skipped: reason)". */
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
  // Last: package managers and a JVM would slow the other suites down.
  await suite(
    'connect',
    'printed snippets, run with packages from their registries (a test is skipped if its registry is unreachable)',
  );
}

/** Whether to run the cluster suites; if not, records why. */
function onBed() {
  if (only === 'fast') return false;
  const why = !canRunBed()
    ? 'the test bed needs root on Linux'
    : !CI && !isBedBuilt() && only !== 'cluster'
      ? 'the test bed is not built (to build it and run them: npm test cluster; about an hour the first time)'
      : undefined;
  if (why) notRun.push(`cluster suites: ${why}`);
  return why === undefined;
}

/** Builds the test bed. A failure counts, but does not stop the fast suites. */
async function bedBuilt() {
  try {
    await buildBed(['helm4']);
    return true;
  } catch (error) {
    say(`\n${error.message}`);
    total.failed += 1;
    notRun.push('cluster suites: building the test bed failed');
    return false;
  }
}

async function cluster() {
  checkpoint();
  await ensureChromium();
  const started = await startBed();
  try {
    await suite('cluster', 'cluster suites on the test bed, two at a time (about 11 minutes)', bedEnvironment());
    await suite('cluster-alone', 'cluster suites that must run alone (about 20 minutes)', bedEnvironment());
  } finally {
    if (started) {
      await bedDown();
      await step('the test bed left nothing behind', 'test/bed/bed', ['check-clean']);
    }
  }
}

try {
  const wantsBed = onBed();
  const more = wantsBed ? '; then the cluster suites on the test bed (half an hour, plus the build of the bed)' : '';
  say(`npm test: lint, format, types, build, fast suites (under 3 minutes)${more}.`);
  await ensureDependencies();
  if (only === 'cluster') await must('the build', process.execPath, ['scripts/build.mjs']);
  else await statics();
  // Before the fast suites: some of them use helm, the collector and Prometheus of the bed.
  const bed = wantsBed && (await bedBuilt());
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
