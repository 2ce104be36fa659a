import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ObsError } from '../../src/core/errors.ts';
import { registerSecret } from '../../src/core/redact.ts';
import type { EngineEvent } from '../../src/engine/events.ts';
import { buildPlan } from '../../src/engine/plan/index.ts';
import type { Step } from '../../src/engine/steps/index.ts';
import type { Observation } from '../../src/engine/steps/types.ts';
import { drawer } from '../../src/ui/drawers.ts';
import type { Paint } from '../../src/core/text.ts';
import { type Observed, budgetText, planJson, planText } from '../../src/ui/plan.ts';
import { confirmOr, isInteractive, passwordOr } from '../../src/ui/prompts.ts';
import { taskDrawer } from '../../src/ui/tasks.ts';
import { quickstart } from './support/config.ts';

const bare: Paint = {
  ok: (text) => text,
  warn: (text) => text,
  fail: (text) => text,
  dim: (text) => text,
  bold: (text) => text,
};
const plan = buildPlan(quickstart());
const step = (id: string): Step => plan.find((candidate) => candidate.id === id) as Step;
const DONE: Observation = { state: 'done', changes: [] };
const ref = (kind: string, name: string) => ({ apiVersion: 'v1', kind, namespace: 'n', name });

/** Captures what is written to a stream of the process. */
function capture(stream: 'stdout' | 'stderr'): { text: () => string } {
  let text = '';
  vi.spyOn(process[stream], 'write').mockImplementation((chunk) => {
    text += String(chunk);
    return true;
  });
  return { text: () => text };
}

beforeEach(() => vi.stubEnv('NO_COLOR', '1'));
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  vi.useRealTimers();
});

describe('the plan as text', () => {
  it('lists objects under their phase, with totals', () => {
    const observed: Observed = [
      { step: step('preflight'), seen: { state: 'absent', changes: [] } },
      { step: step('namespace'), seen: DONE },
      {
        step: step('rules'),
        seen: {
          state: 'absent',
          changes: [{ ref: ref('ConfigMap', 'prometheus-rules'), action: 'create', changes: [] }],
        },
      },
      {
        step: step('release/loki'),
        seen: {
          state: 'drifted',
          detail: 'its values changed',
          changes: [
            {
              ref: ref('ConfigMap', 'loki'),
              action: 'change',
              changes: [{ path: 'data.config.yaml', from: 'a', to: 'b' }],
            },
            { ref: ref('Service', 'old'), action: 'delete', changes: [] },
          ],
        },
      },
    ];
    expect(planText(observed, bare)).toBe(
      [
        'backends',
        '  Loki (its values changed)',
        '    ~ ConfigMap n/loki',
        '        data.config.yaml: a → b',
        '    - Service n/old',
        'alerting',
        '  Recording and alert rules',
        '    + ConfigMap n/prometheus-rules',
        '1 to create, 1 to change, 1 to delete',
      ].join('\n'),
    );
  });

  it('reports when there is nothing to do', () => {
    expect(
      planText(
        plan.map((each) => ({
          step: each,
          seen: each.kind === 'gate' ? { state: 'absent' as const, changes: [] } : DONE,
        })),
        bare,
      ),
    ).toBe('Nothing to do: the cluster matches the configuration.');
  });

  it('counts changes that do not fit, and lists a release that is not ready', () => {
    const changes = Array.from({ length: 11 }, (_, i) => ({ path: `p${i}`, from: '1', to: '2' }));
    const text = planText(
      [
        {
          step: step('release/loki'),
          seen: { state: 'drifted', changes: [{ ref: ref('ConfigMap', 'loki'), action: 'change', changes }] },
        },
      ],
      bare,
    );
    expect(text).toContain('        p7: 1 → 2\n        and 3 more\n');
    expect(text).not.toContain('p8');
    expect(
      planText([{ step: step('release/loki'), seen: { state: 'unready', changes: [], detail: '0 of 1 ready' } }], bare),
    ).toBe('backends\n  Loki (0 of 1 ready)\n0 to create, 0 to change, 0 to delete');
  });

  it('colours additions, changes and deletions', () => {
    const marked: Paint = {
      ...bare,
      ok: (text) => `<ok>${text}`,
      fail: (text) => `<fail>${text}`,
      warn: (text) => `<warn>${text}`,
    };
    const seen = (action: 'create' | 'change' | 'delete'): Observed => [
      {
        step: step('release/loki'),
        seen: { state: 'drifted', changes: [{ ref: ref('Service', 's'), action, changes: [] }] },
      },
    ];
    expect(planText(seen('create'), marked)).toContain('<ok>    + ');
    expect(planText(seen('delete'), marked)).toContain('<fail>    - ');
    expect(planText(seen('change'), marked)).toContain('<warn>    ~ ');
  });

  it('as JSON keeps every step', () => {
    expect(
      planJson([
        { step: step('preflight'), seen: DONE },
        { step: step('release/loki'), seen: DONE },
      ]),
    ).toEqual([
      { id: 'preflight', phase: 'preflight', state: 'gate', detail: undefined, changes: [] },
      { id: 'release/loki', phase: 'backends', state: 'done', detail: undefined, changes: [] },
    ]);
  });

  it('ends with the images and claims that the cluster must provide', () => {
    const text = budgetText(plan, ['docker.io/grafana/loki:3.7.6', 'quay.io/prometheus/prometheus:v3.14.0']);
    expect(text).toMatch(/^images: 2\n/);
    expect(text).toContain('  docker.io/grafana/loki:3.7.6\n');
    expect(text).toMatch(/storage: 8Gi \+ 1Gi \+ 8Gi \+ 8Gi \+ 1Gi$/);
    expect(budgetText(buildPlan(quickstart({ storage: { enabled: false } })), [])).toMatch(/storage: none$/);
  });
});

const START: EngineEvent = {
  type: 'plan',
  steps: [
    { id: 'a', phase: 'backends', title: 'Loki' },
    { id: 'b', phase: 'grafana', title: 'Grafana' },
  ],
};

describe('plain lines', () => {
  it('are one per step, with progress at most every five seconds', async () => {
    vi.useFakeTimers({ now: 1_000_000 });
    const out = capture('stderr');
    const { emit, close } = await drawer(false);
    const events: EngineEvent[] = [
      START,
      { type: 'start', id: 'a' },
      { type: 'progress', id: 'a', detail: 'one' },
      { type: 'progress', id: 'a', detail: 'two, too soon' },
      { type: 'done', id: 'a', result: 'applied', ms: 1234 },
      { type: 'done', id: 'b', result: 'unchanged', ms: 1 },
    ];
    events.forEach(emit);
    vi.advanceTimersByTime(5_000);
    emit({ type: 'progress', id: 'a', detail: 'three' });
    emit({ type: 'done', id: 'b', result: 'skipped', ms: 0, detail: 'skipped by a flag' });
    emit({ type: 'failed', id: 'a', ms: 1, error: new Error('x') });
    emit({ type: 'notice', detail: 'stopping' });
    await close();
    expect(out.text()).toBe(
      [
        '  … Loki: one',
        '✔ Loki 1.2 s',
        '= Grafana unchanged',
        '  … Loki: three',
        '= Grafana skipped by a flag',
        '✖ Loki',
        'stopping',
        '',
      ].join('\n'),
    );
  });

  it('redact secrets', async () => {
    registerSecret('correct-horse-battery');
    const out = capture('stderr');
    const { emit } = await drawer(false);
    emit(START);
    emit({ type: 'progress', id: 'a', detail: 'helm said correct-horse-battery' });
    expect(out.text()).toBe('  … Loki: helm said [redacted]\n');
  });
});

describe('--json', () => {
  it('prints one timestamped object per line, with redacted secrets and complete errors', async () => {
    registerSecret('correct-horse-battery');
    const out = capture('stdout');
    const err = capture('stderr');
    const { emit, close } = await drawer(true);
    emit(START);
    emit({ type: 'progress', id: 'a', detail: 'password: correct-horse-battery "quoted"' });
    emit({
      type: 'failed',
      id: 'a',
      ms: 5,
      error: new ObsError({ what: 'it broke', object: 'Pod n/a', cause: '{"token":"abcdefghij"}', next: 'kubectl' }),
    });
    await close();
    expect(err.text()).toBe('');
    const lines = out
      .text()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.map((line) => line['type'])).toEqual(['plan', 'progress', 'failed']);
    expect(lines.every((line) => /^\d{4}-\d\d-\d\dT.*Z$/.test(String(line['time'])))).toBe(true);
    expect(out.text()).not.toContain('correct-horse-battery');
    expect(out.text()).not.toContain('abcdefghij');
    expect(lines[2]).toMatchObject({
      id: 'a',
      error: { error: { what: 'it broke', object: 'Pod n/a', next: 'kubectl' }, exit: 1 },
    });
  });
});

describe('the list of tasks', () => {
  it('settles steps that are done, failed and never started', async () => {
    // listr2 writes to the streams directly; this test only checks that it settles.
    vi.spyOn(Writable.prototype, 'write').mockReturnValue(true);
    vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    const { emit, close } = taskDrawer();
    emit({
      type: 'plan',
      steps: ['a', 'b', 'c', 'd'].map((id) => ({ id, phase: id === 'd' ? 'grafana' : 'backends', title: id })),
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    emit({ type: 'start', id: 'a' });
    emit({ type: 'progress', id: 'a', detail: 'working' });
    emit({ type: 'done', id: 'a', result: 'applied', ms: 10 });
    emit({ type: 'start', id: 'b' });
    emit({ type: 'failed', id: 'b', ms: 1, error: new Error('no') });
    emit({ type: 'progress', id: 'unknown', detail: 'of an unknown step' });
    await expect(close()).resolves.toBeUndefined();
  });
});

describe('without a terminal', () => {
  it('prompts throw and name the flag', async () => {
    expect(isInteractive()).toBe(false);
    await expect(confirmOr('--yes', 'Install?')).rejects.toMatchObject({ exit: 2, parts: { next: 'add --yes' } });
    await expect(passwordOr('--passphrase-file', 'Passphrase')).rejects.toMatchObject({
      exit: 2,
      parts: { next: 'set --passphrase-file' },
    });
  });
});
