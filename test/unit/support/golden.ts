import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'vitest';

/** Compares with test/golden/<path>; with UPDATE_GOLDEN=1, writes that file instead. */
export function golden(path: string, text: string): void {
  const file = join('test', 'golden', path);
  if (process.env['UPDATE_GOLDEN']) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    return;
  }
  let before: string;
  try {
    before = readFileSync(file, 'utf8');
  } catch {
    throw new Error(`${file} does not exist; create it with UPDATE_GOLDEN=1 and review it before you commit it`);
  }
  expect(text, `${file} differs; if intended, run: UPDATE_GOLDEN=1 npx vitest run --project unit`).toBe(before);
}
