import type { Verdict } from '../../src/checks/lib/check.ts';
import { describe, expect, it } from 'vitest';
import { CHECKS } from '../../src/checks/index.ts';
import { accountOf, placeOf } from '../../src/parts/catalog.ts';
import { diagnose, factKeys, judge } from '../../src/doctor/run.ts';
import { COMPONENT_IDS, namespacesOf } from '../../src/profile/schema.ts';
import { applySet, type FactEdits } from './support-edit.ts';
import { K3S, SPREAD, STACK } from './support-placements.ts';
import { relocation } from './support-relocate.ts';
import { type Case, casesOf, healthy, quickstart } from './support.ts';

/** Cases that mean something else in a placement, and what they mean there. */
const OTHERWISE: Record<string, { cases: RegExp; status: Verdict['status']; why: string }[]> = {
  k3s: [
    { cases: /^PROM-02 .*no port 80, only 9090/, status: 'ok', why: '9090 is the port of that chart' },
    { cases: /^PRE-10 .*quota too small/, status: 'ok', why: 'no single namespace needs what the quota leaves' },
    { cases: /^PRE-29 fail/, status: 'ok', why: 'objects of upstream charts lack our label; helm notes their release' },
  ],
  spread: [{ cases: /^PRE-1[01] .*quota/, status: 'ok', why: 'no single namespace needs what the quota leaves' }],
  'kube-prometheus-stack': [
    { cases: /^PRE-29 .*upstream chart/, status: 'ok', why: 'an operator signs what it makes' },
    { cases: /^PROM-02 .*no port 80, only 9090/, status: 'ok', why: '9090 is the port of that chart' },
    {
      cases:
        /^(ALRT-05|ALRT-10|ALRT-11|PROM-13) (fail|warn): .*(Mine|ConfigMap was deleted|syntax error|not reloaded yet)/,
      status: 'ok',
      why: 'no ConfigMap of rules',
    },
  ],
};

const PLACEMENTS = { k3s: K3S, 'kube-prometheus-stack': STACK, spread: SPREAD };

const base = healthy();
const before = quickstart();
const textOf = ({ evidence, cause = '', fix = '', object = '' }: Omit<Verdict, 'status'>) =>
  [evidence, cause, fix, object].join('\n');

describe.each(Object.entries(PLACEMENTS))('the doctor in placement %s', (name, placement) => {
  const config = quickstart(placement);
  const relocate = relocation(before, config);
  const facts = relocate(base);
  const namespaces = namespacesOf(config);

  const judged = (one: Pick<Case, 'check' | 'set' | 'config'>) => {
    const check = CHECKS.find(({ id }) => id === one.check);
    if (!check) throw new Error(`no check ${one.check}`);
    const changed = one.config ? quickstart({ ...placement, ...one.config }) : config;
    const move = one.config ? relocation(quickstart(one.config), changed) : relocate;
    return judge(check, move(applySet(base, one.set ?? {})), changed, 'ctx');
  };

  it('reads only what exists there', () => {
    const places = COMPONENT_IDS.map((id) => placeOf(config, id));
    const known: Record<string, Set<string>> = {
      http: new Set(places.map(({ service }) => service.name)),
      as: new Set(COMPONENT_IDS.map((id) => accountOf(config, id))),
      config: new Set(COMPONENT_IDS),
      logs: new Set(COMPONENT_IDS),
    };
    const lost = factKeys(CHECKS, config, { probe: true }).filter((key) => {
      const [scheme = '', name = ''] = key.split(':');
      return known[scheme] ? !known[scheme].has(name) : !(key in facts);
    });
    expect(lost).toEqual([]);
  });

  it('finds nothing wrong with a healthy stack, and skips nothing without a reason of the placement', () => {
    const statuses = new Map(diagnose(healthy(), before, CHECKS, { probe: true }).map((one) => [one.id, one.status]));
    const findings = diagnose(facts, config, CHECKS, { probe: true });
    expect(
      findings
        .filter((one) => one.status !== 'ok' && one.status !== 'skip')
        .map((one) => `${one.status} ${one.id}: ${one.evidence}`),
    ).toEqual([]);
    const skipped = findings.filter((one) => one.status === 'skip' && statuses.get(one.id) === 'ok');
    expect(
      skipped
        .filter(({ evidence }) => !evidence.includes('kube-prometheus-stack'))
        .map(({ id, evidence }) => `${id}: ${evidence}`),
    ).toEqual([]);
  });

  it.each(casesOf().map((one) => [`${one.check} ${one.status}: ${one.about ?? one.evidence ?? ''}`, one] as const))(
    '%s',
    (title, one) => {
      const verdict = judged(one);
      const text = textOf(verdict);
      const wanted = OTHERWISE[name]?.find(({ cases }) => cases.test(title));
      const owned = verdict.status === 'skip' && /kube-prometheus-stack/.test(verdict.evidence);
      if (!owned) expect({ status: verdict.status, text }).toEqual({ status: wanted?.status ?? one.status, text });
      for (const absent of foreignNames(text)) expect.fail(`${absent} is not there:\n${text}`);
    },
  );

  /** Names of our charts' objects, and namespaces, that this placement does not have. */
  function foreignNames(text: string): string[] {
    const shown = text.replace(/opentelemetry-collector\.replicaCount/g, '');
    const names = COMPONENT_IDS.flatMap((id) => {
      const [old, now] = [placeOf(before, id), placeOf(config, id)];
      const asObject = (kind: string, name: string) => [
        `${kind}/${name}(?![\\w-])`,
        `${kind} (\\S+/)?${name}(?![\\w-])`,
      ];
      if (old.workload.name !== now.workload.name)
        // Some are also words; those that are only names must not stand anywhere.
        return /-server|^opentelemetry/.test(old.workload.name)
          ? [`(?<![\\w-])${old.workload.name}(?![\\w-])`]
          : ['StatefulSet', 'Deployment', 'Service', 'ConfigMap'].flatMap((kind) => asObject(kind, old.workload.name));
      return old.workload.kind === now.workload.kind ? [] : asObject(old.workload.kind, old.workload.name);
    });
    const found = names.flatMap((name) => new RegExp(name, 'i').exec(shown)?.[0] ?? []);
    const spaces = [...shown.matchAll(/kubectl --context ctx -n (\S+)/g)]
      .map((match) => match[1] ?? '')
      .filter((one) => !namespaces.includes(one));
    const home = namespaces.includes('genai-observability')
      ? []
      : (/genai-observability/.exec(shown)?.slice(0, 1) ?? []);
    return [...found, ...spaces, ...home];
  }
});

describe('what only several namespaces can have wrong', () => {
  const config = quickstart(K3S);
  const facts = relocation(before, config)(base);
  const judged = (id: string, set: FactEdits) => {
    const check = CHECKS.find((one) => one.id === id);
    if (!check) throw new Error(`no check ${id}`);
    return judge(check, applySet(facts, set), config, 'ctx');
  };
  const gateway = (endpoint: string) =>
    judged('COL-18', { 'config:opentelemetry-collector': { '/exporters/otlp_http~1loki/endpoint': endpoint } });

  it.each([
    'http://loki.monitoring:3100/otlp',
    'http://loki.monitoring.svc:3100/otlp',
    'http://loki.monitoring.svc.cluster.local:3100/otlp',
  ])('takes %s for Loki in another namespace', (endpoint) => expect(gateway(endpoint).status).toBe('ok'));

  it('knows that a short name means the own namespace', () => {
    expect(gateway('http://loki:3100/otlp')).toMatchObject({
      status: 'fail',
      evidence: expect.stringContaining('there is no Service loki') as string,
      fix: expect.stringContaining('it should be http://loki.monitoring.svc:3100/otlp') as string,
      object: 'OpenTelemetryCollector observability/otel-gateway',
    });
    expect(gateway('http://loki.elsewhere.svc:3100/otlp').evidence).toContain(
      'does not send logs to http://loki.monitoring.svc:3100/otlp',
    );
  });

  const sameNamespaceOnly = (namespace: string) => ({
    'k8s:NetworkPolicy': [
      {
        apiVersion: 'networking.k8s.io/v1',
        kind: 'NetworkPolicy',
        metadata: { name: 'closed', namespace },
        spec: { podSelector: {}, ingress: [{ from: [{ podSelector: {} }] }] },
      },
    ],
  });

  it('judges a NetworkPolicy where it is', () => {
    expect(judged('LOKI-05', sameNamespaceOnly('monitoring'))).toMatchObject({
      status: 'fail',
      evidence: expect.stringContaining('gateway collector to Loki:3100') as string,
      fix: expect.stringContaining('kubectl --context ctx -n monitoring edit networkpolicy closed') as string,
      object: 'NetworkPolicy monitoring/closed',
    });
    expect(judged('LOKI-05', sameNamespaceOnly('grafana')).status).toBe('ok');
    expect(judged('PRE-16', sameNamespaceOnly('grafana')).evidence).toContain('Prometheus to Grafana:3000');
  });

  it('reads the newest version of an operator’s ConfigMap', () => {
    const version = (name: string, creationTimestamp: string, text: string) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: `otel-gateway-collector-${name}`, namespace: 'observability', creationTimestamp },
      data: { 'collector.yaml': text },
    });
    const add = (...maps: object[]) =>
      judged('COL-05', { 'k8s:ConfigMap': [...(facts['k8s:ConfigMap'] as { value: object[] }).value, ...maps] });
    expect(add(version('ffff0000', '2020-01-01T00:00:00Z', 'a: [')).status).toBe('ok');
    expect(add(version('ffff0000', '2030-01-01T00:00:00Z', 'a: ['))).toMatchObject({
      status: 'fail',
      evidence: expect.stringContaining(
        'collector.yaml of ConfigMap otel-gateway-collector-ffff0000 is not YAML',
      ) as string,
    });
    expect(add(version('targetallocator', '2030-01-01T00:00:00Z', 'a: [')).status).toBe('ok');
  });

  it('sees any namespace that is being deleted, and a quota in the one it counts for', () => {
    expect(judged('PRE-26', { 'k8s:Namespace': { '/@monitoring/status/phase': 'Terminating' } })).toMatchObject({
      status: 'fail',
      object: 'Namespace monitoring',
    });
    const quota = (namespace: string) => ({
      'k8s:Pod@all': [],
      'k8s:ResourceQuota': [
        {
          apiVersion: 'v1',
          kind: 'ResourceQuota',
          metadata: { name: 'team', namespace },
          status: { hard: { 'requests.memory': '200Mi' }, used: {} },
        },
      ],
    });
    expect(judged('PRE-10', quota('monitoring'))).toMatchObject({
      status: 'fail',
      object: 'ResourceQuota monitoring/team',
    });
    expect(judged('PRE-10', quota('grafana')).status).toBe('ok');
  });

  it('finds names that somebody else took, and releases, where they count', () => {
    const loki = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'loki', namespace: 'monitoring' } };
    expect(judged('PRE-29', { 'k8s:Service': [loki] })).toMatchObject({
      status: 'fail',
      object: 'Service monitoring/loki',
    });
    expect(
      judged('PRE-29', { 'k8s:Service': [{ ...loki, metadata: { name: 'loki', namespace: 'grafana' } }] }).status,
    ).toBe('ok');
    const rows = (facts['releases:helm'] as { value: object[] }).value;
    const pending = (namespace: string) =>
      judged('MNT-05', {
        'releases:helm': [...rows, { name: 'loki', namespace, revision: 9, status: 'pending-upgrade' }],
      });
    expect(pending('monitoring')).toMatchObject({ status: 'fail', object: 'release monitoring/loki' });
    expect(pending('grafana').status).toBe('ok');
  });

  it('wants the Secret of Grafana beside Grafana', () => {
    expect(
      judged('GRAF-05', { 'k8s:Secret': { '/@grafana-admin/metadata/namespace': 'observability' } }),
    ).toMatchObject({
      status: 'fail',
      object: 'Secret grafana/grafana-admin',
      fix: expect.stringContaining('kubectl --context ctx -n grafana get secret grafana-admin') as string,
    });
  });
});
