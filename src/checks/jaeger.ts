import { type Verdict, type Check, checksOf, ok, warn, fail, skip } from './lib/check.ts';
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
/** Its own counters: nothing else scrapes them, and they begin anew with its memory. */
const METRICS = fact.http('jaeger', '/metrics', 8888);
const SENT = 'sum(rate({__name__=~"otelcol_exporter_sent_spans(_total)?",exporter=~".*jaeger.*"}[15m]))';
const ERROR = /\t(error|fatal|panic)\t|"level":"(error|fatal|panic)"/;
const STORAGE = /storage|opensearch|elasticsearch|\bes\b|index|bulk/i;
const FAILED_EXPORT = /(Exporting failed|Dropping data).*jaeger|jaeger.*(Exporting failed|Dropping data)/;

/** Only where the gateway sends to it; beside Tempo it gets nothing. */
function unused(config: Config): string | undefined {
  if (!config[GATEWAY].enabled) return `${GATEWAY}.enabled is false`;
  return traceStore(config) === 'tempo' ? 'the gateway sends traces to Tempo' : undefined;
}

/** Sum of a counter's samples, of those whose labels fit; undefined before its first event. */
function counter(facts: Facts, name: string, labels = /./): number | undefined {
  const { status, body: text } = facts.http('jaeger', '/metrics', 8888);
  if (status !== 200) throw new FactUnavailable(`GET /metrics of jaeger answers ${status}`);
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
  if (!last) return ok('no error line of the last 15 min in its last 200 lines');
  const storage = lines.findLast(({ text }) => STORAGE.test(text));
  const evidence = `${plural(lines.length, 'error line')} in 15 min, the last: ${oneLine(essence((storage ?? last).text), 200)}`;
  const more = { fix: LOGS(facts), object: workloadObject(facts, 'jaeger') };
  return storage
    ? fail(evidence, { cause: 'its storage refuses or does not answer', ...more })
    : warn(evidence, { cause: 'see the message', ...more });
}

function ways(facts: Facts): Verdict {
  const service = serviceVerdict(facts, 'jaeger', [4317, 4318, 16686]);
  if (service.status !== 'ok') return service;
  const reach = reachVerdict(facts, 'jaeger', [4317, 16686]);
  if (reach.status !== 'ok') return reach;
  const { status } = facts.otlp('jaeger');
  if (status === 200) return ok(`${reach.evidence}; an empty OTLP export is answered with 200`);
  return fail(`an empty OTLP export to port 4318 is answered with ${status}`, {
    cause: status === 503 ? 'no pod of Jaeger is ready' : 'its otlp receiver is off, or not in the pipeline of traces',
    fix: `genai-obs install   # puts the configuration back; then: ${LOGS(facts)}`,
    object: configObject(facts, 'jaeger'),
  });
}

function failedExports(facts: Facts): Verdict {
  const lines = recentLines(facts, GATEWAY, settledFor(facts), FAILED_EXPORT);
  const last = lines.at(-1);
  if (!last) return ok('no failed export to Jaeger in the last 200 lines of each gateway pod');
  const said = /"error": ?"((?:\\.|[^"\\])*)/.exec(last.text)?.[1] ?? essence(last.text);
  return warn(`${plural(lines.length, 'failed export')} to Jaeger in 15 min, the last: ${oneLine(said, 180)}`, {
    cause: 'Jaeger does not answer or refuses; the gateway keeps spans in its queue until that is full',
    fix: `${facts.kubectlFor(GATEWAY)} logs ${resourceOf(facts, GATEWAY)} --since=15m | grep -i jaeger   # then JAEG-01 to JAEG-03`,
    object: workloadObject(facts, 'jaeger'),
  });
}

function services(facts: Facts): Verdict {
  const answer = facts.http('jaeger', SERVICES);
  if (answer.status !== 200)
    return fail(`${SERVICES} answers ${answer.status}: ${bodyText(answer.body)}`, {
      cause: 'its storage cannot be read',
      fix: LOGS(facts),
      object: workloadObject(facts, 'jaeger'),
    });
  const listed = textsAt(answer.body, 'data');
  const applications = listed.filter((name) => name !== 'jaeger' && name !== PROBE_SERVICE);
  const taken = counter(facts, 'otelcol_receiver_accepted_spans_total') ?? 0;
  if (applications.length)
    return ok(`${plural(applications.length, 'service')}: ${list(applications)}; ${taken} spans taken since its start`);
  if (taken && !listed.length)
    return warn(`${taken} spans taken since its start, and ${SERVICES} lists nothing`, {
      cause: 'spans do not get from its receiver into its storage',
      fix: LOGS(facts),
      object: configObject(facts, 'jaeger'),
    });
  const sent = facts.config.prometheus.enabled && !unused(facts.config) ? scalar(facts, SENT) : undefined;
  if (sent && !taken) {
    if (settledFor(facts) < 120) return skip(`the stack started ${formatDuration(settledFor(facts))} ago: no rate yet`);
    return fail(`the gateway sends ${rate(sent, 'spans')} and Jaeger has taken none since its start`, {
      cause: `the exporter sends elsewhere than to ${jaegerHost(facts.config, facts.place(GATEWAY).namespace)}:4317`,
      fix: `${facts.kubectlFor(GATEWAY)} logs ${resourceOf(facts, GATEWAY)} --since=15m | grep jaeger`,
      object: workloadObject(facts, 'jaeger'),
    });
  }
  return ok(
    `the query API answers; no application has sent traces since its start${unused(facts.config) ? ` (${unused(facts.config)})` : ''}`,
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
      `traces lie in memory: at most ${traces}, the oldest go first, all are gone with the pod, and no backup has them${drifted}`,
      {
        cause: drifted
          ? 'the profile was changed and not applied, or the ConfigMap edited by hand'
          : 'jaeger.storage is memory, which is for development',
        fix: drifted
          ? 'genai-obs install'
          : 'set jaeger.storage to opensearch with an endpoint, or tempo.enabled in its place, then: genai-obs install',
        object,
      },
    );
  }
  const urls = textsAt(backend, 'opensearch', 'server_urls');
  if (!urls.length) throw new FactUnavailable('its configuration names no storage that is known here');
  bodyOf(facts, 'jaeger', SERVICES);
  const asked = counter(facts, 'jaeger_storage_requests_total', /kind="(opensearch|elasticsearch)"/) ?? 0;
  const failed = counter(facts, 'jaeger_storage_requests_total', /result="err"/) ?? 0;
  const text = `OpenSearch at ${list(urls)} answers`;
  if (!failed) return ok(`${text}; ${plural(asked, 'read')} since its start, none failed`);
  return warn(
    `${text}; ${failed} of ${plural(asked, 'read')} since its start failed (${percent(failed / Math.max(failed, asked))})`,
    {
      cause: 'OpenSearch was out of reach, overloaded, or its indices are red',
      fix: LOGS(facts),
      object: workloadObject(facts, 'jaeger'),
    },
  );
}

export const jaegerChecks: Check[] = [
  jaeger('01', 'Jaeger is ready', {
    about:
      'The Deployment of Jaeger must have its pod ready; without it no traces are stored or shown, and the gateway keeps them in its queue until that is full. The pod is found by the selector of the Deployment, which holds the instance label; the component label of Jaeger 1 is gone. The finding names the cause: an image, memory, or the line with which Jaeger ended.',
    sources: '003-COL-08, 003-JAEG-03, 003-TRB2-01',
    needs: ['jaeger'],
    reads: workloadReads('jaeger'),
    run: (facts) => workloadVerdict(facts, 'jaeger'),
  }),
  jaeger('02', 'Jaeger logs no errors', {
    about:
      'Error lines of the last 15 minutes in the last 200 lines of Jaeger. Errors about its storage fail, since what it cannot write is lost; others warn. Lines of the first five minutes after a start are not counted.',
    sources: '003-TRB2-02',
    needs: ['jaeger'],
    dependsOn: ['JAEG-01'],
    reads: [...CLOCK_READS, fact.logs('jaeger')],
    run: ownErrors,
  }),
  jaeger('03', 'Nothing is in the way to Jaeger', {
    about:
      'The Service jaeger must have ports 4317, 4318 and 16686 that lead to the pod, no NetworkPolicy may keep the gateway from 4317 or Grafana from 16686, and an empty OTLP export must be answered with 200. The Service also lists 14268 and 14250 of Jaeger 1, which nothing of this stack uses and no receiver of it serves.',
    sources: '003-TRB2-03',
    needs: ['jaeger'],
    dependsOn: ['JAEG-01', POLICIES],
    reads: [...serviceReads('jaeger'), REACH_READS, fact.otlp('jaeger')],
    run: ways,
  }),
  jaeger('04', 'Exports to Jaeger do not fail', {
    about:
      'Looks in the log of the gateway for exports to Jaeger that failed within 15 minutes. Applications send to the gateway and hear nothing of it, so this is the log in which it shows; their own logs are not read.',
    sources: '003-TRB2-04',
    needs: ['jaeger'],
    skipIf: unused,
    dependsOn: ['JAEG-01', 'JAEG-03', 'COL-18'],
    reads: [...CLOCK_READS, fact.logs(GATEWAY)],
    run: failedExports,
  }),
  jaeger('05', 'Traces can be found', {
    about:
      "Asks Jaeger's API for the services that it has traces of, and names them; its own and those of the probe do not count. An error of the API fails, and so does a gateway that sends while Jaeger takes nothing; spans that it took and cannot find warn. No service at all is told, and then applications need instrumentation or the right endpoint. Its memory and its counters both begin anew with its pod.",
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
      'Where the running configuration of Jaeger keeps traces. Memory warns and names its limit: it is for development, the oldest traces go first, all go with the pod, and no backup has them. With OpenSearch the reads that Jaeger counts as failed warn, and an API that cannot read fails to be looked at; the color of its indices is for its own owner to watch.',
    sources: '003-JAEG-01, 003-JAEG-02, 003-QS-02',
    needs: ['jaeger'],
    dependsOn: ['JAEG-01', 'JAEG-05'],
    reads: [fact.running('jaeger'), fact.http('jaeger', SERVICES), METRICS],
    run: storage,
  }),
];
