import { gunzipSync } from 'node:zlib';
import { CORE_SCHEMA, loadAll } from 'js-yaml';
import { ObsError } from '../core/errors.ts';
import type { JsonMap, KubeObject } from '../core/types.ts';
import { type ExecOptions, type ExecResult, exec, howItEnded, lastLines } from './exec.ts';
import type { Kube } from './kube.ts';

interface Payload {
  values: JsonMap;
  objects: KubeObject[];
  /** Objects of its hooks; helm does not delete them with the release. */
  hooks: KubeObject[];
  chart: { name: string; version: string };
}

/** One revision of a release as helm stores it in the cluster. */
export interface StoredRelease {
  name: string;
  namespace: string;
  revision: number;
  /** deployed, failed, superseded, uninstalling, pending-install, pending-upgrade, pending-rollback. */
  status: string;
  updated: string;
  /** Name of the Secret that holds it. */
  record: string;
  /** The payload, decoded on demand. */
  payload: () => Payload;
}

export interface Target {
  release: string;
  namespace: string;
}

export interface Helm {
  version(): Promise<{ version: string; major: number; minor: number }>;
  /** Needs no cluster; `crds` adds the chart's crds folder; hooks are left out. @throws ObsError */
  template(
    target: Target,
    chart: string,
    values: JsonMap,
    kubeVersion: string,
    options?: { crds?: boolean },
  ): Promise<KubeObject[]>;
  /** Without --wait: the engine watches readiness. CRDs have their own step. @throws ObsError */
  upgrade(target: Target, chart: string, values: JsonMap): Promise<void>;
  /** False when there is no such release. @throws ObsError */
  uninstall(target: Target): Promise<boolean>;
}

export function helmFor(context: string, file = process.env['GENAI_OBS_HELM'] ?? 'helm'): Helm {
  const pinned = (namespace: string): string[] => ['--kube-context', context, '--namespace', namespace];
  const inspect = ({ release, namespace }: Target, verb: string): string =>
    `helm --kube-context ${context} -n ${namespace} ${verb} ${release}`;
  const version = (): ReturnType<Helm['version']> => versionOf(file);
  // Helm 4 applies server-side, where a manual edit is a conflict; helm 3 overwrites it.
  let forced: Promise<string[]> | undefined;
  const force = (): Promise<string[]> =>
    (forced ??= version().then(({ major }) => (major >= 4 ? ['--server-side=true', '--force-conflicts'] : [])));
  return {
    version,
    async template({ release, namespace }, chart, values, kubeVersion, { crds = false } = {}) {
      const args = ['template', release, chart, '--namespace', namespace, '--kube-version', kubeVersion];
      const flags = ['--values', '-', '--no-hooks', crds ? '--include-crds' : '--skip-crds'];
      const result = await exec(file, [...args, ...flags], { input: JSON.stringify(values) });
      const next = 'report this with your configuration file';
      if (!result.ok) throw failed('the chart does not render', `release ${release}`, result, next);
      return parseManifest(result.stdout);
    },
    async upgrade(target, chart, values) {
      const { release, namespace } = target;
      const args = ['upgrade', '--install', release, chart, ...pinned(namespace), '--values', '-'];
      const flags = ['--history-max', '5', '--reset-values', '--skip-crds', SKIP_OPENAPI, ...(await force())];
      const result = await exec(file, [...args, ...flags], { ...LONG, input: JSON.stringify(values) });
      if (!result.ok)
        throw failed(
          'helm could not apply a release',
          `release ${namespace}/${release}`,
          result,
          inspect(target, 'history'),
        );
    },
    async uninstall(target) {
      const { release, namespace } = target;
      const result = await exec(file, ['uninstall', release, ...pinned(namespace)], LONG);
      // --ignore-not-found came after helm 3.12.
      if (!result.ok && /release: not found/i.test(result.stderr)) return false;
      if (!result.ok)
        throw failed(
          'helm could not remove a release',
          `release ${namespace}/${release}`,
          result,
          inspect(target, 'status'),
        );
      return true;
    },
  };
}

const LONG: ExecOptions = { timeout: 180_000 };
/** Fetching the OpenAPI document for each release is most of helm's time; the API server validates anyway. */
const SKIP_OPENAPI = '--disable-openapi-validation';

async function versionOf(file: string): ReturnType<Helm['version']> {
  const { stdout, ok, stderr } = await exec(file, ['version', '--template', '{{.Version}}']);
  const match = /^v?(\d+)\.(\d+)\.\S*/.exec(stdout.trim());
  if (!ok || !match)
    throw new ObsError({
      what: 'helm does not report its version',
      cause: lastLines(stderr) || stdout,
      next: 'helm version',
    });
  return { version: stdout.trim(), major: Number(match[1]), minor: Number(match[2]) };
}

const failed = (what: string, object: string, result: ExecResult, next: string): ObsError =>
  new ObsError({ what, object, cause: lastLines(result.stderr) || howItEnded(result), next });

/** Objects of a multi-document manifest; empty documents are dropped. */
export function parseManifest(text: string): KubeObject[] {
  // js-yaml, since `yaml` takes 6 to 10 times as long: seconds for the CRDs of an operator.
  return loadAll(text, null, { schema: CORE_SCHEMA, json: true }).flatMap((document) => {
    const object = document as KubeObject | null | undefined;
    if (!object?.kind) return [];
    // `annotations:` with nothing below it is null.
    const { labels, annotations, ...metadata } = (object.metadata as KubeObject['metadata'] | undefined) ?? {
      name: '',
    };
    return [
      { ...object, metadata: { ...metadata, ...(labels ? { labels } : {}), ...(annotations ? { annotations } : {}) } },
    ];
  });
}

/** The newest revision of every release in a namespace, read from helm's Secrets. @throws KubeError */
export async function storedReleases(kube: Kube, namespace: string): Promise<Map<string, StoredRelease>> {
  const secrets = await kube.list('Secret', namespace, 'owner=helm');
  const newest = new Map<string, StoredRelease>();
  for (const secret of secrets) {
    const { name = '', status = '', version = '0' } = secret.metadata.labels ?? {};
    const revision = Number(version);
    if (revision <= (newest.get(name)?.revision ?? 0)) continue;
    const data = (secret['data'] as Record<string, string> | undefined)?.['release'] ?? '';
    newest.set(name, {
      name,
      namespace,
      revision,
      status,
      updated: secret.metadata.labels?.['modifiedAt'] ?? secret.metadata.creationTimestamp ?? '',
      record: secret.metadata.name,
      payload: () => decode(data),
    });
  }
  return newest;
}

/** Releases of several namespaces by `namespace/name`. @throws KubeError */
export async function releasesIn(kube: Kube, namespaces: string[]): Promise<Map<string, StoredRelease>> {
  const all = await Promise.all(namespaces.map((namespace) => storedReleases(kube, namespace)));
  return new Map(
    all.flatMap((map) => [...map.values()]).map((release) => [`${release.namespace}/${release.name}`, release]),
  );
}

/** helm's record of one release, from `releases` when they were read before. @throws KubeError */
export async function recordOf(
  { release, namespace }: Target,
  { kube, releases }: { kube: Kube; releases?: Map<string, StoredRelease> | undefined },
): Promise<StoredRelease | undefined> {
  return (releases ?? (await releasesIn(kube, [namespace]))).get(`${namespace}/${release}`);
}

/** Helm's encoding: JSON, gzip, base64, and the Secret's base64. */
function decode(data: string): Payload {
  const packed = Buffer.from(Buffer.from(data, 'base64').toString(), 'base64');
  const release = JSON.parse(gunzipSync(packed).toString()) as {
    config?: JsonMap;
    manifest?: string;
    hooks?: { manifest?: string }[];
    chart?: { metadata?: { name?: string; version?: string } };
  };
  const { name = '', version = '' } = release.chart?.metadata ?? {};
  return {
    values: release.config ?? {},
    objects: parseManifest(release.manifest ?? ''),
    hooks: (release.hooks ?? []).flatMap((hook) => parseManifest(hook.manifest ?? '')),
    chart: { name, version },
  };
}
