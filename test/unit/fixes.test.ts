import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CHECKS } from '../../src/checks/index.ts';
import { ROOT, readAsset } from '../../src/core/assets.ts';
import { profileNames } from '../../src/profile/layers.ts';
import { SETTINGS, lineFor } from '../../src/profile/settings.ts';
import { profile } from './support/config.ts';

interface Row {
  id: string;
  does: string;
  proofs: string[];
}

const rows: Row[] = [
  ...readAsset('docs', 'fixes.md').matchAll(/^\| ([BX][.\d-]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$/gm),
].map(([, id = '', , does = '', proof = '']) => ({ id, does, proofs: proof.split('; ') }));
const range = (prefix: string, count: number, digits = 1): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}${String(i + 1).padStart(digits, '0')}`);
const titles = new Map<string, string[]>();
/** Lines of a test file that name a test or a group of tests. */
function titlesOf(file: string): string[] {
  const known = titles.get(file);
  if (known) return known;
  const found = readAsset('test', file)
    // The formatter moves long titles to the next line.
    .replace(/\(\n\s*/g, '(')
    .split('\n')
    .filter((line) => /\b(it|describe)(\.each)?\(|^\s*\]\)\(/.test(line));
  titles.set(file, found);
  return found;
}
const configs = profileNames().map((name) => profile(name));
const TEST = /^`((?:unit|doctor|golden|cluster|connect)\/(?:[\w-]+\/)*[\w-]+\.test\.ts)` "([^"]{4,})"$/;
const CHECK = /^doctor ([A-Z0-9]+-\d\d)$/;
const REASON = /^not (?:built|testable here): \S.{3,}$/;

describe('docs/fixes.md', () => {
  it('has every correction of B.1 to B.5 and every contradiction once, in order', () => {
    const counts = [29, 29, 14, 51, 24].flatMap((count, i) => range(`B.${i + 1}-`, count));
    expect(rows.map(({ id }) => id)).toEqual([...counts, ...range('X-', 40, 2)]);
    expect(rows).toHaveLength(187);
  });

  it('names existing tests by title, existing checks, or the reason why there is none', () => {
    for (const { id, proofs } of rows)
      for (const proof of proofs) {
        const [, file = '', title = ''] = TEST.exec(proof) ?? [];
        expect(file !== '' || CHECK.test(proof) || REASON.test(proof), `${id}: ${proof}`).toBe(true);
        if (!file) continue;
        expect(existsSync(join(ROOT, 'test', file)), `${id}: ${file}`).toBe(true);
        expect(
          titlesOf(file).some((line) => line.includes(title)),
          `${id}: ${file} has no test "${title}"`,
        ).toBe(true);
      }
  });

  it('names existing checks of the doctor', () => {
    const known = new Set(CHECKS.map(({ id }) => id));
    const areas = [...new Set(CHECKS.map(({ area }) => area))].join('|');
    const named = rows.flatMap(({ id, does, proofs }) =>
      [...`${does} ${proofs.join(' ')}`.matchAll(new RegExp(`\\b(?:${areas})-\\d\\d\\b`, 'g'))].map(([check]) => [
        id,
        check,
      ]),
    );
    expect(named.length).toBeGreaterThan(60);
    expect(named.filter(([, check]) => !known.has(check ?? ''))).toEqual([]);
    const proven = rows.flatMap(({ proofs }) => proofs.flatMap((proof) => CHECK.exec(proof)?.[1] ?? []));
    expect(proven.filter((check) => !known.has(check))).toEqual([]);
    // A check that is skipped in every profile proves nothing.
    const running = new Set(
      CHECKS.filter(({ skipIf }) => configs.some((config) => !skipIf?.(config))).map(({ id }) => id),
    );
    expect(proven.filter((check) => !running.has(check))).toEqual([]);
  });

  it('names existing files and settings', () => {
    const places = rows.flatMap(({ id, does }) =>
      [...does.matchAll(/`([^`]+)`/g)].map(([, place = '']) => ({ id, place })),
    );
    expect(places.length).toBeGreaterThan(150);
    const isSetting = (path: string): boolean =>
      lineFor(path) !== undefined || Object.keys(SETTINGS).some((setting) => setting.startsWith(`${path}.`));
    const wrong = places.filter(({ place }) =>
      place.includes('/') ? !existsSync(join(ROOT, place)) : !isSetting(place),
    );
    expect(wrong).toEqual([]);
  });

  it('and the tests of fixes-regress.test.ts refer to each other', () => {
    const lines = titlesOf('unit/fixes-regress.test.ts');
    const named = lines.flatMap((line) =>
      (/\(((?:[BX][.\d-]+(?:, )?)+)\)/.exec(line)?.[1] ?? '')
        .split(', ')
        .flatMap((id) => (id ? [[id, line] as const] : [])),
    );
    expect(named.length).toBeGreaterThan(50);
    const lost = named.filter(([id, line]) => {
      const proofs = rows.find((row) => row.id === id)?.proofs ?? [];
      return !proofs.some(
        (proof) => proof.startsWith('`unit/fixes-regress') && line.includes(TEST.exec(proof)?.[2] ?? 'no title'),
      );
    });
    expect(lost).toEqual([]);
  });

  it('has only one row without any proof', () => {
    expect(rows.filter(({ proofs }) => proofs.every((proof) => REASON.test(proof))).map(({ id }) => id)).toEqual([
      'B.5-23',
    ]);
  });
});
