import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it, vi } from 'vitest';
import { UNPACK } from '../../src/backup/scripts.ts';

const dir = mkdtempSync(join(tmpdir(), 'genai-obs-scripts-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

it('unpacks, and waits for the end of what is sent: Node takes a reader that ends earlier for a broken connection', async () => {
  mkdirSync(join(dir, 'from'));
  writeFileSync(join(dir, 'from', 'chunk'), 'data');
  const child = spawn('sh', ['-c', UNPACK.replaceAll('/data', join(dir, 'data'))], { stdio: ['pipe', 'ignore', 'inherit'] });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.stdin.write(execFileSync('tar', ['-cf', '-', '-C', join(dir, 'from'), '.']));
  await vi.waitFor(() => expect(existsSync(join(dir, 'data', '.genai-obs-incoming', 'chunk'))).toBe(true), { timeout: 5000 });
  // GNU tar is at the end mark now, or milliseconds from it.
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(child.exitCode).toBe(null);
  child.stdin.end();
  expect(await ended).toBe(0);
});
