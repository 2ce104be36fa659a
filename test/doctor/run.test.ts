import { type Check, type Status, type Verdict, fail, ok, warn } from '../../src/checks/lib/check.ts';
import { type FactMap, FactUnavailable } from '../../src/checks/lib/facts.ts';
import { describe, expect, it } from 'vitest';
import { exitCodeOf, summarise } from '../../src/doctor/report/report.ts';
import { diagnose, factKeys, select, UndeclaredFact } from '../../src/doctor/run.ts';
import { quickstart } from './support.ts';

const config = quickstart();
const more = { cause: 'c', fix: 'f' };
const verdicts: Record<string, () => Verdict> = {
  ok: () => ok('fine'),
  warn: () => warn('meh', more),
  fail: () => fail('bad', more),
  unknown: () => {
    throw new FactUnavailable('no answer');
  },
};

function check(id: string, says: keyof typeof verdicts, rest: Partial<Check> = {}): Check {
  const area = id.slice(0, id.indexOf('-'));
  return {
    id,
    title: id,
    area,
    stage: 'stack',
    about: '',
    sources: '',
    reads: () => [],
    run: verdicts[says] ?? (() => ok('')),
    ...rest,
  };
}

const statuses = (checks: Check[], facts: FactMap = {}) =>
  Object.fromEntries(
    diagnose(facts, config, checks).map((one) => [
      one.id,
      one.blockedBy ? `${one.status} by ${one.blockedBy}` : one.status,
    ]),
  );

describe('diagnose', () => {
  it('turns every kind of verdict into a finding with an anchor', () => {
    const findings = diagnose({}, config, [
      check('COL-01', 'ok'),
      check('COL-02', 'warn'),
      check('COL-03', 'fail'),
      check('COL-04', 'unknown'),
    ]);
    expect(findings.map((one) => [one.id, one.status, one.docs])).toEqual([
      ['COL-03', 'fail', 'docs/checks.md#col-03'],
      ['COL-04', 'unknown', 'docs/checks.md#col-04'],
      ['COL-02', 'warn', 'docs/checks.md#col-02'],
      ['COL-01', 'ok', 'docs/checks.md#col-01'],
    ]);
  });

  it('names the root of a chain, across skipped checks and warnings', () => {
    const checks = [
      check('LOKI-01', 'fail'),
      check('LOKI-02', 'ok', { dependsOn: ['LOKI-01'], skipIf: () => 'no' }),
      check('LOKI-03', 'warn', { dependsOn: ['LOKI-02'] }),
      check('LOKI-04', 'fail', { dependsOn: ['LOKI-03'] }),
    ];
    expect(statuses(checks)).toEqual({
      'LOKI-01': 'fail',
      'LOKI-02': 'skip',
      'LOKI-03': 'blocked by LOKI-01',
      'LOKI-04': 'blocked by LOKI-01',
    });
  });

  it('does not blame a cause beyond a check that is ok', () => {
    const checks = [
      check('LOKI-01', 'fail'),
      check('LOKI-02', 'ok', { dependsOn: ['LOKI-01'] }),
      check('LOKI-03', 'fail', { dependsOn: ['LOKI-02'] }),
    ];
    expect(statuses(checks)['LOKI-03']).toBe('fail');
  });

  it('never hides a failure behind an unknown finding', () => {
    const checks = [
      check('LOKI-01', 'unknown'),
      check('LOKI-02', 'fail', { dependsOn: ['LOKI-01'] }),
      check('LOKI-03', 'unknown', { dependsOn: ['LOKI-01'] }),
    ];
    expect(statuses(checks)).toEqual({ 'LOKI-01': 'unknown', 'LOKI-02': 'fail', 'LOKI-03': 'blocked by LOKI-01' });
  });

  it('survives a circle of dependencies', () => {
    const checks = [
      check('LOKI-01', 'fail', { dependsOn: ['LOKI-02'] }),
      check('LOKI-02', 'fail', { dependsOn: ['LOKI-01'] }),
    ];
    expect(Object.values(statuses(checks)).every((status) => /fail|blocked/.test(status))).toBe(true);
  });

  it('blames an API server that does not respond for everything but the tools of this machine', () => {
    const checks = [
      check('PRE-05', 'fail', { stage: 'preflight' }),
      check('PRE-01', 'fail', { stage: 'preflight', reads: () => ['tool:kubectl'] }),
      check('PRE-07', 'unknown', { stage: 'preflight', reads: () => ['k8s:Node'] }),
      check('TEMPO-01', 'unknown'),
    ];
    expect(statuses(checks)).toEqual({
      'PRE-05': 'fail',
      'PRE-01': 'fail',
      'PRE-07': 'blocked by PRE-05',
      'TEMPO-01': 'blocked by PRE-05',
    });
  });

  it('blames a pending claim only for the pods that use it', () => {
    const claim = check('PRE-13', 'ok', { stage: 'preflight', run: () => fail('claim loki-data is Pending', more) });
    expect(
      statuses([
        claim,
        check('LOKI-01', 'fail'),
        check('LOKI-02', 'fail', { dependsOn: ['LOKI-01'] }),
        check('TEMPO-01', 'fail'),
      ]),
    ).toEqual({
      'PRE-13': 'fail',
      'LOKI-01': 'blocked by PRE-13',
      'LOKI-02': 'blocked by PRE-13',
      'TEMPO-01': 'fail',
    });
  });

  it('blames a NetworkPolicy only for checks that use the network', () => {
    const checks = [
      check('PRE-16', 'fail', { stage: 'preflight' }),
      check('COL-16', 'fail', { reads: () => ['promql:up'] }),
      check('COL-02', 'fail', { reads: () => ['k8s:Deployment'] }),
    ];
    expect(statuses(checks)).toEqual({ 'PRE-16': 'fail', 'COL-16': 'blocked by PRE-16', 'COL-02': 'fail' });
  });

  it('sorts failures before unknowns and warnings, roots first, each followed by what it explains', () => {
    const checks = [
      check('PRE-03', 'warn', { stage: 'preflight' }),
      check('GRAF-02', 'fail', { dependsOn: ['GRAF-01'] }),
      check('GRAF-03', 'fail', { dependsOn: ['GRAF-05'] }),
      check('GRAF-01', 'fail'),
      check('GRAF-05', 'ok'),
      check('GRAF-06', 'unknown'),
    ];
    expect(diagnose({}, config, checks).map((one) => one.id)).toEqual([
      'GRAF-01',
      'GRAF-02',
      'GRAF-03',
      'GRAF-06',
      'PRE-03',
      'GRAF-05',
    ]);
  });

  it('throws when a check reads a fact that it does not declare', () => {
    const one = check('COL-01', 'ok', { run: (facts) => ok(facts.tool('jq').version) });
    expect(() => diagnose({ 'tool:jq': { ok: true, value: 'x' } }, config, [one])).toThrow(UndeclaredFact);
  });

  it('is unknown when a fact failed, is missing or has an unexpected format', () => {
    const reader = (id: string) =>
      check(id, 'ok', {
        reads: () => ['k8s:Pod'],
        run: (facts) =>
          ok(
            facts
              .pods()
              .map((pod) => pod.metadata.name)
              .join(),
          ),
      });
    const evidence = (facts: FactMap) => diagnose(facts, config, [reader('COL-01')])[0];
    expect(evidence({ 'k8s:Pod': { ok: false, error: 'forbidden' } })).toMatchObject({
      status: 'unknown',
      evidence: 'could not check: k8s:Pod: forbidden',
    });
    expect(evidence({})).toMatchObject({ status: 'unknown', evidence: 'could not check: k8s:Pod was not collected' });
    expect(evidence({ 'k8s:Pod': { ok: true, value: { kind: 'Status' } } })).toMatchObject({ status: 'unknown' });
  });

  it('keeps a check from changing the facts of the next one', () => {
    const facts: FactMap = { 'k8s:Pod': { ok: true, value: [{ metadata: { name: 'a' } }] } };
    const vandal = check('COL-01', 'ok', { reads: () => ['k8s:Pod'], run: (facts) => (facts.pods().pop(), ok('')) });
    expect(statuses([vandal], facts)['COL-01']).toBe('unknown');
    expect(facts['k8s:Pod']).toEqual({ ok: true, value: [{ metadata: { name: 'a' } }] });
  });

  it('names the context in fix commands when one is given', () => {
    const one = check('COL-01', 'ok', { run: (facts) => fail('x', { cause: 'c', fix: facts.kubectl }) });
    expect(diagnose({}, config, [one], { context: 'staging' })[0]?.fix).toBe(
      'kubectl --context staging -n genai-observability',
    );
  });
});

describe('select', () => {
  const checks = [
    check('PRE-05', 'ok', { stage: 'preflight', reads: () => ['cluster:ready'] }),
    check('LOKI-01', 'ok', { reads: () => ['k8s:Pod'] }),
    check('E2E-01', 'ok', { stage: 'probe', reads: () => ['probe:result'] }),
  ];
  const ids = (options: Parameters<typeof select>[1]) =>
    select(checks, options).map(({ check: { id }, not }) => (not ? `${id}: ${not.slice(0, 7)}` : id));

  it('runs all checks but those of the probe, which are listed as skipped', () => {
    expect(ids({})).toEqual(['PRE-05', 'LOKI-01', 'E2E-01: runs on']);
    expect(ids({ probe: true })).toEqual(['PRE-05', 'LOKI-01', 'E2E-01']);
  });
  it('limits preflight to checks that need no stack', () => expect(ids({ stage: 'preflight' })).toEqual(['PRE-05']));
  it('accepts ids and areas in upper and lower case', () =>
    expect(ids({ only: ['loki', 'pre-05'] })).toEqual(['PRE-05', 'LOKI-01']));
  it('lists skipped checks', () =>
    expect(ids({ skip: ['LOKI-01'] })).toEqual(['PRE-05', 'LOKI-01: skipped', 'E2E-01: runs on']));
  it('refuses unknown ids as a usage error', () => {
    expect(() => select(checks, { only: ['LOKI-99'] })).toThrowError(expect.objectContaining({ exit: 2 }) as Error);
    expect(() => select(checks, { skip: ['nonsense'] })).toThrowError(expect.objectContaining({ exit: 2 }) as Error);
  });
  it('collects no fact for checks that do not run', () =>
    expect(factKeys(checks, config, { skip: ['LOKI'] })).toEqual(['cluster:ready']));
});

describe('exit code', () => {
  const finding = (status: Status) => ({ id: 'X', title: '', area: 'PRE' as const, status, evidence: '', docs: '' });
  const code = (strict: boolean, ...all: Status[]) => exitCodeOf(all.map(finding), strict);
  it('is 0 when every check is ok or skipped', () => expect(code(true, 'ok', 'skip')).toBe(0));
  it('is 3 for a failure and for an unknown finding', () =>
    expect([code(false, 'ok', 'fail'), code(false, 'ok', 'unknown')]).toEqual([3, 3]));
  it('is 4 for warnings only under --strict', () =>
    expect([code(false, 'warn'), code(true, 'warn'), code(true, 'warn', 'fail')]).toEqual([0, 4, 3]));
  it('counts every status', () =>
    expect(summarise((['ok', 'ok', 'fail'] as const).map(finding))).toEqual({
      ok: 2,
      warn: 0,
      fail: 1,
      unknown: 0,
      blocked: 0,
      skip: 0,
      total: 3,
    }));
});
