import { stringify } from 'yaml';
import { chartDigest, folderAsset, readAsset, yamlAsset } from '../core/assets.ts';
import { hashOf } from '../core/compare.ts';
import { MANAGED_BY_LABEL, PART_OF, PART_OF_LABEL, ownLabels } from '../core/labels.ts';
import type { JsonMap, KubeObject } from '../core/types.ts';
import { CATALOG, imageOf } from '../components/catalog.ts';
import { dashboards } from '../components/dashboards.ts';
import { datasources } from '../components/datasources.ts';
import { COMPONENTS } from '../components/index.ts';
import { ruleFiles } from '../components/rulefiles.ts';
import type { Component } from '../components/types.ts';
import { type Config, isEnabled } from '../profile/schema.ts';
import type { ObjectsStep, Step } from './types.ts';

/** Steps of an installation, pure: configuration and templates in, data out. */
export function buildPlan(config: Config): Step[] {
  const enabled = COMPONENTS.filter((component) => isEnabled(config, component.id));
  const objects = [namespaceStep(config), ...claimSteps(config, enabled), ...configSteps(config)];
  const steps: Step[] = [
    { kind: 'gate', gate: 'preflight', id: 'preflight', phase: 'preflight', title: 'Preflight checks', needs: [] },
    ...objects,
    ...secretSteps(config),
  ];
  const checksums = checksumsOf(objects);
  const present = new Set(steps.map((step) => step.id));
  for (const component of enabled) steps.push(releaseStep(config, component, checksums, present));
  for (const component of COMPONENTS) if (!enabled.includes(component)) steps.push(removalStep(config, component));
  steps.push({
    kind: 'gate',
    gate: 'verify',
    id: 'verify',
    phase: 'verify',
    title: 'Verification with the end-to-end probe',
    needs: steps.map((step) => step.id),
  });
  return steps;
}

function namespaceStep(config: Config): ObjectsStep {
  const labels = {
    [PART_OF_LABEL]: PART_OF,
    [MANAGED_BY_LABEL]: PART_OF,
    // Node collectors read the nodes' log files and /proc: the restricted and baseline levels forbid that.
    'pod-security.kubernetes.io/enforce': 'privileged',
  };
  const namespace: KubeObject = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: config.namespace, labels } };
  return { kind: 'objects', id: 'namespace', phase: 'namespaces', title: `Namespace ${config.namespace}`, needs: ['preflight'], objects: [namespace] };
}

function secretSteps(config: Config): Step[] {
  if (!config.grafana.enabled) return [];
  const object: KubeObject = {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'Opaque',
    metadata: { name: 'grafana-admin', namespace: config.namespace, labels: ownLabels('grafana') },
  };
  return [
    {
      kind: 'secret',
      id: 'secret/grafana-admin',
      phase: 'secrets',
      title: 'Secret grafana-admin',
      needs: ['namespace'],
      object,
      keys: { 'admin-user': 'admin', 'admin-password': null },
      data: true,
    },
  ];
}

/** Size of a component's claim; undefined for those without data. */
function claimSize(config: Config, component: Component): string | undefined {
  const section = config[component.id];
  if ('size' in section) return section.size;
  return 'server' in section ? section.server.size : undefined;
}

function claimSteps(config: Config, enabled: Component[]): ObjectsStep[] {
  if (!config.storage.enabled) return [];
  const className = config.storage.storageClass;
  return enabled.flatMap((component) => {
    const claim = CATALOG[component.id].claim;
    const size = claimSize(config, component);
    if (!claim || !size) return [];
    const object: KubeObject = {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: claim.name, namespace: config.namespace, labels: ownLabels(component.id) },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: size } }, ...(className ? { storageClassName: className } : {}) },
    };
    return [
      {
        kind: 'objects' as const,
        id: `claim/${claim.name}`,
        phase: 'storage' as const,
        title: `Claim ${claim.name} (${size})`,
        needs: ['namespace'],
        objects: [object],
        data: true,
      },
    ];
  });
}

function configMap(config: Config, name: string, component: string, data: Record<string, string>): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: config.namespace, labels: ownLabels(component) }, data };
}

/** ConfigMaps that Grafana and Prometheus mount; before the releases, so that a first start finds them. */
function configSteps(config: Config): ObjectsStep[] {
  const steps: ObjectsStep[] = [];
  const add = (id: string, phase: ObjectsStep['phase'], title: string, objects: KubeObject[]): void =>
    void steps.push({ kind: 'objects', id, phase, title, needs: ['namespace'], objects });
  if (config.grafana.enabled) {
    add('datasources', 'datasources', 'Datasources and correlations', [
      configMap(config, 'grafana-datasources', 'grafana', { 'datasources.yaml': stringify(datasources(config)) }),
    ]);
    const boards = dashboards(config);
    add('dashboards', 'dashboards', `${Object.keys(boards).length} dashboards`, [
      configMap(config, 'genai-dashboards', 'grafana', boards),
      configMap(config, 'grafana-dashboards-provider', 'grafana', { 'provider.yaml': readAsset('templates', 'datasources', 'provider.yaml') }),
    ]);
  }
  if (config.prometheus.enabled)
    add('rules', 'alerting', 'Recording and alert rules', [configMap(config, 'prometheus-rules', 'prometheus', ruleFiles(config))]);
  return steps;
}

/** Hash per ConfigMap: a changed one rolls the pods that mount it. */
function checksumsOf(steps: ObjectsStep[]): Record<string, string> {
  return Object.fromEntries(
    steps.flatMap((step) => step.objects.filter((object) => object.kind === 'ConfigMap').map((object) => [object.metadata.name, hashOf(object['data'])])),
  );
}

function releaseStep(config: Config, component: Component, checksums: Record<string, string>, present: Set<string>): Step {
  const facts = CATALOG[component.id];
  const claim = config.storage.enabled && facts.claim ? `claim/${facts.claim.name}` : undefined;
  const mounts = component.needs.filter((id) => present.has(id));
  const used = Object.fromEntries(
    Object.entries(MOUNTED_BY)
      .filter(([, id]) => id === component.id)
      .flatMap(([name]) => (checksums[name] ? [[name, checksums[name]]] : [])),
  );
  const values: JsonMap = {
    image: imageOf(facts.image, config.global.imageRegistry),
    config: component.configure(yamlConfig(component.id), config),
    checksums: used,
    storage: { claim: claim && facts.claim ? facts.claim.name : '' },
    chartDigest: chartDigest(component.id),
    ...component.values?.(config),
  };
  return {
    kind: 'release',
    id: `release/${component.id}`,
    phase: component.phase,
    title: facts.title,
    needs: ['namespace', ...(claim ? [claim] : []), ...mounts],
    release: component.id,
    chart: component.id,
    values,
    workload: facts.workload,
    ...(component.rereads ? { rereads: component.rereads } : {}),
  };
}

/** A component that is switched off after it was installed goes, with the ConfigMaps that only it mounts. */
function removalStep(config: Config, component: Component): Step {
  const objects = Object.entries(MOUNTED_BY).flatMap(([name, id]) =>
    id === component.id ? [{ apiVersion: 'v1', kind: 'ConfigMap', namespace: config.namespace, name }] : [],
  );
  return {
    kind: 'removal',
    id: `removal/${component.id}`,
    phase: component.phase,
    title: `${CATALOG[component.id].title} (switched off)`,
    needs: ['namespace'],
    release: component.id,
    objects,
  };
}

/** Which component's pods mount which ConfigMap. */
const MOUNTED_BY: Record<string, string> = {
  'grafana-datasources': 'grafana',
  'grafana-dashboards-provider': 'grafana',
  'genai-dashboards': 'grafana',
  'prometheus-rules': 'prometheus',
};

function yamlConfig(id: string): JsonMap {
  return folderAsset(`templates/${id}`, 'config.yaml')['config.yaml'] === undefined ? {} : yamlAsset('templates', id, 'config.yaml');
}
