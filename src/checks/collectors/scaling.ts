import { type Check, checksOf, ok, warn, fail, skip } from '../lib/check.ts';
import { fact, type Reads, type Facts } from '../lib/facts.ts';
import { objectsIn, condition, podsOf } from '../lib/objects.ts';
import { textAt, numberAt } from '../../core/json.ts';
import { plural, list } from '../../core/text.ts';
import { CLUSTER, enabledCollectors, GATEWAY } from '../lib/collectors.ts';
import { resourceOf, workloadObject } from '../lib/place.ts';
import { settledFor } from '../lib/time.ts';
import { workloadReads, workloadVerdict } from '../lib/workload.ts';

const col = checksOf('COL');

const DUPLICATES = 'max(count by (k8s_node_name) (k8s_node_condition_ready))';

function clusterOnce(facts: Facts) {
  const own = workloadVerdict(facts, CLUSTER);
  if (own.status !== 'ok') return own;
  const active = enabledCollectors(facts.config).flatMap((id) => {
    const config = facts.running(id);
    const elected = JSON.stringify(config ?? '').includes('k8s_leader_elector');
    const running = podsOf(facts, id).filter((pod) => !pod.metadata.deletionTimestamp).length;
    const receives = /"receivers":\[[^\]]*"k8s_cluster/.test(JSON.stringify(config));
    return receives ? [{ id, count: elected ? Math.min(1, running) : running }] : [];
  });
  const total = active.reduce((sum, { count }) => sum + count, 0);
  const list = active.map(({ id, count }) => `${facts.place(id).workload.name} ${count}`).join(', ') || 'none';
  const fix =
    `genai-obs install   # one replica; at once: ${facts.kubectlFor(CLUSTER)} scale ` +
    `${resourceOf(facts, CLUSTER)} --replicas=1`;
  if (total > 1)
    return fail(`${total} active k8s_cluster receivers: ${list}`, {
      cause: 'every replica collects the whole cluster',
      fix,
      object: workloadObject(facts, CLUSTER),
    });
  // Only Prometheus stores cluster metrics; without it the pod still collects events.
  if (total === 0 && !facts.config.prometheus.enabled)
    return ok(`${own.evidence}; no Prometheus, so no cluster metrics are collected`);
  if (total === 0)
    return fail('no collector has an active k8s_cluster receiver', {
      cause: 'the receiver is missing from the configuration',
      fix: 'genai-obs install',
    });
  // Series of the previous pod stay visible for five minutes after a restart.
  const settled = settledFor(facts, (pod) => podsOf(facts, CLUSTER).includes(pod));
  const twice = facts.config.prometheus.enabled ? (facts.promql(DUPLICATES)[0]?.value ?? 0) : 0;
  if (twice > 1 && settled > 600)
    return fail(`1 active receiver (${list}), but ${twice} series per node in Prometheus`, {
      cause: 'another sender also sends cluster metrics to this Prometheus',
      fix:
        'look for the other sender: count by (job, service_instance_id) (k8s_node_condition_ready) in ' +
        "Grafana's Explore",
    });
  return ok(`1 active k8s_cluster receiver (${list})${twice === 1 ? ', one series per node' : ''}`);
}

export const scalingChecks: Check[] = [
  col('25', 'Autoscaling works and replicas are spread', {
    about:
      'Only when a HorizontalPodAutoscaler scales the gateway. Failed: replicas are Pending, because no ' +
      'node has room or a required spread over zones cannot be met. Warning: the autoscaler has no ' +
      'figures from metrics-server and never acts. Install metrics-server, add nodes or prefer the ' +
      'spread.',
    sources: '000-HA-01, 000-SCALE-03',
    needs: [GATEWAY],
    dependsOn: ['COL-02'],
    reads: [fact.objects('HorizontalPodAutoscaler'), fact.pods(), fact.workloads(GATEWAY)],
    run: (facts) => {
      const { namespace, workload, chart } = facts.place(GATEWAY);
      // The autoscaler scales the operator's resource, and the operator the workload.
      const targets =
        chart === 'opentelemetry-operator'
          ? [workload.name, workload.name.replace(/-collector$/, '')]
          : [workload.name];
      const scaler = objectsIn(facts, 'HorizontalPodAutoscaler', namespace).find((one) =>
        targets.includes(textAt(one, 'spec', 'scaleTargetRef', 'name') ?? ''),
      );
      if (!scaler)
        return skip(
          'no HorizontalPodAutoscaler scales the gateway: replicas are fixed by opentelemetry-collector.replicaCount',
        );
      const object = `HorizontalPodAutoscaler ${namespace}/${scaler.metadata.name}`;
      const pending = podsOf(facts, GATEWAY)
        .filter((pod) => textAt(pod, 'status', 'phase') === 'Pending')
        .map((pod) => pod.metadata.name);
      if (pending.length)
        return fail(`${plural(pending.length, 'gateway pod')} Pending: ${list(pending)}`, {
          cause: 'no node has room, or the spread over zones cannot be met',
          fix: `${facts.kubectlFor(GATEWAY)} describe pod ${pending[0] ?? ''}`,
          object,
        });
      const active = condition(scaler, 'ScalingActive');
      if (active?.['status'] !== 'True') {
        return warn(
          `${scaler.metadata.name} has no metrics: ${textAt(active, 'message') ?? 'it reports no condition'}`,
          {
            cause: 'metrics-server is missing or does not answer',
            fix: 'kubectl get apiservice v1beta1.metrics.k8s.io',
            object,
          },
        );
      }
      return ok(
        `${scaler.metadata.name} scales between ${numberAt(scaler, 'spec', 'minReplicas') ?? 1} and ` +
          `${numberAt(scaler, 'spec', 'maxReplicas') ?? '?'} replicas`,
      );
    },
  }),
  col('24', 'Cluster metrics are collected once', {
    about:
      'Counts active k8s_cluster receivers: two of them count every object twice and send events twice. ' +
      'Failed: not exactly one, the cluster collector is not ready, or Prometheus has duplicate node ' +
      'series. The cluster collector is a Deployment of one replica with strategy Recreate.',
    sources: '001-CFG-02, 001-OPEN-05, 003-COL-03',
    needs: [CLUSTER],
    dependsOn: ['COL-05', 'COL-06'],
    reads: (config) => [
      ...workloadReads(CLUSTER),
      ...enabledCollectors(config).flatMap((id): Reads[] => [fact.running(id), fact.workloads(id)]),
      ...(config.prometheus.enabled ? [fact.promql(DUPLICATES)] : []),
    ],
    run: clusterOnce,
  }),
];
