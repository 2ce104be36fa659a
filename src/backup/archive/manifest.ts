import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { canonical } from '../../core/compare.ts';
import { ObsError, messageOf } from '../../core/errors.ts';

export const MANIFEST = 'manifest.json';
export const CONFIG_FILE = 'config.yaml';
/** Increased when an older genai-obs can no longer restore the backups of a newer one. */
export const SCHEMA_VERSION = 1;

const safePath = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z0-9_-][A-Za-z0-9._-]*(\/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$/, 'not a plain relative path'),
);
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const sha256 = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));

const FileSchema = v.object({
  path: safePath,
  bytes: count,
  sha256,
  component: v.string(),
  /** Archives only: total bytes of the files inside. */
  unpacked: v.optional(count),
});

const ManifestSchema = v.object({
  schemaVersion: v.number(),
  tool: v.string(),
  createdAt: v.string(),
  /** UID of the namespace kube-system, which identifies the cluster. */
  cluster: v.string(),
  namespace: v.string(),
  profile: v.string(),
  /** Image of each component at the time of the backup. */
  images: v.record(v.string(), v.string()),
  stores: v.array(v.string()),
  /** Seconds for which each component was stopped. */
  pauses: v.record(v.string(), v.number()),
  warnings: v.array(v.string()),
  files: v.array(FileSchema),
  /** SHA-256 of all other fields. */
  digest: sha256,
});

export type FileEntry = v.InferOutput<typeof FileSchema>;
export type Manifest = v.InferOutput<typeof ManifestSchema>;

export function sealed(manifest: Omit<Manifest, 'digest'>): Manifest {
  return { ...manifest, digest: digestOf(manifest) };
}

function digestOf(manifest: Omit<Manifest, 'digest'>): string {
  const { digest: _old, ...content } = manifest as Manifest;
  return createHash('sha256').update(canonical(content)).digest('hex');
}

/** @throws ObsError when it is missing, modified, truncated, or written by a newer genai-obs */
export async function readManifest(dir: string, shown: string): Promise<Manifest> {
  const text = await readFile(join(dir, MANIFEST), 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new ObsError({
      what:
        error.code === 'ENOENT'
          ? 'this is not a backup: manifest.json is missing'
          : 'the manifest of the backup cannot be read',
      object: shown,
      cause: error.code === 'ENOENT' ? 'this is another folder, or the backup was interrupted' : messageOf(error),
      next: 'genai-obs backup --output DIR',
    });
  });
  return parseManifest(text, shown);
}

export function parseManifest(text: string, shown: string): Manifest {
  const bad = (cause: string): ObsError =>
    new ObsError({ what: 'the backup is damaged', object: `${shown}: ${MANIFEST}`, cause, next: 'use another backup' });
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch (error) {
    throw bad(`not JSON: ${messageOf(error)}`);
  }
  const version = (data as { schemaVersion?: unknown } | null)?.schemaVersion;
  if (typeof version === 'number' && version > SCHEMA_VERSION) {
    const { tool = 'unknown' } = data as { tool?: string };
    throw new ObsError({
      what: 'the backup was written by a newer genai-obs',
      object: shown,
      cause: `genai-obs ${tool} wrote format ${version}; this version reads up to ${SCHEMA_VERSION}`,
      next: 'npm install -g genai-obs@latest',
    });
  }
  const result = v.safeParse(ManifestSchema, data);
  if (!result.success)
    throw bad(
      `${(result.issues[0].path ?? []).map((item) => String(item.key)).join('.')}: ${result.issues[0].message}`,
    );
  if (digestOf(data as Manifest) !== result.output.digest) throw bad('the content does not match its own checksum');
  return result.output;
}

export const filesOf = (manifest: Manifest, component: string): FileEntry[] =>
  manifest.files.filter((file) => file.component === component);
