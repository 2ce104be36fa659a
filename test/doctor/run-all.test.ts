import type { FactMap } from '../../src/checks/lib/facts.ts';
import { describe, expect, it } from 'vitest';
import { CHECKS } from '../../src/checks/index.ts';
import { diagnose, factKeys } from '../../src/doctor/run.ts';
import { casesOf, healthy, quickstart, runCase } from './support.ts';

const config = quickstart();

/** Checks that apply to no profile; they are always skipped, with a reason. */
const NEVER = ['PRE-20', 'PRE-21', 'PRE-25', 'PRE-28', 'E2E-04', 'E2E-07'];
const applies = (id: string) =>
  !NEVER.includes(id) && (CHECKS.find((check) => check.id === id)?.skipIf?.(config) ?? undefined) === undefined;

describe('every check', () => {
  const cases = casesOf();

  it('has a unique id, the area of that id, and a text', () => {
    expect(new Set(CHECKS.map((check) => check.id)).size).toBe(CHECKS.length);
    for (const check of CHECKS) {
      expect(check.id).toMatch(new RegExp(`^${check.area}-\\d{2}$`));
      expect(check.about.length, check.id).toBeGreaterThan(30);
      expect(check.sources, check.id).not.toBe('');
    }
  });

  it('depends only on checks that exist', () => {
    const ids = new Set(CHECKS.map((check) => check.id));
    const lost = CHECKS.flatMap((check) =>
      (check.dependsOn ?? []).filter((id) => !ids.has(id)).map((id) => `${check.id} → ${id}`),
    );
    expect(lost).toEqual([]);
  });

  it('has no circle of dependencies', () => {
    const visit = (id: string, path: string[]): void => {
      expect(path, `${path.join(' → ')} → ${id}`).not.toContain(id);
      for (const next of CHECKS.find((check) => check.id === id)?.dependsOn ?? []) visit(next, [...path, id]);
    };
    for (const check of CHECKS) visit(check.id, []);
  });

  it('has a case that is not ok', () => {
    const red = new Set(cases.filter((one) => one.status === 'warn' || one.status === 'fail').map((one) => one.check));
    expect(
      CHECKS.filter((check) => !NEVER.includes(check.id) && !red.has(check.id) && !constant(check.id)).map(
        (check) => check.id,
      ),
    ).toEqual([]);
  });

  it('has a case that is ok', () => {
    const green = new Set(cases.filter((one) => one.status === 'ok').map((one) => one.check));
    const without = CHECKS.filter(
      (check) =>
        !NEVER.includes(check.id) && !constant(check.id) && !green.has(check.id) && runCase(check, {}).status !== 'ok',
    );
    expect(without.map((check) => check.id)).toEqual([]);
  });

  /** Skipped in every configuration, so no case can be red or green. */
  function constant(id: string): boolean {
    const check = CHECKS.find((one) => one.id === id);
    return check !== undefined && check.reads(config).length === 0 && check.skipIf?.(config) !== undefined;
  }

  it('has cases only for checks that exist', () => {
    expect(cases.filter((one) => !CHECKS.some((check) => check.id === one.check)).map((one) => one.check)).toEqual([]);
  });
});

describe('the whole doctor', () => {
  it('finds nothing wrong with a healthy stack', () => {
    const odd = diagnose(healthy(), config, CHECKS, { probe: true }).filter(
      (one) => one.status !== 'ok' && one.status !== 'skip',
    );
    expect(odd.map((one) => `${one.status} ${one.id}: ${one.evidence}`)).toEqual([]);
  });

  it('is never ok when no fact could be collected', () => {
    const keys = factKeys(CHECKS, config, { probe: true });
    const blind: FactMap = Object.fromEntries(keys.map((key) => [key, { ok: false as const, error: 'no answer' }]));
    const findings = diagnose(blind, config, CHECKS, { probe: true });
    const content = findings.filter((one) => applies(one.id) && one.status !== 'unknown' && one.status !== 'blocked');
    expect(content.map((one) => `${one.status} ${one.id}`)).toEqual([]);
  });

  it('is never ok when no fact was requested', () => {
    const content = diagnose({}, config, CHECKS, { probe: true }).filter(
      (one) => applies(one.id) && one.status !== 'unknown' && one.status !== 'blocked',
    );
    expect(content.map((one) => `${one.status} ${one.id}`)).toEqual([]);
  });

  it('is unknown for each check whose facts failed, never ok', () => {
    const facts = healthy();
    for (const check of CHECKS) {
      if (!applies(check.id)) continue;
      const keys = check.reads(config);
      const blind = {
        ...facts,
        ...Object.fromEntries(keys.map((key) => [key, { ok: false as const, error: 'no answer' }])),
      };
      expect(diagnose(blind, config, CHECKS, { only: [check.id], probe: true })[0]?.status, check.id).toBe('unknown');
    }
  });

  it('collects each fact once', () => {
    const keys = factKeys(CHECKS, config, { probe: true });
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('gives the same verdicts from the same facts', () => {
    const once = diagnose(healthy(), config, CHECKS, { probe: true });
    const again = diagnose(JSON.parse(JSON.stringify(healthy())) as FactMap, config, CHECKS, { probe: true });
    expect(again).toEqual(once);
  });
});
