import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The package's root, which holds templates/ and profiles/; the same from src/ and from the bundle. */
export const ROOT = findRoot(dirname(fileURLToPath(import.meta.url)));

function findRoot(dir: string): string {
  if (existsSync(join(dir, 'templates')) && existsSync(join(dir, 'package.json'))) return dir;
  const parent = dirname(dir);
  if (parent === dir) throw new Error('the package is incomplete: no templates folder');
  return findRoot(parent);
}

export const assetPath = (...parts: string[]): string => join(ROOT, ...parts);

export const readAsset = (...parts: string[]): string => readFileSync(assetPath(...parts), 'utf8');

export const version = (): string => (JSON.parse(readAsset('package.json')) as { version: string }).version;
