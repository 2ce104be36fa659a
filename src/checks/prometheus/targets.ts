import { bodyOf } from '../lib/service.ts';
import { notHere, type Verdict, type Check, checksOf, ok, warn, fail, skip } from '../lib/check.ts';
import { type FactRef, fact, type Facts } from '../lib/facts.ts';
import { isReady } from '../lib/objects.ts';
import { listAt, textAt } from '../../core/json.ts';
import { plural, list, percent } from '../../core/text.ts';
import { parseDuration, formatDuration } from '../../core/quantity.ts';
import { accountOf } from '../../parts/catalog.ts';
import type { ComponentId, Config } from '../../profile/schema.ts';
import { NODE } from '../lib/collectors.ts';
import { configObject, operatorOf, resourceOf } from '../lib/place.ts';
import { CLOCK_READS, settledFor, startOf, STARTUP_S } from '../lib/time.ts';
import { workloadReads, workloadVerdict } from '../lib/workload.ts';

const prom = checksOf('PROM');
const TARGETS = '/api/v1/targets?state=active';
const TARGETS_KEY = fact.http('prometheus', TARGETS);
const SELF = ['PROM-01', 'PROM-03'];
const WORKLOADS = ['COL-01', 'COL-02', 'COL-24', 'LOKI-01', 'TEMPO-01', 'GRAF-01', 'ALRT-01'];

/** Component that each job scrapes. */
const JOBS: Record<string, ComponentId> = {
  prometheus: 'prometheus',
  'otel-collector': 'opentelemetry-collector',
  loki: 'loki',
  tempo: 'tempo',
  grafana: 'grafana',
  alertmanager: 'alertmanager',
  'kube-state-metrics': 'kube-state-metrics',
};

function jobsOf(config: Config): string[] {
  return Object.entries(JOBS).flatMap(([job, id]) => (config[id].enabled ? [job] : []));
}

interface ScrapeTarget {
  job: string;
  instance: string;
  pod: string;
  health: string;
  error: string;
  interval: string;
}

function targets(facts: Facts): ScrapeTarget[] {
  return listAt(bodyOf(facts, 'prometheus', TARGETS), 'data', 'activeTargets').map((one) => ({
    job: textAt(one, 'labels', 'job') ?? textAt(one, 'scrapePool') ?? '?',
    instance: textAt(one, 'labels', 'instance') ?? textAt(one, 'scrapeUrl') ?? '?',
    pod: textAt(one, 'labels', 'pod') ?? '',
    health: textAt(one, 'health') ?? 'unknown',
    error: textAt(one, 'lastError') ?? '',
    interval: textAt(one, 'scrapeInterval') ?? '',
  }));
}

/** Pods that start or terminate miss a scrape or two. */
function inTransition(facts: Facts, target: ScrapeTarget): boolean {
  if (!target.pod) return settledFor(facts) < STARTUP_S;
  const pod = facts.pods().find((one) => one.metadata.name === target.pod);
  if (target.job === 'otel-collector' && !pod) return true;
  return pod !== undefined && (!isReady(pod) || facts.now() - startOf(pod) < STARTUP_S * 1000);
}

function up(facts: Facts): Verdict {
  const all = targets(facts);
  if (!all.length)
    return fail('Prometheus has no active target', {
      cause: 'scrape_configs is empty or discovers nothing',
      fix: 'genai-obs install',
      object: configObject(facts, 'prometheus'),
    });
  const down = all.filter((target) => target.health === 'down' && !inTransition(facts, target));
  const judged = all.filter((target) => target.health === 'up').length + down.length;
  const waiting = all.length - judged;
  const share = judged ? (judged - down.length) / judged : 1;
  const text =
    `${judged - down.length} of ${plural(judged, 'target')} up` +
    (waiting ? `, ${waiting} not counted: starting or terminating` : '');
  if (!down[0]) return ok(text);
  const core = down.find((target) => JOBS[target.job]);
  const first = core ?? down[0];
  const evidence = `${text}; down: ${list(
    down.map((target) => `${target.job} ${target.pod || target.instance}`),
    3,
  )}; ${first.instance}: ${first.error.slice(0, 160)}`;
  const more = {
    cause: core
      ? `the stack's own job ${core.job} cannot be scraped`
      : 'a scraped pod does not respond on its metrics port',
    fix:
      `${facts.kubectl} get pods -A -o wide | grep ${first.pod || first.instance.split(':')[0]}   ` +
      '# for pods outside the stack: check the annotations prometheus.io/port and prometheus.io/path',
  };
  return core || share < 0.9 ? fail(evidence, more) : warn(`${evidence} (${percent(share)})`, more);
}

function jobs(facts: Facts): Verdict {
  const all = targets(facts);
  const annotated = facts
    .pods('all')
    .filter(
      (pod) =>
        pod.metadata.annotations?.['prometheus.io/scrape'] === 'true' &&
        textAt(pod, 'status', 'phase') === 'Running' &&
        facts.now() - startOf(pod) > STARTUP_S * 1000,
    );
  const wanted = [...jobsOf(facts.config), ...(annotated.length ? ['kubernetes-pods'] : [])];
  const missing = wanted.filter((job) => !all.some((target) => target.job === job));
  const dead = wanted.filter(
    (job) => !missing.includes(job) && !all.some((target) => target.job === job && target.health !== 'down'),
  );
  const notes = annotated.length ? '' : '; no pod has the annotation prometheus.io/scrape, so kubernetes-pods is empty';
  if (!missing.length && !dead.length) return ok(`${wanted.length} jobs have targets: ${wanted.join(', ')}${notes}`);
  const evidence = [
    missing.length ? `no target: ${missing.join(', ')}` : '',
    dead.length ? `all down: ${dead.join(', ')}` : '',
  ]
    .filter(Boolean)
    .join('; ');
  const cause =
    missing.includes('kubernetes-pods') || missing.includes('otel-collector')
      ? 'the job is missing from the configuration, or Prometheus lacks permission to list pods'
      : 'the job is missing from the configuration, or its targets do not respond';
  return fail(evidence, {
    cause,
    fix:
      `genai-obs install; then: ${facts.kubectlFor('prometheus')} auth can-i list pods -A ` +
      `--as=system:serviceaccount:${facts.place('prometheus').namespace}:${accountOf(facts.config, 'prometheus')}`,
    object: configObject(facts, 'prometheus'),
  });
}

function intervals(facts: Facts): Verdict {
  const config = facts.running('prometheus');
  const planned = (job: string) =>
    textAt(
      listAt(config, 'scrape_configs').find((one) => textAt(one, 'job_name') === job),
      'scrape_interval',
    ) ??
    textAt(config, 'global', 'scrape_interval') ??
    '1m';
  const all = targets(facts);
  if (!all.length) return skip('Prometheus has no targets');
  const other = all.filter(({ job, interval }) => parseDuration(interval) !== parseDuration(planned(job)));
  if (other[0]) {
    const wrong = [...new Set(other.map(({ job, interval }) => `${job} ${interval} instead of ${planned(job)}`))];
    return warn(list(wrong), {
      cause: 'Prometheus has not reloaded its configuration since the ConfigMap changed',
      fix: 'genai-obs install   # replaces the pod when its configuration changed',
      object: configObject(facts, 'prometheus'),
    });
  }
  return ok(
    `${[...new Set(all.map(({ interval }) => interval))].join(', ')} for ` +
      `${new Set(all.map(({ job }) => job)).size} jobs, as configured`,
  );
}

const SOURCES = {
  'kube-state-metrics (kube_pod_info)': ['kube-state-metrics', 'count(kube_pod_info)'],
  'containers (container_memory_working_set_bytes)': [NODE, 'count(container_memory_working_set_bytes)'],
  'nodes (system_cpu_time_seconds_total)': [NODE, 'count(system_cpu_time_seconds_total)'],
} as const;

function series(facts: Facts): Verdict {
  if (facts.config['kube-state-metrics'].enabled) {
    const workload = workloadVerdict(facts, 'kube-state-metrics');
    if (workload.status !== 'ok') return { ...workload, evidence: `kube-state-metrics ${workload.evidence}` };
  }
  const seen = Object.entries(SOURCES)
    .filter(([, [id]]) => facts.config[id].enabled)
    .map(([what, [id, expr]]) => ({ what, id, count: facts.promql(expr)[0]?.value ?? 0 }));
  if (!seen.length) return skip('kube-state-metrics and node collectors are disabled');
  const missing = seen.filter(({ count }) => count === 0);
  if (!missing[0]) return ok(seen.map(({ what, count }) => `${what} ${count}`).join(', '));
  const settled = settledFor(facts);
  if (settled < 120)
    return skip(
      `the stack started ${formatDuration(settled)} ago: no ${missing.map(({ what }) => what).join(', ')} yet`,
    );
  return fail(`no series of ${missing.map(({ what }) => what).join(', ')}`, {
    cause: `${facts.place(missing[0].id).workload.name} sends nothing: check permissions, endpoint and scrape job`,
    fix: `${facts.kubectlFor(missing[0].id)} logs ${resourceOf(facts, missing[0].id)} --tail=50`,
  });
}

export const targetChecks: Check[] = [
  prom('04', 'Scrape targets are up', {
    about:
      'Counts the active targets that respond to scrapes and shows the last scrape error. Failed: ' +
      'a target of the stack itself is down, or more than a tenth of all targets. Warning: fewer ' +
      'other targets are down. Targets whose pod is not ready or started less than five minutes ' +
      'ago do not count.',
    sources: '000-TRB-04, 001-CFG-03, 001-PROM-07, 003-PROM-06, 003-PROM-07',
    needs: ['prometheus'],
    dependsOn: [...SELF, ...WORKLOADS],
    reads: [...CLOCK_READS, TARGETS_KEY],
    run: up,
  }),
  prom('05', 'Scrape jobs have targets', {
    about:
      'Every planned job must have at least one target that is not down. The jobs are those of the ' +
      "stack's components, and kubernetes-pods when a running pod has the annotation " +
      'prometheus.io/scrape. A missing job means that the configuration changed or that Prometheus ' +
      'lacks permission to list pods.',
    sources: '003-PROM-01, 003-TRB-04',
    needs: ['prometheus'],
    dependsOn: [...SELF, ...WORKLOADS, 'PROM-04'],
    skipIf: (config) => operatorOf(config, 'prometheus'),
    reads: [TARGETS_KEY, fact.pods('all'), fact.time()],
    run: jobs,
  }),
  prom('06', 'ServiceMonitors are selected', {
    about:
      'An operator scrapes the ServiceMonitors whose labels it selects. Profiles without one write ' +
      'scrape jobs into the configuration of Prometheus, which PROM-05 checks. With an operator, ' +
      'PROM-04 and PROM-19 check whether the selected metrics arrive.',
    sources: '000-SELF-04, 000-TRB-05, 003-TRB-06',
    ...notHere((config) =>
      operatorOf(config, 'prometheus')
        ? 'kube-prometheus-stack selects ServiceMonitors by itself: see PROM-04 and PROM-19'
        : 'no Prometheus operator in this profile',
    ),
  }),
  prom('18', 'Scrape intervals are as configured', {
    about:
      'Compares the interval of every target with that of its job in the ConfigMap. Warning: they ' +
      'differ, because Prometheus runs an older configuration or somebody changed it manually. ' +
      'Queries with short rate windows can then return nothing.',
    sources: '001-PROM-06, 003-TRB3-05',
    needs: ['prometheus'],
    dependsOn: [...SELF, 'PROM-14'],
    skipIf: (config) => operatorOf(config, 'prometheus'),
    reads: [TARGETS_KEY, fact.running('prometheus')],
    run: intervals,
  }),
  prom('19', 'Metrics of cluster, nodes and containers arrive', {
    about:
      'Dashboards and alerts need series of kube-state-metrics (kube_*), of containers from the ' +
      'kubelet and of nodes (system_*). Failed: a family is missing, so its source does not run, ' +
      'lacks permissions or cannot reach Prometheus. When kube-state-metrics is not ready, the ' +
      'finding names the cause.',
    sources: '001-KM-06, 001-KM-07, 001-OPEN-03',
    needs: ['prometheus'],
    dependsOn: [...SELF, 'COL-06', 'COL-01', 'COL-02', 'COL-18', 'COL-09', 'COL-14'],
    reads: (config) => [
      ...(config['kube-state-metrics'].enabled ? workloadReads('kube-state-metrics') : []),
      ...CLOCK_READS,
      ...Object.values(SOURCES).map(([, expr]): FactRef => fact.promql(expr)),
    ],
    run: series,
  }),
];
