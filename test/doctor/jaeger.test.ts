import type { FactMap } from '../../src/checks/lib/facts.ts';
import { expect, it } from 'vitest';
import { stringify } from 'yaml';
import { CHECKS } from '../../src/checks/index.ts';
import { dashboards } from '../../src/parts/grafana/dashboards.ts';
import { datasources } from '../../src/parts/grafana/datasources.ts';
import { listAt } from '../../src/core/json.ts';
import type { JsonMap } from '../../src/core/types.ts';
import { collectFacts } from '../../src/doctor/facts/index.ts';
import type { Deps } from '../../src/doctor/facts/context.ts';
import { diagnose } from '../../src/doctor/run.ts';
import { applySet } from './support-edit.ts';
import { casesOf, healthy, quickstart } from './support.ts';

const config = quickstart({ 'tempo.enabled': false, jaeger: { enabled: true } });
const objects = casesOf('jaeg')[0]?.set ?? {};

/** The healthy stack with traces in Jaeger. */
function withJaeger(): FactMap {
  const file = datasources(config);
  const sources = (listAt(file, 'datasources') as JsonMap[]).map(
    (one) => JSON.parse(JSON.stringify(one).replaceAll('$$', '$')) as JsonMap,
  );
  // Only the recorded dashboards that exist without Tempo.
  const recorded = (healthy()['k8s:ConfigMap'] as { value: { metadata: { name: string }; data?: JsonMap }[] }).value;
  const known = recorded.find(({ metadata }) => metadata.name === 'genai-dashboards')?.data ?? {};
  const boards = Object.fromEntries(Object.entries(dashboards(config)).filter(([name]) => name in known));
  return applySet(healthy(), {
    ...objects,
    'grafana:/api/datasources': { '/body': sources },
    'k8s:ConfigMap': {
      '/@grafana-datasources/data/datasources.yaml': stringify(file),
      '/@genai-dashboards/data': boards,
    },
    'releases:helm': { '/-': { name: 'jaeger', namespace: config.namespace, revision: 1, status: 'deployed' } },
    'k8s:PersistentVolumeClaim': { '/@tempo-data': { $remove: true } },
    'config:opentelemetry-collector': { '/exporters/otlp_grpc~1tempo/endpoint': 'jaeger:4317' },
    'probe:result': {
      '/hops/@id=tempo': {
        id: 'jaeger',
        signal: 'trace',
        path: 'gateway → Jaeger',
        status: 'ok',
        ms: 90,
        detail: 'arrived',
      },
      '/hops/@id=grafana-tempo': {
        id: 'grafana-jaeger',
        signal: 'trace',
        path: 'Jaeger → Grafana',
        status: 'ok',
        ms: 9,
        detail: 'arrived',
      },
      '/cleanup/jaeger': 'Jaeger cannot delete: the trace is pushed out',
    },
  });
}

it('the whole doctor reports only memory storage (JAEG-06) for a stack whose traces are in Jaeger', () => {
  const findings = diagnose(withJaeger(), config, CHECKS, { probe: true });
  const odd = findings.filter(({ status }) => status !== 'ok' && status !== 'skip');
  expect(odd.map(({ id, status, evidence }) => `${status} ${id}: ${evidence}`)).toEqual([
    expect.stringMatching(/^warn JAEG-06: traces are in memory: at most 50000/),
  ]);
  const evidenceOf = (id: string) => findings.find((one) => one.id === id)?.evidence;
  expect(evidenceOf('E2E-03')).toContain('gateway → Jaeger 90 ms, Jaeger → Grafana 9 ms');
  expect(evidenceOf('E2E-08')).toContain('Jaeger cannot delete');
  expect(evidenceOf('COL-18')).toContain('traces → jaeger:4317');
  expect(evidenceOf('GRAF-07')).toContain('Jaeger');
});

it('reaches Jaeger through its Service, on the ports of query API, metrics and OTLP', async () => {
  const asked: string[] = [];
  const kube = {
    service: (namespace: string, name: string, port: number, path: string, { method = 'GET' } = {}) => {
      asked.push(`${method} ${namespace}/${name}:${port}${path}`);
      return Promise.resolve({ status: 200, body: '{}' });
    },
  };
  const elsewhere = quickstart({ 'tempo.enabled': false, jaeger: { enabled: true, namespace: 'traces' } });
  await collectFacts(['http:jaeger:/api/services', 'http:jaeger:8888:/metrics', 'otlp:jaeger'], {
    kube,
    config: elsewhere,
  } as unknown as Deps);
  expect(asked.toSorted()).toEqual([
    'GET traces/jaeger:16686/api/services',
    'GET traces/jaeger:8888/metrics',
    'POST traces/jaeger:4318/v1/traces',
  ]);
});
