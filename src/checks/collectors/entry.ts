import { type Verdict, type Check, checksOf, ok, warn, fail, skip } from '../lib/check.ts';
import { fact, type Facts } from '../lib/facts.ts';
import { isReady, podsOf } from '../lib/objects.ts';
import { listAt, textAt } from '../../core/json.ts';
import { plural, list } from '../../core/text.ts';
import { openReceivers } from '../../parts/collectors/mtls.ts';
import { configReads, eachCollector, enabledCollectors, GATEWAY, pipelinesOf, typeOf } from '../lib/collectors.ts';
import { POLICIES, REACH_READS, reachVerdict } from '../lib/network.ts';
import { configObject, resourceOf, serviceObject } from '../lib/place.ts';
import { bodyText, endpointsVerdict, serviceReads, serviceVerdict } from '../lib/service.ts';

const col = checksOf('COL');
const SCRAPED = 'sum(scrape_samples_scraped{instance=~".*:8889"})';
const UP = 'up{job="otel-collector"}';

function grpcEntry(facts: Facts): Verdict {
  const open = openReceivers(facts.config);
  const ports = open.flatMap(({ grpc, http }) => [grpc, http]);
  const service = serviceVerdict(facts, GATEWAY, ports);
  if (service.status !== 'ok') return service;
  const config = facts.running(GATEWAY);
  for (const [receiver, protocol] of open.flatMap((one) => [
    [one.receiver, 'grpc'],
    [one.receiver, 'http'],
  ])) {
    const endpoint = textAt(config, 'receivers', receiver ?? '', 'protocols', protocol ?? '', 'endpoint') ?? '';
    if (!/^(0\.0\.0\.0|\[::\]|\$\{env:\w+\}):\d+$/.test(endpoint)) {
      return fail(`the OTLP receiver listens for ${protocol} on ${endpoint || 'localhost (its default)'}`, {
        cause: 'a receiver on localhost accepts nothing from other pods',
        fix: 'genai-obs install   # sets it to 0.0.0.0',
        object: configObject(facts, GATEWAY),
      });
    }
  }
  const reach = reachVerdict(facts, GATEWAY, ports);
  return reach.status === 'ok' ? ok(`receiver on 0.0.0.0, ${service.evidence}; ${reach.evidence}`) : reach;
}

function ownMetrics(facts: Facts): Verdict {
  for (const { id, config } of eachCollector(facts)) {
    const readers = listAt(config, 'service', 'telemetry', 'metrics', 'readers');
    const host = readers
      .map((reader) => textAt(reader, 'pull', 'exporter', 'prometheus', 'host'))
      .find((one) => one !== undefined);
    if (host === undefined || /^(localhost|127\.)/.test(host)) {
      return warn(
        `${facts.place(id).workload.name} exposes its own metrics on ${host ?? 'localhost (the default)'} only`,
        {
          cause: 'service.telemetry.metrics.readers does not name 0.0.0.0',
          fix: 'genai-obs install',
          object: configObject(facts, id),
        },
      );
    }
  }
  const up = new Map(facts.promql(UP).map(({ metric, value }) => [metric['pod'] ?? metric['instance'] ?? '', value]));
  const pods = enabledCollectors(facts.config)
    .flatMap((id) => podsOf(facts, id))
    .filter(isReady);
  const silent = pods.filter((pod) => up.get(pod.metadata.name) === 0).map((pod) => pod.metadata.name);
  const unknown = pods.filter((pod) => !up.has(pod.metadata.name)).map((pod) => pod.metadata.name);
  const name = silent[0] ?? unknown[0] ?? '';
  const home = pods.find((pod) => pod.metadata.name === name)?.metadata.namespace ?? facts.namespace;
  const fix = `${facts.kubectlIn(home)} port-forward pod/${name} 8888   # then: curl localhost:8888/metrics`;
  if (silent.length)
    return fail(`${list(silent)} ${silent.length === 1 ? 'does' : 'do'} not answer Prometheus on 8888`, {
      cause: 'the port is closed or a NetworkPolicy blocks it',
      fix,
    });
  // Prometheus discovers a new pod within one scrape interval.
  if (unknown.length === pods.length && pods.length)
    return fail(`Prometheus scrapes none of ${plural(pods.length, 'collector pod')}`, {
      cause: 'the scrape job otel-collector finds no pod: labels, port name or permissions of Prometheus',
      fix,
    });
  return ok(
    `${pods.length - unknown.length} of ${plural(pods.length, 'collector pod')} scraped on ` +
      `8888${unknown.length ? `, not yet ${list(unknown)}` : ''}`,
  );
}

export const entryChecks: Check[] = [
  col('08', 'The gateway Service has endpoints', {
    about:
      "Reads the EndpointSlices of the gateway's Service, to which applications send. Failed: no ready " +
      'endpoint, so that every connection is refused. The finding says whether no pod is ready or the ' +
      'selector does not match the labels of the pods.',
    sources: '000-OPEN-04, 000-TRB-02, 003-COL-13, 003-QS-04',
    needs: [GATEWAY],
    dependsOn: ['COL-02', 'COL-09'],
    reads: [fact.objects('Service'), fact.objects('EndpointSlice'), fact.pods()],
    run: (facts) => endpointsVerdict(facts, GATEWAY),
  }),
  col('09', 'OTLP port 4317 can be reached', {
    about:
      "Follows a sender's path by declaration: the Service has ports 4317 and 4318, they lead to " +
      'container ports, the receiver listens on all addresses, and no NetworkPolicy blocks the other ' +
      'collectors. Failed: one of these does not hold; the finding names it. No pod is started; the ' +
      'end-to-end probe sends real data.',
    sources: '000-CFG-01, 001-PORT-01, 003-COL-01',
    needs: [GATEWAY],
    dependsOn: ['COL-05', POLICIES],
    reads: [...serviceReads(GATEWAY), REACH_READS, fact.running(GATEWAY)],
    run: grpcEntry,
  }),
  col('10', 'The gateway accepts OTLP over HTTP', {
    about:
      'Posts an empty OTLP request to port 4318 of the gateway, which changes nothing. Ok: 200, or 405, ' +
      'which also proves that the receiver answers. Failed: anything else; no answer means no ready pod ' +
      'or a receiver on localhost, 404 another server on that port.',
    sources: '000-TRB-03, 001-PORT-01, 003-COL-01',
    needs: [GATEWAY],
    dependsOn: ['COL-02', 'COL-08', 'COL-09'],
    reads: [fact.otlp('gateway')],
    run: (facts) => {
      const { status } = facts.otlp('gateway');
      if (status === 200 || status === 405) return ok(`POST /v1/traces on 4318 answers ${status}`);
      return fail(`POST /v1/traces on 4318 answers ${status}`, {
        cause:
          status === 404
            ? 'another server than an OTLP receiver listens on 4318'
            : 'no ready gateway pod answers on 4318',
        fix: `${facts.kubectlFor(GATEWAY)} logs ${resourceOf(facts, GATEWAY)} --tail=50`,
        object: serviceObject(facts, GATEWAY),
      });
    },
  }),
  col('11', 'Collectors answer their health check', {
    about:
      'Requests the health_check extension on port 13133 of each collector; Kubernetes uses it for ' +
      'readiness and restarts. Ok: 200, all pipelines run. Failed: another status, because a component ' +
      'failed after the start; its log names it.',
    sources: '001-CFG-12, 001-COL-05, 003-COL-15',
    dependsOn: ['COL-01', 'COL-02', 'COL-24', 'COL-08', 'COL-09'],
    reads: (config) => enabledCollectors(config).map((id) => fact.http(id, '/')),
    run: (facts) => {
      const answers = enabledCollectors(facts.config).map((id) => ({ id, ...facts.http(id, '/') }));
      const bad = answers.find(({ status }) => status !== 200);
      if (!bad) return ok(`${answers.length} collectors answer 200 on 13133`);
      return fail(`${facts.place(bad.id).workload.name} answers ${bad.status} on 13133: ${bodyText(bad.body, 120)}`, {
        cause: 'no ready pod, or a component of the collector has failed',
        fix: `${facts.kubectlFor(bad.id)} logs ${resourceOf(facts, bad.id)} --tail=50`,
        object: serviceObject(facts, bad.id),
      });
    },
  }),
  col('12', 'Collectors expose their own metrics', {
    about:
      'Checks that Prometheus scrapes port 8888 of every collector pod as job otel-collector; the checks ' +
      'of throughput, refusals and queues need it. Warning: the reader listens on localhost only. ' +
      'Failed: a pod does not answer, or no pod is scraped.',
    sources: '001-PORT-01, 001-PROM-08, 004-TRB-02',
    needs: ['prometheus'],
    dependsOn: ['PROM-01', 'PROM-03', 'COL-05', 'COL-01', 'COL-02', 'COL-24'],
    reads: (config) => [
      ...configReads(config),
      fact.promql(UP),
      fact.pods(),
      ...enabledCollectors(config).map((id) => fact.workloads(id)),
    ],
    run: ownMetrics,
  }),
  col('13', 'The Prometheus exporter on 8889 has series', {
    about:
      'Only where a pipeline of the gateway uses the prometheus exporter on 8889 instead of OTLP. ' +
      'Failed: Prometheus does not scrape that port, or it exposes no series. Check the scrape job and ' +
      'the pipeline.',
    sources: '003-COL-07, 003-TRB-03',
    needs: [GATEWAY, 'prometheus'],
    dependsOn: ['COL-05', 'PROM-01'],
    reads: [fact.running(GATEWAY), fact.promql(SCRAPED)],
    run: (facts) => {
      const used = pipelinesOf(facts.running(GATEWAY)).some(({ exporters }) =>
        exporters.some((name) => typeOf(name) === 'prometheus'),
      );
      if (!used) return skip('metrics leave the gateway by OTLP: no pipeline uses a prometheus exporter on 8889');
      const series = facts.promql(SCRAPED)[0]?.value;
      if (series) return ok(`${series} samples per scrape of 8889`);
      return fail(series === undefined ? 'Prometheus scrapes no port 8889' : 'port 8889 exposes no series', {
        cause: 'the scrape job is missing, or no metrics reach the pipeline',
        fix:
          `${facts.kubectlFor(GATEWAY)} port-forward ${resourceOf(facts, GATEWAY)} 8889   # then: curl ` +
          'localhost:8889/metrics',
      });
    },
  }),
];
