import { type Check, checksOf, ok, warn, fail, skip } from '../lib/check.ts';
import { fact, type Reads, type Facts } from '../lib/facts.ts';
import { podsOf, containersOf } from '../lib/objects.ts';
import { plural, list } from '../../core/text.ts';
import { formatDuration } from '../../core/quantity.ts';
import type { Config } from '../../profile/schema.ts';
import { type CollectorId, enabledCollectors, GATEWAY, NODE } from '../lib/collectors.ts';
import { CLOCK_READS, recentLines, settledFor } from '../lib/time.ts';
import { essence, oomKilled } from '../lib/trouble.ts';
import { workloadReads, workloadVerdict } from '../lib/workload.ts';

const col = checksOf('COL');
const DAY = 86_400;

function eachOf(config: Config, read: (id: CollectorId) => Reads): Reads[] {
  return enabledCollectors(config).map(read);
}

/** Restarts per day, over at least one day, so that a restart at installation does not count as many. */
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
    cause:
      `container ${worst.state.name} ends with ${worst.state.ended.reason || 'an error'}, exit code ` +
      `${worst.state.ended.exitCode ?? '?'}`,
    fix: `${facts.kubectlFor(worst.id)} logs ${name} -c ${worst.state.name} --previous`,
    object: `Pod ${facts.place(worst.id).namespace}/${name}`,
  };
  if (looping) return fail(`${name} is in CrashLoopBackOff, ${plural(worst.state.restarts, 'restart')}`, more);
  const evidence =
    `at most ${plural(worst.state.restarts, 'restart')} (${name}) in ` +
    `${plural(seen.length, 'container')}, none OOMKilled within a day`;
  if (worst.rate > 10) return fail(evidence, more);
  return worst.rate >= 3 ? warn(evidence, more) : ok(evidence);
}

const TROUBLE = /\t(error|fatal|panic)\t|"level":"(error|fatal)"|Exporting failed|^E\d{4} |^Error:/;

/** Grouped by component, so that one dead backend is one entry. */
function errorLines(facts: Facts) {
  const settled = settledFor(facts);
  const lines = enabledCollectors(facts.config).flatMap((id) =>
    recentLines(facts, id, settled, TROUBLE).map((line) => ({ ...line, id })),
  );
  if (!lines.length)
    return ok(
      settled < 1200
        ? 'no error line since the stack started up'
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
  const evidence =
    `${plural(lines.length, 'error line')} in 15 min: ${list(parts)}; the last in ${last?.from ?? ''}: ` +
    said.slice(0, 180);
  const more = {
    cause: cause(said),
    fix:
      `${facts.kubectlFor(last?.id ?? GATEWAY)} logs ${last?.from.split('/')[0] ?? ''} --since=15m | ` +
      "grep -i -e error -e 'Exporting failed'",
  };
  return lines.length > 20 || lines.some(({ text }) => /Permanent error|not retryable|Dropping data/.test(text))
    ? fail(evidence, more)
    : warn(evidence, more);
}

function cause(text: string): string {
  if (/no such host|name resolver/.test(text)) return 'the endpoint names a host that does not exist';
  if (/connection refused|Unavailable|no route/.test(text)) return 'the backend does not answer';
  if (/\b(401|403)\b|forbidden|Unauthenticated/i.test(text))
    return 'the collector lacks permission: credentials or RBAC';
  if (/\b404\b/.test(text)) return 'the backend has no such path: wrong URL, or a receiver that is off';
  if (/x509|tls:/.test(text)) return 'TLS: certificate or scheme do not match';
  return 'see the message';
}

export const workloadChecks: Check[] = [
  col('01', 'Node collectors run on every node', {
    about:
      "Compares ready pods of the node collectors' DaemonSet with the nodes that it wants. Warning: one " +
      'node is missing. Failed: more are, or it does not exist; such a node sends no container logs, ' +
      'host or kubelet metrics. The finding names the cause; `genai-obs install` restores manual changes.',
    sources: '004-MNT-01, 004-P2-02',
    needs: [NODE],
    dependsOn: ['COL-05', 'COL-06'],
    reads: workloadReads(NODE),
    run: (facts) => workloadVerdict(facts, NODE, (ready, wanted) => wanted - ready === 1),
  }),
  col('02', 'Gateway replicas are ready', {
    about:
      'Compares ready replicas of the gateway with the wanted ones; all OTLP of applications and other ' +
      'collectors goes through it. Warning: some are missing. Failed: none is ready, so that senders ' +
      'have to retry and may lose data. The finding names the cause: image, memory, quota, node, or the ' +
      'last log line of a crash.',
    sources: '000-SCALE-01, 001-COL-01, 003-COL-12, 003-TRB-01, 004-MNT-01, 004-P2-04',
    needs: [GATEWAY],
    dependsOn: ['COL-05', 'COL-06'],
    reads: workloadReads(GATEWAY),
    run: (facts) => workloadVerdict(facts, GATEWAY, (ready) => ready >= 1),
  }),
  col('03', 'Collectors do not restart, crash or run out of memory', {
    about:
      'Counts container restarts per day; a collector that is killed loses what it holds in memory. Ok: ' +
      'fewer than 3 a day. Warning: up to 10. Failed: more, a crash loop, or an out-of-memory kill ' +
      'within a day. Raise the memory limit, or lower the memory_limiter so that it refuses data first.',
    sources: '003-TRB-01, 003-TRB-07, 004-TRB-01',
    dependsOn: ['COL-01', 'COL-02'],
    reads: (config) => [...CLOCK_READS, ...eachOf(config, fact.workloads)],
    run: restarts,
  }),
  col('04', 'Collector logs show no errors', {
    about:
      'Groups error lines and failed exports in the last 200 lines of each collector by component. Lines ' +
      'older than 15 minutes or from the first five minutes after a start do not count, because backends ' +
      'may start later than their senders. Warning: up to 20 lines. Failed: more, or one permanent ' +
      'error, which means that data were dropped.',
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
];
