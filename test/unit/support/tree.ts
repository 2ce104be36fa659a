import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Paths of all files and folders below a folder, sorted. */
export function tree(dir: string, of = ''): string[] {
  return readdirSync(join(dir, of), { withFileTypes: true })
    .flatMap((entry) => [join(of, entry.name), ...(entry.isDirectory() ? tree(dir, join(of, entry.name)) : [])])
    .toSorted();
}

export const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);
