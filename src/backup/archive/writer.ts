import { createHash } from 'node:crypto';
import { createWriteStream, mkdirSync } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { FileEntry } from './manifest.ts';

/** A transform that counts and hashes what passes through it. Call `sha256` after the stream has ended. */
export function meter(): { stream: Transform; bytes: () => number; sha256: () => string } {
  const hash = createHash('sha256');
  let bytes = 0;
  let hex: string | undefined;
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      bytes += chunk.length;
      done(null, chunk);
    },
  });
  return { stream, bytes: () => bytes, sha256: () => (hex ??= hash.digest('hex')) };
}

export interface Writer {
  dir: string;
  files: FileEntry[];
  text: (path: string, component: string, text: string) => Promise<void>;
  /** Compresses a stream into a file. Returns the bytes and the checksum before compression. */
  gzip: (path: string, component: string, source: Readable) => Promise<{ bytes: number; sha256: string }>;
  /** Sets the total bytes of the files in an archive. */
  unpacked: (path: string, bytes: number) => void;
  drop: (path: string) => Promise<void>;
}

export function writerIn(dir: string): Writer {
  const files: FileEntry[] = [];
  const write = async (
    path: string,
    component: string,
    streams: [Readable | string[], ...Transform[]],
  ): Promise<void> => {
    const file = join(dir, path);
    // Synchronous, so that the source is read at once: Node drops the unread output of a process that has exited.
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    const out = meter();
    await pipeline([...streams, out.stream, createWriteStream(file, { mode: 0o600, flags: 'wx' })] as unknown as [
      Readable,
      Transform,
    ]);
    files.push({ path, bytes: out.bytes(), sha256: out.sha256(), component });
  };
  return {
    dir,
    files,
    text: (path, component, text) => write(path, component, [[text]]),
    async gzip(path, component, source) {
      const plain = meter();
      // Level 1: the data is already compressed, and the component may be stopped during the copy.
      await write(path, component, [source, plain.stream, createGzip({ level: 1 })]);
      return { bytes: plain.bytes(), sha256: plain.sha256() };
    },
    unpacked(path, bytes) {
      const entry = files.find((file) => file.path === path);
      if (entry) entry.unpacked = bytes;
    },
    async drop(path) {
      const index = files.findIndex((file) => file.path === path);
      if (index >= 0) files.splice(index, 1);
      await rm(join(dir, path), { force: true });
    },
  };
}

export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
