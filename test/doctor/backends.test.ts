import { describe, expect, it } from 'vitest';
import { CHECKS } from '../../src/checks/index.ts';
import { casesOf, describeArea, quickstart } from './support.ts';

const inArea = (area: string) => CHECKS.filter((check) => check.area === area);
const AREAS = {
  col: inArea('COL'),
  prom: inArea('PROM'),
  loki: inArea('LOKI'),
  tempo: inArea('TEMPO'),
  jaeg: inArea('JAEG'),
  graf: inArea('GRAF'),
  alrt: inArea('ALRT'),
};
/** Number of checks in each area. */
const CATALOGUE = { col: 25, prom: 22, loki: 11, tempo: 9, jaeg: 6, graf: 18, alrt: 11 };

for (const [file, checks] of Object.entries(AREAS)) describeArea(file, checks);

describe('the catalogue of the backends', () => {
  it.each(Object.entries(AREAS))('%s has every number once, in order', (file, checks) => {
    const area = file.toUpperCase();
    const wanted = Array.from(
      { length: CATALOGUE[file as keyof typeof CATALOGUE] },
      (_, i) => `${area}-${String(i + 1).padStart(2, '0')}`,
    );
    expect(checks.map(({ id }) => id)).toEqual(wanted);
  });

  it.each(Object.entries(AREAS))('%s has a case that is not ok for every check that applies', (file, checks) => {
    const where = file === 'jaeg' ? quickstart({ jaeger: { enabled: true }, 'tempo.enabled': false }) : quickstart();
    const red = new Set(
      casesOf(file)
        .filter(({ status }) => status !== 'ok' && status !== 'skip')
        .map(({ check }) => check),
    );
    const applies = checks.filter(({ skipIf }) => skipIf?.(where) === undefined);
    expect(applies.filter(({ id }) => !red.has(id)).map(({ id }) => id)).toEqual([]);
  });

  it('explains every check and names only causes that exist or are of another area', () => {
    const own = Object.values(AREAS).flat();
    const ids = new Set(own.map(({ id }) => id));
    const foreign = (id: string) => /^(PRE|SEC|MNT|E2E)-\d\d$/.test(id);
    for (const check of own) {
      expect(check.about.split('. ').length, check.id).toBeGreaterThanOrEqual(2);
      expect(
        (check.dependsOn ?? []).filter((id) => (!ids.has(id) && !foreign(id)) || id === check.id),
        check.id,
      ).toEqual([]);
    }
  });

  it('has no circle of causes', () => {
    const causes = new Map(
      Object.values(AREAS)
        .flat()
        .map(({ id, dependsOn = [] }) => [id, dependsOn]),
    );
    const circles = [...causes.keys()].filter((id) => {
      const seen = new Set<string>();
      const reach = (at: string): boolean =>
        (causes.get(at) ?? []).some((next) => next === id || (!seen.has(next) && (seen.add(next), reach(next))));
      return reach(id);
    });
    expect(circles).toEqual([]);
  });

  it('skips what belongs to a disabled component, and says so', () => {
    const config = quickstart({ 'loki.enabled': false });
    for (const check of AREAS.loki) expect(check.skipIf?.(config), check.id).toBe('loki.enabled is false');
    for (const check of AREAS.jaeg) expect(check.skipIf?.(config), check.id).toBe('jaeger.enabled is false');
  });

  it('says by name who stores the traces in place of Tempo', () => {
    const config = quickstart({ 'tempo.enabled': false, jaeger: { enabled: true } });
    for (const check of AREAS.tempo)
      expect(check.skipIf?.(config), check.id).toBe(
        'tempo.enabled is false: Jaeger stores the traces, see JAEG-01 to JAEG-06',
      );
    for (const check of AREAS.jaeg) expect(check.skipIf?.(config), check.id).toBeUndefined();
  });
});
