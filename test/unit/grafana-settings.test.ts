import { expect, it } from 'vitest';
import { at, listAt } from '../../src/core/json.ts';
import type { Json } from '../../src/core/types.ts';
import type { Config } from '../../src/profile/schema.ts';
import { profile, quickstart } from './support/config.ts';
import { planOf } from './support/plan.ts';

const ON = { grafana: { contactPoint: true } };
const fileOf = (config: Config): Json | undefined => {
  const { values, chart } = planOf(config).release('grafana');
  return chart.source === 'genai-obs' ? values['alerting'] : at(values, 'alerting', 'alerting.yaml');
};

it('a contact point of Grafana sends to Alertmanager in its namespace, with both charts', () => {
  const point = (config: Config) => listAt(listAt(fileOf(config), 'contactPoints')[0], 'receivers');
  for (const [config, url] of [
    [quickstart(ON), 'http://alertmanager:9093'],
    [
      quickstart({ grafana: { ...ON.grafana, chart: 'grafana' }, alertmanager: { namespace: 'alerts' } }),
      'http://alertmanager.alerts.svc:9093',
    ],
    [profile('genops', ON), 'http://monitoring-kube-prometheus-alertmanager:9093'],
  ] as const)
    expect(point(config)).toEqual([
      { uid: 'genai-obs-alertmanager', type: 'prometheus-alertmanager', settings: { url } },
    ]);
});

it('by default, Grafana’s alerting is not provisioned', () => {
  for (const config of [quickstart(), profile('genops')])
    expect(planOf(config).release('grafana').values).not.toHaveProperty('alerting');
  // Notification policies belong to users: a provisioned file would overwrite them, and keep them when it is removed.
  expect(Object.keys((fileOf(quickstart(ON)) ?? {}) as object)).toEqual(['apiVersion', 'contactPoints']);
});
