import { checksOf, notHere, type Verdict, type Check, noTraces, ok, warn, fail, skip } from './lib/check.ts';
import { fact, FactUnavailable, type Facts } from './lib/facts.ts';
import { configResource } from './lib/place.ts';
import { traceStore } from '../parts/addresses.ts';
import type { Config } from '../profile/schema.ts';

const e2e = checksOf('E2E', 'probe');
const showGateway = (facts: Facts) =>
  `${facts.kubectlFor('opentelemetry-collector')} get ${configResource(facts, 'opentelemetry-collector')} -o yaml`;
const GATEWAY = ['COL-05', 'COL-02', 'COL-08', 'COL-10', 'COL-18'];
const GRAFANA = ['GRAF-01', 'GRAF-04', 'GRAF-05', 'GRAF-07'];

const probe = (facts: Facts) => facts.probe();

/** Hops of one signal: the first broken one is the finding, else the time of each. */
function hops(facts: Facts, ids: string[]): Verdict {
  const result = probe(facts);
  const own = result.hops.filter((hop) => ids.includes(hop.id));
  if (own.some((hop) => hop.detail === 'cancelled')) throw new FactUnavailable('the probe was cancelled');
  const broken = own.find((hop) => hop.status === 'broken');
  const done = own.filter((hop) => hop.status === 'ok');
  const times = done.map((hop) => `${hop.path} ${hop.ms} ms`).join(', ');
  if (broken) {
    const reached = times ? `; before it: ${times}` : '';
    return fail(`${broken.path} is broken after ${broken.ms} ms: ${broken.detail}${reached}`, {
      cause: broken.cause ?? 'this hop does not pass the signal on',
      fix: broken.fix ?? 'genai-obs doctor --verbose',
    });
  }
  if (done.length === 0) return skip(own[0]?.detail ?? 'the probe did not try this');
  return ok(times);
}

function links(facts: Facts): Verdict {
  const verdict = hops(facts, ['log-to-trace', 'trace-to-log']);
  // Both signals are there; only the way between them is not.
  return verdict.status === 'fail' ? { ...verdict, status: 'warn' } : verdict;
}

function complete(facts: Facts): Verdict {
  const { trace, hops: all } = probe(facts);
  if (!trace && all.some((hop) => hop.signal === 'trace' && hop.detail === 'cancelled'))
    throw new FactUnavailable('the probe was cancelled');
  if (!trace) return skip('the trace did not arrive (E2E-03)');
  if (!trace.connected)
    return fail(`${trace.spans} spans arrived, but the gen_ai span is not a child of its parent`, {
      cause: 'a processor rewrites span ids or drops spans of the trace',
      fix: showGateway(facts),
    });
  if (trace.missingAttributes.length)
    return warn(`${trace.spans} connected spans, without: ${trace.missingAttributes.join(', ')}`, {
      cause: 'a processor removes gen_ai attributes: dashboards and costs by model need them',
      fix: `${showGateway(facts)}, facts for attributes, redaction and transform processors`,
    });
  return ok(`${trace.spans} connected spans with all gen_ai attributes`);
}

function cleaned(facts: Facts): Verdict {
  const { cleanup } = probe(facts);
  const text = `Prometheus: ${cleanup.prometheus}; Loki: ${cleanup.loki}; ${cleanup.jaeger ?? cleanup.tempo}`;
  return cleanup.ok
    ? ok(text)
    : warn(text, {
        cause:
          'the backend refuses deletion: Prometheus needs --web.enable-admin-api, Loki its compactor with retention and deletion',
        fix: 'genai-obs plan, then genai-obs install; what is left ends with the retention',
      });
}

const without =
  (...ids: ('prometheus' | 'loki' | 'traces' | 'grafana' | 'opentelemetry-collector')[]) =>
  (config: Config) => {
    const missing = ids.find((id) => id !== 'traces' && !config[id].enabled);
    if (missing) return `${missing} is not part of this profile`;
    return ids.includes('traces') ? noTraces(config) : undefined;
  };

export const endToEndChecks: Check[] = [
  e2e('01', 'A metric arrives', {
    about:
      'One gauge with a nonce goes by OTLP/HTTP through the gateway, is found in Prometheus and again through Grafana’s datasource. Latency per hop; the first broken hop is named. The series is deleted afterwards.',
    sources: '001-CFG-13, 004-BAK-04, 004-P2-05, 004-T-01',
    reads: fact.probe(),
    dependsOn: [...GATEWAY, 'PROM-01', 'PROM-03', 'PROM-07', 'PROM-08', 'COL-16', ...GRAFANA],
    skipIf: without('opentelemetry-collector', 'prometheus'),
    run: (facts) => hops(facts, ['send-metric', 'prometheus', 'grafana-prometheus']),
  }),
  e2e('02', 'A log line arrives', {
    about:
      'One log record with a nonce and a trace id goes through the gateway, is found in Loki and again through Grafana’s datasource. Its deletion is requested afterwards.',
    sources: '001-CFG-13, 003-LOKI-08, 004-BAK-04, 004-P2-05, 004-T-02',
    reads: fact.probe(),
    dependsOn: [...GATEWAY, 'LOKI-01', 'LOKI-02', 'LOKI-05', 'COL-16', ...GRAFANA],
    skipIf: without('opentelemetry-collector', 'loki'),
    run: (facts) => hops(facts, ['send-log', 'loki', 'grafana-loki']),
  }),
  e2e('03', 'A trace arrives', {
    about:
      'One gen_ai trace of two spans that asks the sampler to be kept goes through the gateway, is found in Tempo, or in Jaeger where that stores the traces, and again through Grafana’s datasource. Neither can delete: the trace ends with the retention, or with Jaeger’s memory.',
    sources: '001-CFG-13, 002-TDEP-04, 004-BAK-04, 004-T-03',
    reads: fact.probe(),
    dependsOn: [...GATEWAY, 'TEMPO-01', 'TEMPO-02', 'TEMPO-03', 'JAEG-01', 'JAEG-03', 'COL-21', 'COL-16', ...GRAFANA],
    skipIf: without('opentelemetry-collector', 'traces'),
    run: (facts) => {
      const store = traceStore(facts.config) ?? 'tempo';
      return hops(facts, ['send-trace', store, `grafana-${store}`]);
    },
  }),
  e2e('04', 'macOS hosts send temperature and power', {
    about: 'Only for profiles with macOS agents.',
    sources: '004-T-04',
    ...notHere('this profile has no macOS agents'),
  }),
  e2e('05', 'The log line opens its trace', {
    about:
      'Takes the derived fields of the datasource loki from Grafana’s API, applies them to the probe’s log line as Grafana does, and follows the link to the trace; then runs the query that Grafana offers on a span and finds the log line again. A warning when one of them fails.',
    sources: '001-CHK-11',
    reads: fact.probe(),
    dependsOn: ['E2E-02', 'E2E-03', 'GRAF-09', 'GRAF-10'],
    skipIf: without('opentelemetry-collector', 'traces', 'loki', 'grafana'),
    run: links,
  }),
  e2e('06', 'The trace is complete', {
    about:
      'The trace read back from Tempo or Jaeger has both spans, connected, and all gen_ai attributes that dashboards and costs need.',
    sources: '001-CHK-07, 001-PRIN-03, 001-SDK-06, 001-TRACE-01, 001-TRACE-02, 001-TRACE-03, 002-ATTR-01',
    reads: fact.probe(),
    dependsOn: ['E2E-03'],
    skipIf: without('opentelemetry-collector', 'traces'),
    run: complete,
  }),
  e2e('07', 'Sampling policies keep what they must', {
    about:
      'Only for profiles with tail sampling. The quickstart profile samples by a share at the head; the probe’s trace asks to be kept (E2E-03).',
    sources: '003-SAMP-03, 003-SAMP-04, 003-SAMP-05, 003-SAMP-06, 003-SAMP-07, 003-SAMP-08',
    ...notHere('this profile samples by a share and has no policies'),
  }),
  e2e('08', 'The probe cleaned up', {
    about:
      'A check of our own, beyond appendix 1: what the probe wrote was removed from Prometheus and its deletion requested from Loki. The trace expires with Tempo’s retention, or is pushed out of Jaeger’s memory, because neither can delete.',
    sources: 'genai-obs; peers.md 10',
    reads: fact.probe(),
    dependsOn: ['E2E-01', 'E2E-02', 'E2E-03'],
    skipIf: without('opentelemetry-collector'),
    run: cleaned,
  }),
];
