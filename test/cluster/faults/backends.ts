import { get, kubectl } from '../support/cluster.ts';
import {
  create,
  deletePods,
  editMap,
  patch,
  remove,
  removeIfThere,
  scale,
  untilCrashed,
  untilPods,
  untilWaiting,
} from './actions.ts';
import type { Fault } from './types.ts';

interface Workload {
  spec: { template: { spec: { containers: { args?: string[] }[] } } };
}

/** Faults of Prometheus, Alertmanager, Loki, Tempo and their storage. */
export const backendFaults: Fault[] = [
  {
    name: 'Loki scaled to zero',
    async inject(ns) {
      await scale(ns, 'statefulset/loki', 0);
      await untilPods(ns, 'loki', 'deleted', (list) => list.length === 0);
    },
    first: 'LOKI-01',
    evidence: /scaled to 0 replicas/,
    cause: /scaled to 0 manually/,
    fix: /scale statefulset\/loki --replicas=1/,
    object: 'StatefulSet NS/loki',
  },
  {
    name: 'an unknown setting in the configuration of Loki',
    async inject(ns) {
      await editMap(ns, 'loki', 'loki.yaml', /^limits_config:\n/m, 'limits_config:\n  retention_days: 7\n');
      await deletePods(ns, 'loki');
      await untilCrashed(ns, 'loki');
    },
    first: 'LOKI-01',
    evidence: /crashes.*field retention_days not found/,
    cause: /retention_days/,
    fix: /genai-obs install/,
  },
  {
    name: 'an image that cannot be pulled',
    async inject(ns) {
      await kubectl(['-n', ns, 'set', 'image', 'statefulset/tempo', '*=docker.io/grafana/tempo:9.9.9']);
      await untilWaiting(ns, 'tempo', /ErrImagePull|ImagePullBackOff/);
    },
    first: 'TEMPO-01',
    evidence: /tempo:9\.9\.9.*cannot be pulled/,
    cause: /instead of the planned docker\.io\/grafana\/tempo/,
    fix: /genai-obs install/,
  },
  {
    name: 'a claim whose StorageClass does not exist',
    async inject(ns) {
      const claim = await get<{
        metadata: { name: string; labels: object };
        spec: { accessModes: string[]; resources: object };
      }>('pvc', 'tempo-data', '-n', ns);
      await scale(ns, 'statefulset/tempo', 0);
      await remove(ns, 'pvc', 'tempo-data');
      const { name, labels } = claim.metadata;
      const { accessModes, resources } = claim.spec;
      await create({
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { name, labels, namespace: ns },
        spec: { accessModes, resources, storageClassName: 'golden' },
      });
      await scale(ns, 'statefulset/tempo', 1);
      await untilPods(ns, 'tempo', 'Pending', (list) => list.some(({ status }) => status.phase === 'Pending'));
    },
    async undo(ns) {
      await scale(ns, 'statefulset/tempo', 0);
      await removeIfThere(ns, 'pvc', 'tempo-data');
    },
    first: 'PRE-13',
    evidence: /claim tempo-data is Pending.*golden/,
    cause: /class golden does not exist/,
    fix: /pvc tempo-data|persistentvolumeclaim tempo-data/,
    object: 'PersistentVolumeClaim NS/tempo-data',
  },
  {
    name: 'the OTLP port of the Tempo Service changed',
    async inject(ns) {
      const { spec } = await get<{ spec: { ports: { port: number }[] } }>('service', 'tempo', '-n', ns);
      const index = spec.ports.findIndex(({ port }) => port === 4317);
      await patch(ns, 'service/tempo', [{ op: 'replace', path: `/spec/ports/${index}/port`, value: 14317 }], 'json');
    },
    first: 'TEMPO-03',
    evidence: /Service tempo has no port 4317/,
    cause: /changed manually/,
    fix: /genai-obs install/,
    object: 'Service NS/tempo',
  },
  {
    name: 'the OTLP receiver of Prometheus disabled',
    async inject(ns) {
      const { spec } = await get<Workload>('statefulset', 'prometheus-server', '-n', ns);
      const args = (spec.template.spec.containers[0]?.args ?? []).filter((arg) => !arg.includes('otlp'));
      await patch(
        ns,
        'statefulset/prometheus-server',
        [{ op: 'replace', path: '/spec/template/spec/containers/0/args', value: args }],
        'json',
      );
      await kubectl(['-n', ns, 'rollout', 'status', 'statefulset/prometheus-server', '--timeout=120s']);
    },
    first: 'PROM-07',
    evidence: /--web\.enable-otlp-receiver is (false|absent)/,
    cause: /flag was removed/,
    fix: /genai-obs install/,
    object: 'StatefulSet NS/prometheus-server',
  },
  {
    name: 'a syntax error in a rule',
    inject: (ns) =>
      editMap(ns, 'prometheus-rules', 'prices-and-budget.yaml', /expr: vector\(([\d.]+)\)/, 'expr: vector($1'),
    first: 'PROM-13',
    evidence: /rule .* in prices-and-budget\.yaml .*cannot be parsed/,
    cause: /syntax error/,
    fix: /genai-obs install/,
    object: 'ConfigMap NS/prometheus-rules',
  },
  {
    name: 'an Alertmanager route to an undefined receiver',
    async inject(ns) {
      await editMap(ns, 'alertmanager', 'alertmanager.yml', /^( +)receiver: .*$/m, '$1receiver: pager');
      await deletePods(ns, 'alertmanager');
      await untilCrashed(ns, 'alertmanager');
    },
    first: 'ALRT-01',
    evidence: /crashes.*undefined receiver.*pager/,
    cause: /pager/,
    fix: /genai-obs install/,
  },
  {
    name: 'a ResourceQuota that forbids new pods',
    async inject(ns) {
      await create({
        apiVersion: 'v1',
        kind: 'ResourceQuota',
        metadata: { name: 'tight', namespace: ns },
        spec: { hard: { pods: '2' } },
      });
      await deletePods(ns, 'kube-state-metrics');
      await untilPods(ns, 'kube-state-metrics', 'rejected', (list) => list.length === 0);
    },
    undo: (ns) => remove(ns, 'resourcequota', 'tight'),
    first: 'PRE-10',
    evidence: /quota tight leaves \d+ of pods/,
    cause: /ResourceQuota .*too small/,
    fix: /edit resourcequota tight/,
    object: 'ResourceQuota NS/tight',
  },
  {
    name: 'the Service of Loki deleted',
    inject: (ns) => remove(ns, 'service', 'loki'),
    first: 'LOKI-05',
    evidence: /Service loki does not exist/,
    cause: /deleted/,
    fix: /genai-obs install/,
    object: 'Service NS/loki',
  },
  {
    name: 'no node matches the nodeSelector of Prometheus',
    async inject(ns) {
      await patch(ns, 'statefulset/prometheus-server', {
        spec: { template: { spec: { nodeSelector: { disk: 'fast' } } } },
      });
      await deletePods(ns, 'prometheus');
      await untilPods(ns, 'prometheus', 'Pending', (list) => list.some(({ status }) => status.phase === 'Pending'));
    },
    // Helm does not remove fields that others added.
    undo: async (ns) =>
      void (await patch(ns, 'statefulset/prometheus-server', { spec: { template: { spec: { nodeSelector: null } } } })),
    first: 'PROM-01',
    evidence: /Pending, no node fits/,
    cause: /no node meets the requirements/,
    fix: /describe pod prometheus-server-0/,
  },
];
