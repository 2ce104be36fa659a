import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { listAt, mapAt } from '../../src/core/json.ts';
import { scrapeConfig } from '../../src/parts/prometheus/monitoring.ts';
import { ruleFiles } from '../../src/parts/prometheus/rulefiles.ts';
import { OWN_LABEL } from '../../src/parts/upstream.ts';
import type { JsonMap, KubeObject } from '../../src/core/types.ts';
import { configured, genops, releaseOf, specOf, stack, stepOf, steps } from './support/genops.ts';

const objectsOf = (id: string): KubeObject[] => {
  const step = stepOf(steps, id);
  return step.kind === 'objects' ? step.objects : [];
};

describe('kube-prometheus-stack', () => {
  it('is one release `monitoring` for its three components, after its CRDs and their claims', () => {
    const step = releaseOf(steps, 'kube-prometheus-stack');
    expect(step).toMatchObject({
      release: 'monitoring',
      namespace: 'monitoring',
      chart: { source: 'upstream', name: 'kube-prometheus-stack' },
    });
    expect(step.needs).toContain('crds/kube-prometheus-stack');
    expect(step.needs.filter((id) => id.startsWith('claim/'))).toHaveLength(2);
    expect(step.workloads.map(({ name }) => name)).toEqual([
      'monitoring-kube-prometheus-operator',
      'monitoring-prometheus-node-exporter',
      'prometheus-monitoring-kube-prometheus-prometheus',
      'alertmanager-monitoring-kube-prometheus-alertmanager',
      'monitoring-kube-state-metrics',
    ]);
    expect(steps.map(({ id }) => id)).not.toContain('release/prometheus');
  });

  it('accepts OTLP, remote write and late samples, and reads all monitors of the cluster', () => {
    expect(specOf(genops())).toMatchObject({
      enableOTLPReceiver: true,
      enableRemoteWriteReceiver: true,
      enableAdminAPI: true,
      retention: '30d',
      tsdb: { outOfOrderTimeWindow: '30m' },
      ruleSelectorNilUsesHelmValues: false,
      serviceMonitorSelectorNilUsesHelmValues: false,
      podMonitorSelectorNilUsesHelmValues: false,
      scrapeConfigSelectorNilUsesHelmValues: false,
    });
    expect(listAt(specOf(genops()), 'otlp', 'promoteResourceAttributes')).toContain('genops.team');
  });

  it('is marked as ours in its values, without a duplicate part-of key in any object', () => {
    const { values } = releaseOf(steps, 'kube-prometheus-stack');
    expect(values['nameOverride']).toBe('genai-obs');
    expect(JSON.stringify(values)).toContain(JSON.stringify(OWN_LABEL).slice(1, -1));
    expect(values).not.toHaveProperty('commonLabels');
  });

  it('has claims that its StatefulSets adopt: template and ordinal give their name', () => {
    for (const [id, template] of [
      ['prometheus', mapAt(specOf(genops()), 'storageSpec', 'volumeClaimTemplate', 'metadata')],
      [
        'alertmanager',
        mapAt(stack(genops()).values, 'alertmanager', 'alertmanagerSpec', 'storage', 'volumeClaimTemplate', 'metadata'),
      ],
    ] as const) {
      const workload = releaseOf(steps, 'kube-prometheus-stack').workloads.find(({ name }) => name.startsWith(id));
      expect(stepOf(steps, `claim/${String(template['name'])}-${workload?.name}-0`).id).toBeTruthy();
    }
    expect(JSON.stringify(stack(genops({ storage: { enabled: false } })).values)).not.toContain('volumeClaimTemplate');
  });

  it('scrapes the control plane only on request, no kubelet, and creates nothing in kube-system', () => {
    const off = releaseOf(steps, 'kube-prometheus-stack').values;
    for (const part of ['kubeControllerManager', 'kubeScheduler', 'kubeProxy', 'kubeEtcd', 'kubelet', 'grafana'])
      expect(off[part], part).toEqual({ enabled: false });
    expect(mapAt(off, 'prometheusOperator')).toMatchObject({
      kubeletService: { enabled: false },
      admissionWebhooks: { enabled: false },
      tls: { enabled: false },
    });
    expect(mapAt(off, 'defaultRules', 'rules')).toMatchObject({ kubernetesApps: true, etcd: false, general: false });
    const on = stack(genops({ 'kube-prometheus-stack': { controlPlane: true } })).values;
    expect(on['kubeEtcd']).toEqual({ enabled: true });
    expect(mapAt(on, 'defaultRules', 'rules')).toMatchObject({ etcd: true });
  });

  it('uses the registry for every image', () => {
    const values = stack(genops({ global: { imageRegistry: 'registry.example:5000/mirror' } })).values;
    const images = JSON.stringify(values).match(/"registry":"[^"]+"/g) ?? [];
    expect(images.length).toBeGreaterThan(5);
    expect(images.filter((one) => !one.includes('registry.example:5000'))).toEqual([]);
  });

  it('sends alerts to an Alertmanager of another chart, and to none if it is disabled', () => {
    expect(specOf(genops())).not.toHaveProperty('alertingEndpoints');
    expect(specOf(genops({ alertmanager: { chart: 'genai-obs' } }))['alertingEndpoints']).toMatchObject([
      { name: 'alertmanager', namespace: 'monitoring', port: 'http' },
    ]);
    expect(mapAt(stack(genops({ alertmanager: { enabled: false } })).values, 'alertmanager')).toEqual({
      enabled: false,
    });
  });
});

describe('rules and jobs as objects', () => {
  it('have the content of our own chart’s files, and our labels', () => {
    const objects = objectsOf('rules');
    expect(stepOf(steps, 'rules').needs).toContain('crds/kube-prometheus-stack');
    expect([...new Set(objects.map(({ kind }) => kind))]).toEqual(['PrometheusRule', 'ScrapeConfig']);
    expect(objects.filter(({ metadata }) => metadata.labels?.['app.kubernetes.io/part-of'] !== 'genai-obs')).toEqual(
      [],
    );
    const files = Object.values(ruleFiles(genops())).map((text) => parse(text) as unknown);
    expect(objects.filter(({ kind }) => kind === 'PrometheusRule').map((object) => object['spec'])).toEqual(files);
    const jobs = listAt(configured('prometheus', genops()), 'scrape_configs').map(
      (job) => (job as JsonMap)['job_name'],
    );
    expect(
      objects
        .filter(({ kind }) => kind === 'ScrapeConfig')
        .map((object) => mapAt(object['spec'] as JsonMap)['jobName']),
    ).toEqual(jobs);
  });

  it('use the operator’s names of fields', () => {
    const job = {
      job_name: 'x',
      honor_labels: true,
      static_configs: [{ targets: ['a:1'], labels: { some_label: 'y' } }],
      kubernetes_sd_configs: [
        { role: 'pod', namespaces: { own_namespace: true }, selectors: [{ role: 'pod', label: 'a=b' }] },
      ],
      relabel_configs: [{ source_labels: ['__meta_x'], target_label: 'y_z', replacement: '$1:$2' }],
      metric_relabel_configs: [{ regex: 'customer_id', action: 'labeldrop' }],
    };
    expect(scrapeConfig(job)).toEqual({
      jobName: 'x',
      honorLabels: true,
      staticConfigs: [{ targets: ['a:1'], labels: { some_label: 'y' } }],
      kubernetesSDConfigs: [
        { role: 'Pod', namespaces: { ownNamespace: true }, selectors: [{ role: 'Pod', label: 'a=b' }] },
      ],
      relabelings: [{ sourceLabels: ['__meta_x'], targetLabel: 'y_z', replacement: '$1:$2' }],
      metricRelabelings: [{ regex: 'customer_id', action: 'labeldrop' }],
    });
  });

  it('find the collectors in their namespaces', () => {
    const job = objectsOf('rules').find(({ metadata }) => metadata.name === 'genai-obs-otel-collector');
    expect(JSON.stringify(job?.['spec'])).toContain('"names":["genops-system"]');
  });
});
