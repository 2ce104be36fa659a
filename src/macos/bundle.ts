import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import { folderAsset, readAsset, yamlAsset } from '../core/assets.ts';
import { ObsError, messageOf } from '../core/errors.ts';
import type { Json, JsonMap } from '../core/types.ts';
import { listAt, mapAt, set } from '../core/json.ts';
import type { BundleRequest } from './request.ts';

/** Folder into which install.sh installs. The scripts in templates/macos repeat it. */
export const HOME = '/usr/local/genai-obs';

export interface BundleFile {
  text: string;
  mode: number;
}

/** Configuration of the collector for one Mac. Pure. */
export function collectorConfig(request: BundleRequest, host: string): JsonMap {
  const every = `${request.interval}s`;
  const base = yamlAsset('templates', 'macos', 'config.yaml');
  const scrapes = listAt(base, 'receivers', 'prometheus', 'config', 'scrape_configs').map((job) => ({
    ...(job as JsonMap),
    scrape_interval: every,
    scrape_timeout: `${Math.min(10, request.interval)}s`,
  }));
  const named = [
    { key: 'host.name', value: host, action: 'upsert' },
    { key: 'service.instance.id', value: host, action: 'upsert' },
  ];
  const edits: [string[], Json][] = [
    [['receivers', 'prometheus', 'config', 'scrape_configs'], scrapes],
    [['receivers', 'hostmetrics', 'collection_interval'], every],
    [
      ['processors', 'resource', 'attributes'],
      [...named, ...listAt(base, 'processors', 'resource', 'attributes')],
    ],
    [
      ['exporters', 'otlp_grpc'],
      { endpoint: request.endpoint, ...mapAt(base, 'exporters', 'otlp_grpc'), tls: tlsOf(request, host) },
    ],
  ];
  if (request.access === 'token')
    edits.push(
      [['exporters', 'otlp_grpc', 'auth'], { authenticator: 'bearertokenauth' }],
      [['extensions', 'bearertokenauth'], { filename: `${HOME}/etc/token` }],
      [
        ['service', 'extensions'],
        [...listAt(base, 'service', 'extensions'), 'bearertokenauth'],
      ],
    );
  return edits.reduce((config, [path, value]) => set(config, path, value), base);
}

/** Contains only paths: the collector reads the files. */
function tlsOf({ access, credentials }: BundleRequest, host: string): JsonMap {
  if (access === 'plain') return { insecure: true };
  const file = (name: string): string => `${HOME}/etc/tls/${name}`;
  const own = credentials.get(host) ?? {};
  return {
    ...('tls/ca.crt' in own ? { ca_file: file('ca.crt') } : {}),
    ...('tls/tls.crt' in own ? { cert_file: file('tls.crt'), key_file: file('tls.key') } : {}),
  };
}

/** All files of one Mac's folder, by path. Pure. */
export function bundleFiles(request: BundleRequest, host: string): Record<string, BundleFile> {
  const secrets = Object.entries(request.credentials.get(host) ?? {});
  const scripts = Object.entries(folderAsset('templates/macos', '.sh'));
  const plists = Object.entries(folderAsset('templates/macos', '.plist'));
  return Object.fromEntries([
    ['README.txt', { text: readme(request, host), mode: 0o644 }],
    ['config.yaml', { text: stringify(collectorConfig(request, host)), mode: 0o644 }],
    ...plists.map(([name, text]) => [name, { text, mode: 0o644 }]),
    ...scripts.map(([name, text]) => [name, { text, mode: 0o755 }]),
    ...secrets.map(([name, text]) => [name, { text, mode: 0o600 }]),
  ]) as Record<string, BundleFile>;
}

const ACCESS = { mtls: 'mutual TLS', token: 'TLS and a bearer token', plain: 'unencrypted and unauthenticated' };

function readme({ access, credentials, endpoint }: BundleRequest, host: string): string {
  const secrets = Object.keys(credentials.get(host) ?? {});
  const line = secrets.length
    ? `\n  ${secrets.join(', ')}\n                   credentials of this Mac: secret, readable only by you and root\n`
    : '';
  return readAsset('templates', 'macos', 'README.txt')
    .replaceAll('ENDPOINT', endpoint)
    .replaceAll('ACCESS', ACCESS[access])
    .replaceAll('HOST', host)
    .replace('\nSECRETS\n', line || '\n');
}

/** One folder per Mac; on failure deletes what it wrote. @throws ObsError when `out` is not writable */
export function writeBundles(request: BundleRequest, out: string): { name: string; path: string; files: string[] }[] {
  const bundles = request.hosts.map((name) => ({ name, path: join(out, name), files: bundleFiles(request, name) }));
  const isOurs = !existsSync(out);
  try {
    for (const { path, files } of bundles)
      for (const [name, file] of Object.entries(files)) write(join(path, name), file);
  } catch (error) {
    for (const { path } of bundles) rmSync(path, { recursive: true, force: true });
    if (isOurs) rmSync(out, { recursive: true, force: true });
    throw new ObsError({
      what: 'the bundle cannot be written',
      object: out,
      cause: messageOf(error),
      next: 'pass a writable folder: --out DIR',
    });
  }
  return bundles.map(({ name, path, files }) => ({ name, path, files: Object.keys(files).toSorted() }));
}

function write(path: string, { text, mode }: BundleFile): void {
  // The folder contains secrets.
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(path, text, { mode, flag: 'wx' });
  // The umask may have removed bits from the mode.
  chmodSync(path, mode);
}
