import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { canonical } from '../../core/compare.ts';
import { ObsError, messageOf } from '../../core/errors.ts';

export const MANIFEST = 'manifest.json';
export const CONFIG_FILE = 'config.yaml';
/** Raised when an older genai-obs could not restore what a newer one writes. */
export const SCHEMA_VERSION = 1;

const safePath = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z0-9_-][A-Za-z0-9._-]*(\/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$/, 'is not a plain relative path'),
);
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const sha256 = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));

const FileSchema = v.object({
  path: safePath,
  bytes: count,
  sha256,
  component: v.string(),
  /** Of archives: bytes of the files inside. */
  unpacked: v.optional(count),
});

const ManifestSchema = v.object({
  schemaVersion: v.number(),
  tool: v.string(),
  createdAt: v.string(),
  /** uid of the namespace kube-system: names the cluster. */
  cluster: v.string(),
  namespace: v.string(),
  profile: v.string(),
  /** Image by component, as it ran. */
  images: v.record(v.string(), v.string()),
  stores: v.array(v.string()),
  /** Seconds for which a component was stopped for its copy. */
  pauses: v.record(v.string(), v.number()),
  warnings: v.array(v.string()),
  files: v.array(FileSchema),
  /** Of everything above, the file list included. */
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

/** @throws ObsError when it is missing, altered, cut off, or written by a newer genai-obs */
export async function readManifest(dir: string, shown: string): Promise<Manifest> {
  const text = await readFile(join(dir, MANIFEST), 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new ObsError({
      what:
        error.code === 'ENOENT'
          ? 'this is not a backup: it has no manifest.json'
          : 'the manifest of the backup cannot be read',
      object: shown,
      cause: error.code === 'ENOENT' ? 'another folder, or a backup that did not end' : messageOf(error),
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
    throw bad(`it is not JSON: ${messageOf(error)}`);
  }
  const version = (data as { schemaVersion?: unknown } | null)?.schemaVersion;
  if (typeof version === 'number' && version > SCHEMA_VERSION) {
    const { tool = 'unknown' } = data as { tool?: string };
    throw new ObsError({
      what: `the backup was written by a newer genai-obs (${tool}, format ${version}; this one reads up to ${SCHEMA_VERSION})`,
      object: shown,
      next: 'npm install -g genai-obs@latest',
    });
  }
  const result = v.safeParse(ManifestSchema, data);
  if (!result.success)
    throw bad(
      `${(result.issues[0].path ?? []).map((item) => String(item.key)).join('.')}: ${result.issues[0].message}`,
    );
  if (digestOf(data as Manifest) !== result.output.digest) throw bad('its content does not match its own checksum');
  return result.output;
}

export function filesOf(manifest: Manifest, component: string): FileEntry[] {
  return manifest.files.filter((file) => file.component === component);
}

export function bytesText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(units.length - 1, bytes > 0 ? Math.floor(Math.log2(bytes) / 10) : 0);
  return `${power === 0 ? bytes : (bytes / 2 ** (10 * power)).toFixed(1)} ${units[power]}`;
}
