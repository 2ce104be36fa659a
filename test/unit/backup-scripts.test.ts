import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { UNPACK, receiving, sumIn } from '../../src/backup/claims/scripts.ts';

const dir = mkdtempSync(join(tmpdir(), 'genai-obs-scripts-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

// Node reports a reader that exits before the end of the stream as a broken connection.
it('unpacks, and reads its input to the end', async () => {
  mkdirSync(join(dir, 'from'));
  writeFileSync(join(dir, 'from', 'chunk'), 'data');
  const child = spawn('sh', ['-c', UNPACK.replaceAll('/data', join(dir, 'data'))], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.stdin.write(execFileSync('tar', ['-cf', '-', '-C', join(dir, 'from'), '.']));
  await vi.waitFor(() => expect(existsSync(join(dir, 'data', '.genai-obs-incoming', 'chunk'))).toBe(true), {
    timeout: 5000,
  });
  // By now GNU tar has read the end-of-archive marker, or will within milliseconds.
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(child.exitCode).toBe(null);
  child.stdin.end();
  expect(await ended).toBe(0);
});

describe('data sent to a pod', () => {
  /** Uses bash instead of the busybox shell: both have pipefail. */
  const receive = (reader: string, input: string) =>
    spawnSync('bash', ['-c', receiving(reader).replaceAll('/tmp/', `${dir}/`)], { input, encoding: 'utf8' });
  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

  it.each(['', 'a few lines\n', 'x'.repeat(1 << 20)])('is confirmed by its checksum (%#)', (text) => {
    const { status, stderr } = receive('cat >/tmp/got', text);
    expect({ status, sum: sumIn(stderr), got: readFileSync(join(dir, 'got'), 'utf8') === text }).toEqual({
      status: 0,
      sum: sha256(text),
      got: true,
    });
  });

  it('keeps the exit code and stderr of the reader', () => {
    const { status, stderr } = receive('cat >/dev/null; echo no room >&2; exit 7', 'data');
    expect(status).toBe(7);
    expect(stderr).toBe(`no room\nsum ${sha256('data')}\n`);
  });
});
