import { type Step, apply } from '../../../src/engine/steps/index.ts';
import type { ApplyContext, ApplyOptions } from '../../../src/engine/steps/types.ts';
import { gzipSync } from 'node:zlib';
import type { Helm, Target } from '../../../src/adapters/helm.ts';
import { type Kube, KubeError } from '../../../src/adapters/kube.ts';
import { isNamespaced, kindInfo } from '../../../src/adapters/kinds.ts';
import type { Kubectl } from '../../../src/adapters/kubectl.ts';
import { FIELD_MANAGER } from '../../../src/adapters/serverSideApply.ts';
import { PINS } from '../../../src/charts/pins.ts';
import { type Charts, archiveOf } from '../../../src/charts/source.ts';
import { PART_OF, PART_OF_LABEL } from '../../../src/core/labels.ts';
import type { JsonMap, KubeObject, ObjectRef } from '../../../src/core/types.ts';
import { CATALOG } from '../../../src/parts/catalog.ts';
import { COMPONENT_IDS, type ComponentId } from '../../../src/profile/schema.ts';

export const NS = 'genai-observability';
export const CLUSTER_UID = '11111111-2222-3333-4444-555555555555';

/** An in-memory cluster: objects with resource versions, and helm's release records as Secrets. */
export interface FakeCluster {
  kube: Kube;
  helm: Helm;
  kubectl: Kubectl;
  charts: Charts;
  /** Calls of helm and kubectl, and writes through the API, in order. */
  calls: string[];
  put(object: KubeObject): KubeObject;
  get(kind: string, name: string, namespace?: string): KubeObject | undefined;
  all(kind: string): KubeObject[];
  /** Adds a helm record with this status and the objects of the release. */
  record(
    release: string,
    status: string,
    revision?: number,
    values?: JsonMap,
    more?: { namespace?: string; version?: string },
  ): void;
  /** The objects of a release. */
  rendered: (target: Target) => KubeObject[];
  /** The CRDs in the crds folder of a chart. */
  definitions: (release: string) => KubeObject[];
  /** Called before every operation, which it can delay, or fail by throwing. */
  before: (operation: string) => void | Promise<void>;
  /** Status of a workload that helm just created; ready by default. */
  status: (workload: KubeObject) => JsonMap;
}

const READY: JsonMap = {
  observedGeneration: 1,
  replicas: 1,
  readyReplicas: 1,
  updatedReplicas: 1,
  desiredNumberScheduled: 1,
  numberReady: 1,
  updatedNumberScheduled: 1,
};

/** The resources of a group version: kinds of established CRDs. */
function listed(crds: KubeObject[], group: string, version: string): { name: string }[] {
  return crds.flatMap((crd) => {
    const spec = crd['spec'] as { group?: string; names?: { plural: string }; versions: { name: string }[] };
    const { conditions = [] } = (crd['status'] ?? {}) as { conditions?: { type: string }[] };
    const isListed =
      spec.group === group &&
      spec.versions.some(({ name }) => name === version) &&
      conditions.some(({ type }) => type === 'Established');
    return isListed && spec.names ? [{ name: spec.names.plural }] : [];
  });
}

export function fakeCluster(namespace = NS): FakeCluster {
  const objects = new Map<string, KubeObject>();
  let version = 0;
  const place = (object: KubeObject): KubeObject =>
    isNamespaced(object.kind) && !object.metadata.namespace
      ? { ...object, metadata: { ...object.metadata, namespace } }
      : object;
  const key = (kind: string, name: string, ns?: string): string =>
    `${kind}/${isNamespaced(kind) ? (ns ?? namespace) : ''}/${name}`;
  const keyOf = (object: KubeObject): string => key(object.kind, object.metadata.name, object.metadata.namespace);
  const keyOfRef = (ref: ObjectRef): string => key(ref.kind, ref.name, ref.namespace);
  const copy = <T>(value: T): T => structuredClone(value);

  const cluster: FakeCluster = {
    calls: [],
    before: () => {},
    status: () => READY,
    rendered: ({ release, namespace: ns }) => releaseObjects(release, ns),
    definitions: () => [],
    put(object) {
      const placed = copy(place(object));
      placed.metadata.resourceVersion = String(++version);
      placed.metadata.uid ??= `uid-${version}`;
      objects.set(keyOf(placed), placed);
      return copy(placed);
    },
    get: (kind, name, ns) => copy(objects.get(key(kind, name, ns))),
    all: (kind) => copy([...objects.values()].filter((object) => object.kind === kind)),
    record(release, status, revision = 1, values = {}, { namespace: ns = namespace, version: chart = '' } = {}) {
      const manifest = cluster
        .rendered({ release, namespace: ns })
        .map((object) => JSON.stringify(object))
        .join('\n---\n');
      const payload = gzipSync(
        JSON.stringify({ config: values, manifest, chart: { metadata: { name: release, version: chart } } }),
      ).toString('base64');
      cluster.put({
        apiVersion: 'v1',
        kind: 'Secret',
        type: 'helm.sh/release.v1',
        metadata: {
          name: `sh.helm.release.v1.${release}.v${revision}`,
          namespace: ns,
          labels: { owner: 'helm', name: release, status, version: String(revision) },
        },
        data: { release: Buffer.from(payload).toString('base64') },
      });
    },
    kube: {} as Kube,
    helm: {} as Helm,
    kubectl: {} as Kubectl,
    charts: {
      path: (chart) => Promise.resolve(chart.source === 'upstream' ? archiveOf(PINS[chart.name]) : chart.name),
    },
  };
  const note = async (operation: string): Promise<void> => {
    cluster.calls.push(operation);
    await cluster.before(operation);
  };
  const fail = (status: number, reason: string, what: string): KubeError => new KubeError(status, reason, what);

  cluster.kube = {
    context: 'fake',
    server: 'https://fake:6443',
    request: () => Promise.resolve({ status: 200, body: '' }),
    async json<T>(path: string) {
      await cluster.before(`GET ${path}`);
      if (path === '/version') return { gitVersion: 'v1.34.0' } as T;
      const [, group, version] = /^\/apis\/([^/]+)\/([^/]+)$/.exec(path) ?? [];
      if (group && version) return { resources: listed(cluster.all('CustomResourceDefinition'), group, version) } as T;
      return { items: [...objects.values()].filter((object) => object.kind === 'Event') } as T;
    },
    async read(ref) {
      await cluster.before(`read ${ref.kind}/${ref.name}`);
      return copy(objects.get(keyOfRef(ref)));
    },
    async list(kind, ns, selector) {
      await cluster.before(`list ${kind}`);
      const wanted = (selector ?? '')
        .split(',')
        .filter(Boolean)
        .map((pair) => pair.split('='));
      const found = [...objects.values()].filter(
        (o) =>
          o.kind === kind &&
          (!ns || o.metadata.namespace === ns) &&
          wanted.every(([k = '', v]) => o.metadata.labels?.[k] === v),
      );
      return copy(found.map((object) => ({ ...object, apiVersion: kindInfo(kind).apiVersion })));
    },
    async create(object) {
      await note(`create ${object.kind}/${object.metadata.name}`);
      if (objects.has(keyOf(place(object))))
        throw fail(409, 'AlreadyExists', `${object.kind} ${object.metadata.name} already exists`);
      return cluster.put(object);
    },
    async replace(object) {
      await note(`replace ${object.kind}/${object.metadata.name}`);
      const live = objects.get(keyOf(place(object)));
      if (!live) throw fail(404, 'NotFound', `${object.kind} ${object.metadata.name} not found`);
      const { resourceVersion } = object.metadata;
      if (resourceVersion && resourceVersion !== live.metadata.resourceVersion)
        throw fail(409, 'Conflict', 'the object has been modified');
      return cluster.put(object);
    },
    async apply(list, { dryRun = false } = {}) {
      await note(
        `${dryRun ? 'dry-run' : 'apply'} ${list.map((object) => `${object.kind}/${object.metadata.name}`).join(' ')}`,
      );
      if (dryRun) return;
      for (const object of list) {
        const fields = {
          'f:data': Object.fromEntries(Object.keys(object['data'] ?? {}).map((name) => [`f:${name}`, {}])),
        };
        const status =
          object.kind === 'CustomResourceDefinition'
            ? { status: { conditions: [{ type: 'Established', status: 'True' }] } }
            : {};
        cluster.put({
          ...object,
          ...status,
          metadata: {
            ...object.metadata,
            managedFields: [{ manager: FIELD_MANAGER, operation: 'Apply', fieldsV1: fields }],
          },
        });
      }
    },
    async remove(ref) {
      await note(`remove ${ref.kind}/${ref.name}`);
      return objects.delete(keyOfRef(ref));
    },
    service: () => Promise.resolve({ status: 200, body: '' }),
    close: () => {},
  };

  const recordsOf = ({ release, namespace: ns }: Target): KubeObject[] =>
    cluster
      .all('Secret')
      .filter(
        ({ metadata }) =>
          metadata.namespace === ns && metadata.labels?.['owner'] === 'helm' && metadata.labels['name'] === release,
      );

  cluster.helm = {
    version: () => Promise.resolve({ version: 'v3.19.0', major: 3, minor: 19 }),
    template: (target, _chart, _values, _version, { crds = false } = {}) =>
      Promise.resolve([...(crds ? cluster.definitions(target.release) : []), ...cluster.rendered(target)]),
    async upgrade(target, chart, values) {
      await note(`helm upgrade ${target.release}`);
      const old = recordsOf(target);
      if (old.some((secret) => secret.metadata.labels?.['status']?.startsWith('pending-')))
        throw new Error('another operation (install/upgrade/rollback) is in progress');
      for (const secret of old)
        cluster.put({
          ...secret,
          metadata: { ...secret.metadata, labels: { ...secret.metadata.labels, status: 'superseded' } },
        });
      const pin = Object.values(PINS).find((one) => archiveOf(one) === chart);
      cluster.record(target.release, 'deployed', old.length + 1, values, {
        namespace: target.namespace,
        version: pin?.version ?? '',
      });
      for (const object of cluster.rendered(target))
        cluster.put(isWorkload(object) ? { ...object, status: cluster.status(object) } : object);
    },
    async uninstall(target) {
      await note(`helm uninstall ${target.release}`);
      const records = recordsOf(target);
      for (const object of [...records, ...cluster.rendered(target)]) objects.delete(keyOf(place(object)));
      return records.length > 0;
    },
  };

  cluster.kubectl = {
    async run(args) {
      await note(`kubectl ${args.join(' ')}`);
      return { ok: true, code: 0, stdout: '', stderr: '', timedOut: false };
    },
    portForward: () => Promise.reject(new Error('no kubectl in unit tests')),
  };
  cluster.put({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kube-system', uid: CLUSTER_UID } });
  return cluster;
}

function isWorkload(object: KubeObject): boolean {
  return ['StatefulSet', 'Deployment', 'DaemonSet'].includes(object.kind);
}

/** A short form of a release of ours: its workload, a ConfigMap and a cluster-scoped object. */
export function releaseObjects(release: string, namespace: string): KubeObject[] {
  const id = COMPONENT_IDS.find((known): known is ComponentId => known === release);
  const workload = id ? CATALOG[id].workload : { kind: 'Deployment' as const, name: release };
  const labels = { [PART_OF_LABEL]: id ? PART_OF : 'somebody-else', 'app.kubernetes.io/managed-by': 'Helm' };
  const annotations = { 'meta.helm.sh/release-name': release, 'meta.helm.sh/release-namespace': namespace };
  return [
    {
      apiVersion: 'apps/v1',
      kind: workload.kind,
      metadata: { name: workload.name, namespace, labels, annotations },
      spec: { replicas: 1, selector: { matchLabels: { app: release } } },
    },
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: release, namespace, labels, annotations },
      data: { 'config.yaml': 'a: 1' },
    },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name: `${namespace}-${release}`, labels, annotations },
      rules: [],
    },
  ];
}

/** The context in which the engine changes a fake cluster. */
export function contextOf(cluster: FakeCluster, over: Partial<ApplyContext> = {}): ApplyContext {
  const { kube, helm, kubectl, charts } = cluster;
  return { kube, helm, kubectl, charts, namespace: NS, timeout: 5_000, signal: new AbortController().signal, ...over };
}

/** Applies a step; by default one that does not exist yet. */
export function applyStep(step: Step, context: ApplyContext, options: Partial<ApplyOptions> = {}): Promise<void> {
  return apply(step, context, { seen: { state: 'absent', changes: [] }, report: () => {}, restart: false, ...options });
}
