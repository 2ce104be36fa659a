import { stringify } from 'yaml';
import { readAsset } from '../core/assets.ts';
import { hashOf } from '../core/compare.ts';
import { HOME_ANNOTATION, MANAGED_BY_LABEL, PART_OF, PART_OF_LABEL, ownLabels } from '../core/labels.ts';
import type { KubeObject } from '../core/types.ts';
import { placeOf } from '../components/catalog.ts';
import { dashboards } from '../components/dashboards.ts';
import { datasources } from '../components/datasources.ts';
import { COMPONENTS } from '../components/index.ts';
import { monitoringObjects } from '../components/monitoring.ts';
import { ruleFiles } from '../components/rulefiles.ts';
import type { Component } from '../components/types.ts';
import { type ComponentId, type Config, isEnabled, namespaceOf, namespacesOf } from '../profile/schema.ts';
import { addonSteps } from './planAddons.ts';
import { givenSecretSteps } from './planSecrets.ts';
import { MOUNTED_BY, componentStep, removalStep } from './planComponents.ts';
import { namespaceStepId } from './stepIds.ts';
import type { ObjectsStep, Step } from './types.ts';

/** Steps of an installation, pure: configuration and templates in, data out. */
export function buildPlan(config: Config): Step[] {
  const enabled = COMPONENTS.filter((component) => isEnabled(config, component.id));
  const objects = [...namespaceSteps(config), ...claimSteps(config, enabled), ...configSteps(config)];
  const steps: Step[] = [
    { kind: 'gate', gate: 'preflight', id: 'preflight', phase: 'preflight', title: 'Preflight checks', needs: [] },
    ...objects,
    ...secretSteps(config),
    ...givenSecretSteps(config),
    ...addonSteps(config),
  ];
  const checksums = checksumsOf(objects);
  const present = new Set(steps.map((step) => step.id));
  for (const component of enabled) steps.push(...componentStep(config, component, checksums, present));
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

/** Node collectors read the nodes' log files and /proc: the restricted and baseline levels forbid that. */
function isPrivileged(config: Config, namespace: string): boolean {
  return (['opentelemetry-node-collector', 'kube-prometheus-stack', 'k8s-monitoring', 'csi-driver-nfs'] as const).some(
    (id) => isEnabled(config, id) && namespaceOf(config, id) === namespace,
  );
}

function namespaceSteps(config: Config): ObjectsStep[] {
  return namespacesOf(config).map((name) => {
    const home = name === config.namespace;
    const labels = {
      [PART_OF_LABEL]: PART_OF,
      [MANAGED_BY_LABEL]: PART_OF,
      'pod-security.kubernetes.io/enforce': home || isPrivileged(config, name) ? 'privileged' : 'baseline',
    };
    const metadata = { name, labels, ...(home ? {} : { annotations: { [HOME_ANNOTATION]: config.namespace } }) };
    return {
      kind: 'objects',
      id: namespaceStepId(config, name),
      phase: 'namespaces',
      title: `Namespace ${name}`,
      needs: [home ? 'preflight' : 'namespace'],
      objects: [{ apiVersion: 'v1', kind: 'Namespace', metadata }],
    };
  });
}

function secretSteps(config: Config): Step[] {
  if (!config.grafana.enabled) return [];
  const object: KubeObject = {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'Opaque',
    metadata: { name: 'grafana-admin', namespace: namespaceOf(config, 'grafana'), labels: ownLabels('grafana') },
  };
  return [
    {
      kind: 'secret',
      id: 'secret/grafana-admin',
      phase: 'secrets',
      title: 'Secret grafana-admin',
      needs: [namespaceStepId(config, namespaceOf(config, 'grafana'))],
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
    const { claim, namespace } = placeOf(config, component.id);
    const size = claimSize(config, component);
    if (!claim || !size) return [];
    const object: KubeObject = {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: claim.name, namespace, labels: ownLabels(component.id) },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: size } }, ...(className ? { storageClassName: className } : {}) },
    };
    return [
      {
        kind: 'objects' as const,
        id: `claim/${claim.name}`,
        phase: 'storage' as const,
        title: `Claim ${claim.name} (${size})`,
        needs: [namespaceStepId(config, namespace)],
        objects: [object],
        data: true,
      },
    ];
  });
}

function configMap(config: Config, name: string, data: Record<string, string>): KubeObject {
  const component = MOUNTED_BY[name] as ComponentId;
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: namespaceOf(config, component), labels: ownLabels(component) }, data };
}

/** ConfigMaps that Grafana and Prometheus mount; before the releases, so that a first start finds them. */
function configSteps(config: Config): ObjectsStep[] {
  const steps: ObjectsStep[] = [];
  const add = (owner: ComponentId, id: string, phase: ObjectsStep['phase'], title: string, objects: KubeObject[]): void =>
    void steps.push({ kind: 'objects', id, phase, title, needs: [namespaceStepId(config, namespaceOf(config, owner))], objects });
  if (config.grafana.enabled) {
    add('grafana', 'datasources', 'datasources', 'Datasources and correlations', [
      configMap(config, 'grafana-datasources', { 'datasources.yaml': stringify(datasources(config)) }),
    ]);
    const boards = dashboards(config);
    add('grafana', 'dashboards', 'dashboards', `${Object.keys(boards).length} dashboards`, [
      configMap(config, 'genai-dashboards', boards),
      configMap(config, 'grafana-dashboards-provider', { 'provider.yaml': readAsset('templates', 'datasources', 'provider.yaml') }),
    ]);
  }
  if (config.prometheus.enabled) {
    const operated = config.prometheus.chart === 'kube-prometheus-stack';
    const objects = operated ? monitoringObjects(config) : [configMap(config, 'prometheus-rules', ruleFiles(config))];
    add('prometheus', 'rules', 'alerting', 'Recording and alert rules', objects);
    if (operated) steps.at(-1)?.needs.push('crds/kube-prometheus-stack');
  }
  return steps;
}

/** Hash per ConfigMap: a changed one rolls the pods that mount it. */
function checksumsOf(steps: ObjectsStep[]): Record<string, string> {
  return Object.fromEntries(
    steps.flatMap((step) => step.objects.filter((object) => object.kind === 'ConfigMap').map((object) => [object.metadata.name, hashOf(object['data'])])),
  );
}
