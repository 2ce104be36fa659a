import { type Check, checksOf, ok, warn, fail, skip } from '../lib/check.ts';
import { fact, type Reads, type Facts } from '../lib/facts.ts';
import { objectsIn, condition, podsOf, containersOf } from '../lib/objects.ts';
import { textAt, numberAt } from '../../core/json.ts';
import { plural, list } from '../../core/text.ts';
import { formatDuration } from '../../core/quantity.ts';
import type { Config } from '../../profile/schema.ts';
import { CLUSTER, type CollectorId, enabledCollectors, GATEWAY, NODE } from '../lib/collectors.ts';
import { resourceOf, workloadObject } from '../lib/place.ts';
import { CLOCK_READS, recentLines, settledFor } from '../lib/time.ts';
import { essence, oomKilled } from '../lib/trouble.ts';
import { workloadReads, workloadVerdict } from '../lib/workload.ts';

const col = checksOf('COL');
const DAY = 86_400;

function eachOf(config: Config, read: (id: CollectorId) => Reads): Reads[] {
  return enabledCollectors(config).map(read);
}

/** Restarts as a number per day, judged over at least one day so that a restart while the stack came up is none. */
function restartsPerDay(restarts: number, ageS: number): number {
  return restarts / Math.max(1, ageS / DAY);
}

function restarts(facts: Facts) {
  const time = facts.now();
  const seen = enabledCollectors(facts.config).flatMap((id) =>
    podsOf(facts, id).flatMap((pod) => containersOf(pod).map((state) => ({ id, pod, state }))),
  );
  const killed = seen.find(({ state }) => state.ended.reason === 'OOMKilled' && time - state.ended.at < DAY * 1000);
  if (killed) {
    const { id, pod, state } = killed;
    const { evidence, cause, fix } = oomKilled(
      facts,
      id,
      pod.metadata.name,
      state.name,
      state.memoryLimit,
      `${plural(state.restarts, 'restart')}, last ${formatDuration((time - state.ended.at) / 1000)} ago`,
    );
    return fail(evidence, { cause, fix, object: `Pod ${facts.place(id).namespace}/${pod.metadata.name}` });
  }
  const looping = seen.find(({ state }) => state.waiting.reason === 'CrashLoopBackOff');
  const rates = seen.map((one) => ({
    ...one,
    rate: restartsPerDay(one.state.restarts, (time - Date.parse(one.pod.metadata.creationTimestamp ?? '')) / 1000),
  }));
  const worst = looping ? { ...looping, rate: Infinity } : rates.sort((a, b) => b.rate - a.rate)[0];
  if (!worst) return skip('no collector has a pod');
  const name = worst.pod.metadata.name;
  const more = {
    cause: `container ${worst.state.name} ends with ${worst.state.ended.reason || 'an error'}, exit code ${worst.state.ended.exitCode ?? '?'}`,
    fix: `${facts.kubectlFor(worst.id)} logs ${name} -c ${worst.state.name} --previous`,
    object: `Pod ${facts.place(worst.id).namespace}/${name}`,
  };
  if (looping) return fail(`${name} is in CrashLoopBackOff, ${plural(worst.state.restarts, 'restart')}`, more);
  const evidence = `at most ${plural(worst.state.restarts, 'restart')} (${name}) in ${plural(seen.length, 'container')}, none OOMKilled within a day`;
  if (worst.rate > 10) return fail(evidence, more);
  return worst.rate >= 3 ? warn(evidence, more) : ok(evidence);
}

const TROUBLE = /\t(error|fatal|panic)\t|"level":"(error|fatal)"|Exporting failed|^E\d{4} |^Error:/;

/** By exporter or component, so that one dead backend is one line. */
function errorLines(facts: Facts) {
  const settled = settledFor(facts);
  const lines = enabledCollectors(facts.config).flatMap((id) =>
    recentLines(facts, id, settled, TROUBLE).map((line) => ({ ...line, id })),
  );
  if (!lines.length)
    return ok(
      settled < 1200
        ? 'no error line since the stack has settled'
        : 'no error line of the last 15 min in the last 200 lines of each collector',
    );
  const groups = new Map<string, number>();
  for (const { text } of lines) {
    const component = /"otelcol\.component\.id": ?"([^"]+)"/.exec(text)?.[1] ?? 'the collector';
    groups.set(component, (groups.get(component) ?? 0) + 1);
  }
  const parts = [...groups].sort((a, b) => b[1] - a[1]).map(([component, count]) => `${component} ${count}`);
  const last = lines.sort((a, b) => a.time - b.time).at(-1);
  const said = /"error": ?"((?:\\.|[^"\\])*)/.exec(last?.text ?? '')?.[1] ?? essence(last?.text ?? '');
  const evidence = `${plural(lines.length, 'error line')} in 15 min: ${list(parts)}; the last in ${last?.from ?? ''}: ${said.slice(0, 180)}`;
  const more = {
    cause: cause(said),
    fix: `${facts.kubectlFor(last?.id ?? GATEWAY)} logs ${last?.from.split('/')[0] ?? ''} --since=15m | grep -i -e error -e 'Exporting failed'`,
  };
  return lines.length > 20 || lines.some(({ text }) => /Permanent error|not retryable|Dropping data/.test(text))
    ? fail(evidence, more)
    : warn(evidence, more);
}

function cause(text: string): string {
  if (/no such host|name resolver/.test(text)) return 'the endpoint names a host that does not exist';
  if (/connection refused|Unavailable|no route/.test(text)) return 'the backend does not answer';
  if (/\b(401|403)\b|forbidden|Unauthenticated/i.test(text))
    return 'the collector is not allowed to: credentials or RBAC';
  if (/\b404\b/.test(text)) return 'the path does not exist at the backend: wrong URL or a receiver that is off';
  if (/x509|tls:/.test(text)) return 'TLS: certificate or scheme do not fit';
  return 'see the message';
}

export const workloadChecks: Check[] = [
  col('01', 'Node collectors run on every node', {
    about:
      'The DaemonSet of the node collectors must be ready on every node that it wants. A node without one sends no container logs, host or kubelet metrics. The finding names what keeps the pod from being ready; re-applying with `genai-obs install` puts back what was changed by hand.',
    sources: '004-MNT-01, 004-P2-02',
    needs: [NODE],
    dependsOn: ['COL-05', 'COL-06'],
    reads: workloadReads(NODE),
    run: (facts) => workloadVerdict(facts, NODE, (ready, wanted) => wanted - ready === 1),
  }),
  col('02', 'Gateway replicas are ready', {
    about:
      'The gateway takes in all OTLP of applications and of the other collectors. With one replica missing it still works, with none everything that is sent waits at the sender or is lost. The finding names the concrete cause: image, memory, quota, node or a crash with its last words.',
    sources: '000-SCALE-01, 001-COL-01, 003-COL-12, 003-TRB-01, 004-MNT-01, 004-P2-04',
    needs: [GATEWAY],
    dependsOn: ['COL-05', 'COL-06'],
    reads: workloadReads(GATEWAY),
    run: (facts) => workloadVerdict(facts, GATEWAY, (ready) => ready >= 1),
  }),
  col('03', 'Collectors do not restart, crash or run out of memory', {
    about:
      'A collector that is killed loses what it holds in memory. Fewer than 3 restarts a day pass, more warn, a crash loop or an out-of-memory kill within a day fails. Raise the memory limit, or lower the memory_limiter so that it refuses data before the kernel kills the process.',
    sources: '003-TRB-01, 003-TRB-07, 004-TRB-01',
    dependsOn: ['COL-01', 'COL-02'],
    reads: (config) => [...CLOCK_READS, ...eachOf(config, fact.workloads)],
    run: restarts,
  }),
  col('04', 'Collector logs show no errors', {
    about:
      'Reads the last 200 lines of each collector and groups error lines and failed exports by component. Lines of the first five minutes after a start are left out, because backends may come up later than their senders, and so are lines older than 15 minutes. More than 20 lines, or one permanent error (data that was dropped), fail.',
    sources: '000-TRB-01, 001-QS-05, 003-COL-17, 003-TRB-02, 004-TRB-01, 004-TRB-03',
    dependsOn: [
      'COL-05',
      'COL-18',
      'COL-06',
      'TEMPO-03',
      'LOKI-05',
      'PROM-08',
      'COL-02',
      'COL-01',
      'TEMPO-01',
      'JAEG-01',
      'JAEG-03',
      'LOKI-01',
      'PROM-01',
      'PROM-07',
    ],
    reads: (config) => [...CLOCK_READS, ...eachOf(config, (id) => fact.logs(id))],
    run: errorLines,
  }),
  col('25', 'Autoscaling works and replicas are spread', {
    about:
      'When a HorizontalPodAutoscaler scales the gateway it needs figures from metrics-server; without them it never acts. Pending replicas mean that there is no room, or that a required spread over zones cannot be met. Install metrics-server, add nodes or prefer a spread instead of requiring it.',
    sources: '000-HA-01, 000-SCALE-03',
    needs: [GATEWAY],
    dependsOn: ['COL-02'],
    reads: [fact.objects('HorizontalPodAutoscaler'), fact.pods(), fact.workloads(GATEWAY)],
    run: (facts) => {
      const { namespace, workload, chart } = facts.place(GATEWAY);
      // The operator scales its resource, and that the workload.
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
          `${scaler.metadata.name} has no figures: ${textAt(active, 'message') ?? 'it says nothing of its figures'}`,
          {
            cause: 'metrics-server is missing or does not answer',
            fix: 'kubectl get apiservice v1beta1.metrics.k8s.io',
            object,
          },
        );
      }
      return ok(
        `${scaler.metadata.name} scales between ${numberAt(scaler, 'spec', 'minReplicas') ?? 1} and ${numberAt(scaler, 'spec', 'maxReplicas') ?? '?'} replicas`,
      );
    },
  }),
  col('24', 'Cluster metrics are collected once', {
    about:
      'Two active k8s_cluster receivers count every object twice and send events twice. Exactly one replica with that receiver may run: the cluster collector is a Deployment of one with strategy Recreate. The check also looks at the running cluster collector itself and at duplicate node series in Prometheus.',
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
  const fix = `genai-obs install   # one replica; at once: ${facts.kubectlFor(CLUSTER)} scale ${resourceOf(facts, CLUSTER)} --replicas=1`;
  if (total > 1)
    return fail(`${total} active k8s_cluster receivers: ${list}`, {
      cause: 'every replica collects the whole cluster',
      fix,
      object: workloadObject(facts, CLUSTER),
    });
  // Cluster metrics go nowhere else; the pod is still there for the events.
  if (total === 0 && !facts.config.prometheus.enabled)
    return ok(`${own.evidence}; no Prometheus, so no cluster metrics are collected`);
  if (total === 0)
    return fail('no collector has an active k8s_cluster receiver', {
      cause: 'the receiver is missing from the configuration',
      fix: 'genai-obs install',
    });
  // Series of the pod before stay visible for five minutes after a restart.
  const settled = settledFor(facts, (pod) => podsOf(facts, CLUSTER).includes(pod));
  const twice = facts.config.prometheus.enabled ? (facts.promql(DUPLICATES)[0]?.value ?? 0) : 0;
  if (twice > 1 && settled > 600)
    return fail(`1 active receiver (${list}), but ${twice} series per node in Prometheus`, {
      cause: 'somebody else also sends cluster metrics to this Prometheus',
      fix: "look for the other sender: count by (job, service_instance_id) (k8s_node_condition_ready) in Grafana's Explore",
    });
  return ok(`1 active k8s_cluster receiver (${list})${twice === 1 ? ', one series per node' : ''}`);
}
