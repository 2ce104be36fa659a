import { type Verdict, type Area, checksOf, ok, warn, fail, skip } from './lib/check.ts';
import { FactUnavailable, fact, type Facts } from './lib/facts.ts';
import { PROBE_SERVICE } from './lib/values.ts';
import { at, textsAt, numberAt } from '../core/json.ts';
import { oneLine, plural, list, percent } from '../core/text.ts';
import { formatDuration } from '../core/quantity.ts';
import { jaegerHost, traceStore } from '../parts/addresses.ts';
import type { Config } from '../profile/schema.ts';
import { GATEWAY } from './lib/collectors.ts';
import { POLICIES, REACH_READS, reachVerdict } from './lib/network.ts';
import { configObject, resourceOf, workloadObject } from './lib/place.ts';
import { rate, scalar } from './lib/promql.ts';
import { bodyText, bodyOf, serviceReads, serviceVerdict } from './lib/service.ts';
import { CLOCK_READS, recentLines, settledFor } from './lib/time.ts';
import { essence } from './lib/trouble.ts';
import { workloadReads, workloadVerdict } from './lib/workload.ts';

const jaeger = checksOf('JAEG');
const LOGS = (facts: Facts) => `${facts.kubectlFor('jaeger')} logs ${resourceOf(facts, 'jaeger')} --tail=50`;
const SERVICES = '/api/services';
/** Jaeger's own counters: Prometheus does not scrape them, and a restart resets them and the memory store. */
const METRICS = fact.http('jaeger', '/metrics', 8888);
const SENT = 'sum(rate({__name__=~"otelcol_exporter_sent_spans(_total)?",exporter=~".*jaeger.*"}[15m]))';
const ERROR = /\t(error|fatal|panic)\t|"level":"(error|fatal|panic)"/;
const STORAGE = /storage|opensearch|elasticsearch|\bes\b|index|bulk/i;
const FAILED_EXPORT = /(Exporting failed|Dropping data).*jaeger|jaeger.*(Exporting failed|Dropping data)/;

/** Why the gateway sends no traces to Jaeger; undefined when it does. Tempo takes precedence. */
function unused(config: Config): string | undefined {
  if (!config[GATEWAY].enabled) return `${GATEWAY}.enabled is false`;
  return traceStore(config) === 'tempo' ? 'the gateway sends traces to Tempo' : undefined;
}

/** Sum of a counter over the samples whose labels match; undefined before its first event. */
function counter(facts: Facts, name: string, labels = /./): number | undefined {
  const { status, body: text } = facts.http('jaeger', '/metrics', 8888);
  if (status !== 200) throw new FactUnavailable(`GET /metrics of jaeger returned ${status}`);
  const samples = String(text)
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) && labels.test(line));
  return samples.length ? samples.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0) : undefined;
}

function ownErrors(facts: Facts): Verdict {
  const { namespace } = facts.place('jaeger');
  const settled = settledFor(
    facts,
    ({ metadata }) => metadata.namespace === namespace && metadata.name.startsWith('jaeger-'),
  );
  const lines = recentLines(facts, 'jaeger', settled, ERROR);
  const last = lines.at(-1);
  if (!last) return ok('no error in the last 15 min (last 200 log lines)');
  const storage = lines.findLast(({ text }) => STORAGE.test(text));
  const evidence =
    `${plural(lines.length, 'error line')} in 15 min, the last: ` + oneLine(essence((storage ?? last).text), 200);
  const more = { fix: LOGS(facts), object: workloadObject(facts, 'jaeger') };
  return storage
    ? fail(evidence, { cause: 'the storage of Jaeger rejects requests or does not respond', ...more })
    : warn(evidence, { cause: 'Jaeger reports the cause in the quoted line', ...more });
}

function endpoints(facts: Facts): Verdict {
  const service = serviceVerdict(facts, 'jaeger', [4317, 4318, 16686]);
  if (service.status !== 'ok') return service;
  const reach = reachVerdict(facts, 'jaeger', [4317, 16686]);
  if (reach.status !== 'ok') return reach;
  const { status } = facts.otlp('jaeger');
  if (status === 200) return ok(`${reach.evidence}; an empty OTLP export returned 200`);
  return fail(`an empty OTLP export to port 4318 returned ${status}`, {
    cause:
      status === 503 ? 'no pod of Jaeger is ready' : 'the otlp receiver of Jaeger is off or not in the traces pipeline',
    fix: `genai-obs install   # restores the configuration; then: ${LOGS(facts)}`,
    object: configObject(facts, 'jaeger'),
  });
}

function failedExports(facts: Facts): Verdict {
  const lines = recentLines(facts, GATEWAY, settledFor(facts), FAILED_EXPORT);
  const last = lines.at(-1);
  if (!last) return ok('no failed export to Jaeger in the last 200 lines of each gateway pod');
  const message = /"error": ?"((?:\\.|[^"\\])*)/.exec(last.text)?.[1] ?? essence(last.text);
  return warn(`${plural(lines.length, 'failed export')} to Jaeger in 15 min, the last: ${oneLine(message, 180)}`, {
    cause: 'Jaeger does not respond or rejects spans; the gateway queues them until its queue is full',
    fix:
      `${facts.kubectlFor(GATEWAY)} logs ${resourceOf(facts, GATEWAY)} --since=15m | grep -i jaeger   # then ` +
      'JAEG-01 to JAEG-03',
    object: workloadObject(facts, 'jaeger'),
  });
}

function services(facts: Facts): Verdict {
  const answer = facts.http('jaeger', SERVICES);
  if (answer.status !== 200)
    return fail(`${SERVICES} returned ${answer.status}: ${bodyText(answer.body)}`, {
      cause: 'Jaeger cannot read its storage',
      fix: LOGS(facts),
      object: workloadObject(facts, 'jaeger'),
    });
  const listed = textsAt(answer.body, 'data');
  const applications = listed.filter((name) => name !== 'jaeger' && name !== PROBE_SERVICE);
  const received = counter(facts, 'otelcol_receiver_accepted_spans_total') ?? 0;
  if (applications.length)
    return ok(
      `${plural(applications.length, 'service')}: ${list(applications)}; ${received} spans received since its start`,
    );
  if (received && !listed.length)
    return warn(`${received} spans received since its start, but ${SERVICES} lists no service`, {
      cause: 'spans do not reach the storage of Jaeger',
      fix: LOGS(facts),
      object: configObject(facts, 'jaeger'),
    });
  const sent = facts.config.prometheus.enabled && !unused(facts.config) ? scalar(facts, SENT) : undefined;
  if (sent && !received) {
    if (settledFor(facts) < 120)
      return skip(`the stack started ${formatDuration(settledFor(facts))} ago: no rates yet`);
    return fail(`the gateway sends ${rate(sent, 'spans')}, but Jaeger has received none since its start`, {
      cause: `the exporter does not send to ${jaegerHost(facts.config, facts.place(GATEWAY).namespace)}:4317`,
      fix: `${facts.kubectlFor(GATEWAY)} logs ${resourceOf(facts, GATEWAY)} --since=15m | grep jaeger`,
      object: workloadObject(facts, 'jaeger'),
    });
  }
  return ok(
    'the query API responds; no application has sent traces since its start' +
      (unused(facts.config) ? ` (${unused(facts.config)})` : ''),
  );
}

function storage(facts: Facts): Verdict {
  const wanted = facts.config.jaeger;
  const backend = at(facts.running('jaeger'), 'extensions', 'jaeger_storage', 'backends', 'store');
  const object = configObject(facts, 'jaeger');
  const traces = numberAt(backend, 'memory', 'max_traces');
  if (traces !== undefined) {
    const drifted =
      wanted.storage === 'memory' && traces === wanted.maxTraces
        ? ''
        : `; the profile says ${wanted.storage} (maxTraces ${wanted.maxTraces})`;
    return warn(
      `traces are in memory: at most ${traces}, the oldest are evicted first; a pod restart loses all of them, ` +
        `and no backup contains them${drifted}`,
      {
        cause: drifted
          ? 'the profile was changed but not applied, or the ConfigMap was edited manually'
          : 'jaeger.storage is memory, which is for development',
        fix: drifted
          ? 'genai-obs install'
          : 'set jaeger.storage to opensearch with an endpoint, or tempo.enabled instead, then: genai-obs install',
        object,
      },
    );
  }
  const urls = textsAt(backend, 'opensearch', 'server_urls');
  if (!urls.length)
    throw new FactUnavailable('the configuration of Jaeger names neither memory nor OpenSearch as storage');
  bodyOf(facts, 'jaeger', SERVICES);
  const reads = counter(facts, 'jaeger_storage_requests_total', /kind="(opensearch|elasticsearch)"/) ?? 0;
  const failed = counter(facts, 'jaeger_storage_requests_total', /result="err"/) ?? 0;
  const text = `OpenSearch at ${list(urls)} responds`;
  if (!failed) return ok(`${text}; ${plural(reads, 'read')} since its start, none failed`);
  return warn(
    `${text}; ${failed} of ${plural(reads, 'read')} since its start failed ` +
      `(${percent(failed / Math.max(failed, reads))})`,
    {
      cause: 'OpenSearch was unreachable or overloaded, or its indices are red',
      fix: LOGS(facts),
      object: workloadObject(facts, 'jaeger'),
    },
  );
}

export const jaegerArea: Area = {
  id: 'JAEG',
  title: 'Jaeger',
  about: 'Traces, where a profile stores them in Jaeger instead of Tempo (`genops`).',
  checks: [
    jaeger('01', 'Jaeger is ready', {
      about:
        'The pod of the Deployment must be ready. Failed: it is not; the finding names the cause, ' +
        'such as an image, memory or the last log line. Without Jaeger no traces are stored or ' +
        'shown, and the gateway queues them until its queue is full. The check finds the pod by the ' +
        'selector of the Deployment, which has the instance label.',
      sources: '003-COL-08, 003-JAEG-03, 003-TRB2-01',
      needs: ['jaeger'],
      reads: workloadReads('jaeger'),
      run: (facts) => workloadVerdict(facts, 'jaeger'),
    }),
    jaeger('02', 'Jaeger logs no errors', {
      about:
        'Searches the last 200 log lines of Jaeger for errors of the last 15 minutes. Failed: an ' +
        'error about its storage, because Jaeger loses what it cannot write. Warning: any other ' +
        'error. Lines of the first five minutes after a start do not count.',
      sources: '003-TRB2-02',
      needs: ['jaeger'],
      dependsOn: ['JAEG-01'],
      reads: [...CLOCK_READS, fact.logs('jaeger')],
      run: ownErrors,
    }),
    jaeger('03', 'Jaeger can be reached', {
      about:
        'The Service jaeger must have ports 4317, 4318 and 16686 that lead to the pod. No ' +
        'NetworkPolicy may block the gateway from 4317 or Grafana from 16686. An empty OTLP export ' +
        'must return 200. Ports 14268 and 14250 of Jaeger 1 are also listed; nothing in this stack ' +
        'uses them.',
      sources: '003-TRB2-03',
      needs: ['jaeger'],
      dependsOn: ['JAEG-01', POLICIES],
      reads: [...serviceReads('jaeger'), REACH_READS, fact.otlp('jaeger')],
      run: endpoints,
    }),
    jaeger('04', 'Exports to Jaeger do not fail', {
      about:
        'Searches the gateway log for exports to Jaeger that failed in the last 15 minutes. Warning: ' +
        'there are some. Applications send to the gateway and do not notice such failures, so their ' +
        'logs are not read.',
      sources: '003-TRB2-04',
      needs: ['jaeger'],
      skipIf: unused,
      dependsOn: ['JAEG-01', 'JAEG-03', 'COL-18'],
      reads: [...CLOCK_READS, fact.logs(GATEWAY)],
      run: failedExports,
    }),
    jaeger('05', 'Traces can be found', {
      about:
        'Asks the API of Jaeger for the services that have traces; those of Jaeger and of the probe ' +
        'do not count. Failed: the API returns an error, or the gateway sends and Jaeger receives ' +
        'nothing. Warning: Jaeger received spans but lists no service. No service at all is ok: ' +
        'instrument the applications or correct their endpoint. A pod restart resets the memory ' +
        'store and the counters.',
      sources: '003-INST-02',
      needs: ['jaeger'],
      dependsOn: ['JAEG-01', 'JAEG-03', 'COL-18'],
      reads: (config) => [
        ...CLOCK_READS,
        fact.http('jaeger', SERVICES),
        METRICS,
        ...(config.prometheus.enabled && !unused(config) ? [fact.promql(SENT)] : []),
      ],
      run: services,
    }),
    jaeger('06', 'Traces are stored durably', {
      about:
        'Reads from the running configuration where Jaeger keeps traces. Warning: in memory, which ' +
        'is for development. The oldest traces are evicted first, a pod restart loses all of them, ' +
        'and no backup contains them. With OpenSearch, reads that Jaeger counts as failed are a ' +
        'warning too. The health of the OpenSearch indices is not checked.',
      sources: '003-JAEG-01, 003-JAEG-02, 003-QS-02',
      needs: ['jaeger'],
      dependsOn: ['JAEG-01', 'JAEG-05'],
      reads: [fact.running('jaeger'), fact.http('jaeger', SERVICES), METRICS],
      run: storage,
    }),
  ],
};
