import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { gunzipSync } from 'node:zlib';
import { afterAll, expect, it } from 'vitest';
import { writerIn } from '../../src/backup/archive/writer.ts';

const dir = mkdtempSync(join(tmpdir(), 'genai-obs-writer-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

// Node drops unread output of a process that has exited.
it('writes the complete output of a process that exits at once', async () => {
  const source = new PassThrough();
  source.end('data of a short copy');
  const written = writerIn(dir).gzip('loki/data-1.tar.gz', 'loki', source);
  // What child_process does with the output of a process that has exited.
  source.resume();
  expect((await written).bytes).toBe(20);
  expect(gunzipSync(readFileSync(join(dir, 'loki', 'data-1.tar.gz'))).toString()).toBe('data of a short copy');
});
