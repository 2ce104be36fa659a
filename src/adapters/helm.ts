import { gunzipSync } from 'node:zlib';
import { CORE_SCHEMA, loadAll } from 'js-yaml';
import { ObsError } from '../core/errors.ts';
import type { JsonMap, KubeObject } from '../core/types.ts';
import { exec, howItEnded } from './exec.ts';
import type { Kube } from './kube.ts';
import { lastLines } from './kubectl.ts';

interface Payload {
  values: JsonMap;
  objects: KubeObject[];
  /** What its hooks make: helm does not remove that with the release. */
  hooks: KubeObject[];
  /** Name and version of the chart. */
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
  /**
   * Renders without a cluster, as for a server of `kubeVersion`; `crds`: with those of the chart's crds folder. Hooks are left out, as in helm's record.
   * @throws ObsError when the chart does not render.
   */
  template(
    target: Target,
    chart: string,
    values: JsonMap,
    kubeVersion: string,
    options?: { crds?: boolean },
  ): Promise<KubeObject[]>;
  /**
   * `helm upgrade --install`, without waiting: readiness is watched by the engine. CRDs have a step of their own.
   * @throws ObsError
   */
  upgrade(target: Target, chart: string, values: JsonMap): Promise<void>;
  /** False when there was no such release. @throws ObsError */
  uninstall(target: Target): Promise<boolean>;
}

export function helmFor(context: string, file = process.env['GENAI_OBS_HELM'] ?? 'helm'): Helm {
  const pinned = (namespace: string): string[] => ['--kube-context', context, '--namespace', namespace];
  const version: Helm['version'] = async () => {
    const { stdout, ok, stderr } = await exec(file, ['version', '--template', '{{.Version}}']);
    const match = /^v?(\d+)\.(\d+)\.\S*/.exec(stdout.trim());
    if (!ok || !match)
      throw new ObsError({
        what: 'helm does not tell its version',
        cause: lastLines(stderr) || stdout,
        next: 'helm version',
      });
    return { version: stdout.trim(), major: Number(match[1]), minor: Number(match[2]) };
  };
  // Helm 4 applies server-side, where a field that somebody edited by hand is a conflict; helm 3 just sets it right.
  let mending: Promise<string[]> | undefined;
  const mend = (): Promise<string[]> =>
    (mending ??= version().then(({ major }) => (major >= 4 ? ['--server-side=true', '--force-conflicts'] : [])));
  return {
    version,
    async template({ release, namespace }, chart, values, kubeVersion, { crds = false } = {}) {
      const args = [
        'template',
        release,
        chart,
        '--namespace',
        namespace,
        '--kube-version',
        kubeVersion,
        '--values',
        '-',
        '--no-hooks',
      ];
      const result = await exec(file, [...args, crds ? '--include-crds' : '--skip-crds'], {
        input: JSON.stringify(values),
      });
      if (!result.ok)
        throw new ObsError({
          what: 'the chart does not render',
          object: `release ${release}`,
          cause: lastLines(result.stderr),
          next: 'report this with your configuration file',
        });
      return parseManifest(result.stdout);
    },
    async upgrade({ release, namespace }, chart, values) {
      const result = await exec(
        file,
        [
          'upgrade',
          '--install',
          release,
          chart,
          ...pinned(namespace),
          '--values',
          '-',
          '--history-max',
          '5',
          '--reset-values',
          '--skip-crds',
          // It fetches and parses the API's description of all kinds for each release, most of what helm costs here. The API server judges what is sent.
          '--disable-openapi-validation',
          ...(await mend()),
        ],
        { timeout: 180_000, input: JSON.stringify(values) },
      );
      if (!result.ok)
        throw new ObsError({
          what: 'helm could not apply a release',
          object: `release ${namespace}/${release}`,
          cause: lastLines(result.stderr) || howItEnded(result),
          next: `helm --kube-context ${context} -n ${namespace} history ${release}`,
        });
    },
    async uninstall({ release, namespace }) {
      const result = await exec(file, ['uninstall', release, ...pinned(namespace)], { timeout: 180_000 });
      // --ignore-not-found is younger than 3.12.
      if (!result.ok && /release: not found/i.test(result.stderr)) return false;
      if (!result.ok)
        throw new ObsError({
          what: 'helm could not remove a release',
          object: `release ${namespace}/${release}`,
          cause: lastLines(result.stderr) || howItEnded(result),
          next: `helm --kube-context ${context} -n ${namespace} status ${release}`,
        });
      return true;
    },
  };
}

/** Objects of a multi-document manifest; empty documents are dropped. */
export function parseManifest(text: string): KubeObject[] {
  // What machines wrote needs no positions for messages: js-yaml reads a megabyte of definitions in a quarter of the time.
  return loadAll(text, null, { schema: CORE_SCHEMA, json: true }).flatMap((document) => {
    const object = document as KubeObject | null | undefined;
    if (!object?.kind) return [];
    // A chart writes `annotations:` with nothing below it: YAML's null.
    const { labels, annotations, ...metadata } = (object.metadata as KubeObject['metadata'] | undefined) ?? {
      name: '',
    };
    return [
      { ...object, metadata: { ...metadata, ...(labels ? { labels } : {}), ...(annotations ? { annotations } : {}) } },
    ];
  });
}

/** The newest revision of every release in a namespace, read from helm's own Secrets: an API error is never taken for "no releases". @throws KubeError */
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

/** Helm's encoding: JSON, gzip, base64, and base64 again by the Secret. */
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
