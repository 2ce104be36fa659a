import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readAsset } from '../core/assets.ts';
import { EXIT, messageOf, usageError } from '../core/errors.ts';
import { paint } from '../ui/paint.ts';

const FILES = ['audit-policy.yaml', '10-audit.yaml', 'README.md'];

/**
 * `genai-obs harden audit`: writes what switches the API server's audit log of K3s on, with the steps for each server node.
 * Not possible through kubectl, so no cluster is touched (row 004-SEC-03, upstream.md B.5 21).
 * @throws ObsError (usage) without a folder, with one that is not empty, or that cannot be written
 */
export function audit({ out, json }: { out?: string; json?: boolean }): Promise<number> {
  if (!out)
    throw usageError('harden audit needs a place to write to', '--out DIR: a folder that is empty or not there yet');
  const paths = written(out);
  process.stdout.write(json ? `${JSON.stringify({ out, files: paths })}\n` : paths.map((path) => `${path}\n`).join(''));
  process.stderr.write(
    `${paint.ok('Written')}: the audit policy of the API server\n  next   follow ${join(out, 'README.md')} on each server node\n`,
  );
  return Promise.resolve(EXIT.ok);
}

function written(out: string): string[] {
  try {
    if (existsSync(out) && readdirSync(out).length > 0)
      throw usageError(`${out} is not empty`, 'name a folder that is empty or not there yet: --out DIR');
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
