import { describe, expect, it } from 'vitest';
import { CHECKS } from '../../src/checks/index.ts';
import { accountOf, placeOf } from '../../src/components/catalog.ts';
import { diagnose, factKeys, judge } from '../../src/doctor/run.ts';
import type { Verdict } from '../../src/doctor/types.ts';
import { COMPONENT_IDS, namespacesOf } from '../../src/profile/schema.ts';
import { applySet, type FactEdits } from './support-edit.ts';
import { relocate } from './support-relocate.ts';
import { type Case, casesOf, healthy, quickstart } from './support.ts';

/** The placement of profile k3s: operator, upstream charts, four namespaces. */
const K3S: FactEdits = {
  namespace: 'observability',
  'opentelemetry-collector.chart': 'opentelemetry-operator',
  'opentelemetry-node-collector.chart': 'opentelemetry-operator',
  'opentelemetry-cluster-collector.chart': 'opentelemetry-operator',
  'prometheus.chart': 'prometheus',
  'prometheus.namespace': 'monitoring',
  'alertmanager.chart': 'alertmanager',
  'alertmanager.namespace': 'monitoring',
  'loki.chart': 'loki',
  'loki.namespace': 'monitoring',
  'tempo.chart': 'tempo',
  'tempo.namespace': 'monitoring',
  'kube-state-metrics.chart': 'kube-state-metrics',
  'kube-state-metrics.namespace': 'monitoring',
  'grafana.chart': 'grafana',
  'grafana.namespace': 'grafana',
};

/** Metrics by kube-prometheus-stack, everything else ours, in two namespaces. */
const STACK: FactEdits = {
  'prometheus.chart': 'kube-prometheus-stack',
  'prometheus.namespace': 'monitoring',
  'alertmanager.chart': 'kube-prometheus-stack',
  'alertmanager.namespace': 'monitoring',
  'kube-state-metrics.chart': 'kube-prometheus-stack',
  'kube-state-metrics.namespace': 'monitoring',
};

/** Our charts under their own names, each backend in a namespace of its own. */
const SPREAD: FactEdits = { 'prometheus.namespace': 'metrics', 'loki.namespace': 'logs', 'tempo.namespace': 'traces', 'grafana.namespace': 'ui' };

const PLACEMENTS = { k3s: K3S, 'kube-prometheus-stack': STACK, spread: SPREAD };

const base = healthy();
const textOf = ({ evidence, cause = '', fix = '', object = '' }: Omit<Verdict, 'status'>) => [evidence, cause, fix, object].join('\n');

describe.each(Object.entries(PLACEMENTS))('the doctor in placement %s', (_name, placement) => {
  const config = quickstart(placement);
  const facts = relocate(base, quickstart(), config);
  const namespaces = namespacesOf(config);

  const judged = (one: Pick<Case, 'check' | 'set' | 'config'>) => {
    const check = CHECKS.find(({ id }) => id === one.check);
    if (!check) throw new Error(`no check ${one.check}`);
    const changed = quickstart({ ...placement, ...one.config });
    return judge(check, relocate(applySet(base, one.set ?? {}), quickstart(one.config), changed), changed, 'ctx');
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
    const before = new Map(diagnose(healthy(), quickstart(), CHECKS, { probe: true }).map((one) => [one.id, one.status]));
    const findings = diagnose(facts, config, CHECKS, { probe: true });
    expect(findings.filter((one) => one.status !== 'ok' && one.status !== 'skip').map((one) => `${one.status} ${one.id}: ${one.evidence}`)).toEqual([]);
    const skipped = findings.filter((one) => one.status === 'skip' && before.get(one.id) === 'ok');
    expect(skipped.filter(({ evidence }) => !evidence.includes('kube-prometheus-stack')).map(({ id, evidence }) => `${id}: ${evidence}`)).toEqual([]);
  });

  it.each(casesOf().map((one) => [`${one.check} ${one.status}: ${one.about ?? one.evidence ?? ''}`, one] as const))('%s', (_title, one) => {
    const verdict = judged(one);
    const text = textOf(verdict);
    const owned = verdict.status === 'skip' && /kube-prometheus-stack/.test(verdict.evidence);
    if (!owned) expect({ status: verdict.status, text }).toEqual({ status: one.status, text });
    for (const name of foreignNames(text)) expect.fail(`${name} is not there:\n${text}`);
  });

  /** Names of our charts' objects, and namespaces, that this placement does not have. */
  function foreignNames(text: string): string[] {
    const shown = text.replace(/opentelemetry-collector\.replicaCount/g, '');
    const names = COMPONENT_IDS.flatMap((id) => {
      const [old, now] = [placeOf(quickstart(), id), placeOf(config, id)];
      const absent = old.workload.name === now.workload.name ? [] : [`(?<![\\w-])${old.workload.name}(?![\\w-]*collector)(?=$|[^\\w]|-\\w)`];
      const kind =
        old.workload.kind === now.workload.kind
          ? []
          : [`${old.workload.kind.toLowerCase()}/${now.workload.name}\\b`, `${old.workload.kind} \\S*${now.workload.name}\\b`];
      return [...absent, ...kind];
    });
    const found = names.flatMap((name) => new RegExp(name, 'i').exec(shown)?.[0] ?? []);
    const spaces = [...shown.matchAll(/kubectl --context ctx -n (\S+)/g)].map((match) => match[1] ?? '').filter((one) => !namespaces.includes(one));
    const home = namespaces.includes('genai-observability') ? [] : (/genai-observability/.exec(shown)?.slice(0, 1) ?? []);
    return [...found, ...spaces, ...home];
  }
});
