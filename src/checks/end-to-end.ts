import { checksOf, notHere, type Verdict, type Area, noTraces, ok, warn, fail, skip } from './lib/check.ts';
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
      cause: broken.cause ?? 'this hop does not forward the signal',
      fix: broken.fix ?? 'genai-obs doctor --verbose',
    });
  }
  if (done.length === 0) return skip(own[0]?.detail ?? 'the probe did not try this');
  return ok(times);
}

function links(facts: Facts): Verdict {
  const verdict = hops(facts, ['log-to-trace', 'trace-to-log']);
  // Both signals arrived; only the link between them is broken.
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
      fix: `${showGateway(facts)}; look for attributes, redaction and transform processors`,
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
          'the backend refuses the deletion: Prometheus needs --web.enable-admin-api, Loki its ' +
          'compactor with retention and deletion',
        fix: 'genai-obs plan, then genai-obs install; the rest expires with the retention',
      });
}

const without =
  (...ids: ('prometheus' | 'loki' | 'traces' | 'grafana' | 'opentelemetry-collector')[]) =>
  (config: Config) => {
    const missing = ids.find((id) => id !== 'traces' && !config[id].enabled);
    if (missing) return `${missing} is not part of this profile`;
    return ids.includes('traces') ? noTraces(config) : undefined;
  };

export const endToEndArea: Area = {
  id: 'E2E',
  title: 'End to end',
  about:
    'Only with `--probe`: sends one gen_ai trace, metric and log with a nonce through the gateway. ' +
    'Then reads them back from the backends and through Grafana, and removes them.',
  checks: [
    e2e('01', 'A metric arrives', {
      about:
        'Sends one gauge with a nonce by OTLP/HTTP to the gateway and reads it from Prometheus and through ' +
        "Grafana's datasource. Ok: all hops, with the latency of each. Failed: the first broken hop is " +
        'named. The series is deleted afterwards.',
      sources: '001-CFG-13, 004-BAK-04, 004-P2-05, 004-T-01',
      reads: fact.probe(),
      dependsOn: [...GATEWAY, 'PROM-01', 'PROM-03', 'PROM-07', 'PROM-08', 'COL-16', ...GRAFANA],
      skipIf: without('opentelemetry-collector', 'prometheus'),
      run: (facts) => hops(facts, ['send-metric', 'prometheus', 'grafana-prometheus']),
    }),
    e2e('02', 'A log line arrives', {
      about:
        'Sends one log record with a nonce and a trace id to the gateway and reads it from Loki and ' +
        "through Grafana's datasource. Failed: the first broken hop is named. Its deletion is requested " +
        'afterwards.',
      sources: '001-CFG-13, 003-LOKI-08, 004-BAK-04, 004-P2-05, 004-T-02',
      reads: fact.probe(),
      dependsOn: [...GATEWAY, 'LOKI-01', 'LOKI-02', 'LOKI-05', 'COL-16', ...GRAFANA],
      skipIf: without('opentelemetry-collector', 'loki'),
      run: (facts) => hops(facts, ['send-log', 'loki', 'grafana-loki']),
    }),
    e2e('03', 'A trace arrives', {
      about:
        'Sends one gen_ai trace of two spans, marked to be kept by the sampler, and reads it from Tempo, ' +
        "or from Jaeger where that stores traces, and through Grafana's datasource. Failed: the first " +
        'broken hop is named. Neither backend can delete a trace: it expires with the retention, or with ' +
        "Jaeger's memory.",
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
      about: 'Always skipped: only for profiles with macOS agents.',
      sources: '004-T-04',
      ...notHere('this profile has no macOS agents'),
    }),
    e2e('05', 'The log line opens its trace', {
      about:
        "Applies the derived fields of Grafana's datasource loki to the probe's log line and follows the " +
        'link to the trace; then runs the query that Grafana offers on a span and looks for the log line. ' +
        'Warning: one of the two links does not work. Run install for the phase datasources.',
      sources: '001-CHK-11',
      reads: fact.probe(),
      dependsOn: ['E2E-02', 'E2E-03', 'GRAF-09', 'GRAF-10'],
      skipIf: without('opentelemetry-collector', 'traces', 'loki', 'grafana'),
      run: links,
    }),
    e2e('06', 'The trace is complete', {
      about:
        'Checks the trace read from Tempo or Jaeger. Failed: the gen_ai span is not a child of the other ' +
        'span. Warning: a gen_ai attribute that dashboards and costs need is missing. Look for processors ' +
        'that rewrite ids or remove attributes.',
      sources: '001-CHK-07, 001-PRIN-03, 001-SDK-06, 001-TRACE-01, 001-TRACE-02, 001-TRACE-03, 002-ATTR-01',
      reads: fact.probe(),
      dependsOn: ['E2E-03'],
      skipIf: without('opentelemetry-collector', 'traces'),
      run: complete,
    }),
    e2e('07', 'Sampling policies keep what they must', {
      about:
        'Always skipped: only for profiles with tail sampling. Other profiles sample a share of traces at ' +
        "the head; the probe's trace is marked to be kept (E2E-03).",
      sources: '003-SAMP-03, 003-SAMP-04, 003-SAMP-05, 003-SAMP-06, 003-SAMP-07, 003-SAMP-08',
      ...notHere('this profile samples by a share and has no policies'),
    }),
    e2e('08', 'The probe cleaned up', {
      about:
        'Checks that what the probe wrote was deleted from Prometheus and its deletion requested from ' +
        "Loki. Warning: a backend refused. The trace expires with Tempo's retention, or leaves Jaeger's " +
        'memory, because neither can delete it.',
      sources: 'genai-obs',
      reads: fact.probe(),
      dependsOn: ['E2E-01', 'E2E-02', 'E2E-03'],
      skipIf: without('opentelemetry-collector'),
      run: cleaned,
    }),
  ],
};
