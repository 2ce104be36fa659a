import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readAsset } from '../core/assets.ts';
import { EXIT, messageOf, usageError } from '../core/errors.ts';
import { paint } from '../ui/paint.ts';

const FILES = ['audit-policy.yaml', '10-audit.yaml', 'README.md'];

/**
 * `genai-obs harden audit`: writes the files that enable K3s' audit log, with the steps for each server node.
 * Needs no cluster: kubectl cannot change flags of the API server.
 * @throws ObsError (usage) without a folder, or when it is not empty or not writable
 */
export function audit({ out, json }: { out?: string; json?: boolean }): Promise<number> {
  if (!out) throw usageError('harden audit needs an output folder', 'genai-obs harden audit --out DIR');
  const paths = written(out);
  process.stdout.write(json ? `${JSON.stringify({ out, files: paths })}\n` : paths.map((path) => `${path}\n`).join(''));
  process.stderr.write(
    `${paint.ok('Written')}: the audit policy of the API server\n` +
      `  next   follow ${join(out, 'README.md')} on each server node\n`,
  );
  return Promise.resolve(EXIT.ok);
}

function written(out: string): string[] {
  try {
    if (existsSync(out) && readdirSync(out).length > 0)
      throw usageError(`${out} is not empty`, 'name an empty or new folder: --out DIR');
    mkdirSync(out, { recursive: true });
    return FILES.map((name) => {
      const path = join(out, name);
      writeFileSync(path, readAsset('templates', 'audit', name));
      return path;
    });
  } catch (error) {
    if (error instanceof Error && 'code' in error)
      throw usageError(`${out} cannot be written`, 'name another folder: --out DIR', messageOf(error));
    throw error;
  }
}
