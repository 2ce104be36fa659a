import { readFileSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parse } from 'yaml';
import { hashOf } from './compare.ts';
import { assetPath, readAsset } from './root.ts';
import type { JsonMap } from './types.ts';

// root.ts is separate, because `--help` needs it and yaml loads slowly.
export { ROOT, assetPath, readAsset, version } from './root.ts';

export function yamlAsset<T = JsonMap>(...parts: string[]): T {
  return parse(readAsset(...parts)) as T;
}

/** Files of a folder with one ending, as `{file name: text}`, sorted. */
export function folderAsset(folder: string, ending: string): Record<string, string> {
  const names = readdirSync(assetPath(folder))
    .filter((name) => name.endsWith(ending))
    .sort();
  return Object.fromEntries(names.map((name) => [name, readAsset(folder, name)]));
}

/** Digest of a chart's files; it makes a changed template a changed input. */
export function chartDigest(chart: string): string {
  const files: Record<string, string> = {};
  const walk = (dir: string): void => {
    for (const entry of readdirSync(dir, { withFileTypes: true })) {
      const path = join(dir, entry.name);
      if (entry.isDirectory()) walk(path);
      else files[relative(assetPath('templates', chart), path)] = readFileSync(path, 'utf8');
    }
  };
  walk(assetPath('templates', chart));
  return hashOf(files);
}
