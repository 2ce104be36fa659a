import { stringify } from 'yaml';
import { readAsset } from '../../core/assets.ts';
import { hashOf } from '../../core/compare.ts';
import { HOME_ANNOTATION, MANAGED_BY_LABEL, PART_OF, PART_OF_LABEL, ownLabels } from '../../core/labels.ts';
import { type KubeObject, refOf, refText } from '../../core/types.ts';
import { SEAWEEDFS_IDENTITIES, identities } from '../../components/addons/seaweedfs.ts';
import { SEAWEEDFS_CLAIM, placeOf } from '../../parts/catalog.ts';
import { dashboards } from '../../parts/grafana/dashboards.ts';
import { datasources } from '../../parts/grafana/datasources.ts';
import { PROXY_CONFIG, proxyConfig } from '../../parts/grafana/gatewayProxy.ts';
import { COMPONENTS } from '../../components/index.ts';
import { prometheus } from '../../components/prometheus.ts';
import { monitoringObjects } from '../../parts/prometheus/monitoring.ts';
import { ruleFiles } from '../../parts/prometheus/rulefiles.ts';
import { ACCESS_KEY, SECRET_KEY, objectStore } from '../../parts/storage.ts';
import { LOKI_RULES, lokiRules } from '../../parts/prometheus/teams.ts';
import type { Component } from '../../parts/types.ts';
import {
  type AddonId,
  type ComponentId,
  type Config,
  isEnabled,
  namespaceOf,
  namespacesOf,
} from '../../profile/schema.ts';
import { addonSteps } from './addons.ts';
import { monitorSteps } from './monitors.ts';
import { certificateSteps } from './certificates.ts';
import { givenSecretSteps } from './secrets.ts';
import { MOUNTED_BY, componentStep, removalStep } from './components.ts';
import { namespaceStepId } from './ids.ts';
import { type Step, objectsOf } from '../steps/index.ts';
import type { ObjectsStep } from '../steps/objects.ts';
import type { PruneStep } from '../steps/prune.ts';

/** The steps of an installation: a pure function of configuration and templates. */
export function buildPlan(config: Config): Step[] {
  const enabled = COMPONENTS.filter((component) => isEnabled(config, component.id));
  const objects = [...namespaceSteps(config), ...claimSteps(config, enabled), ...configSteps(config)];
  const steps: Step[] = [
    { kind: 'gate', gate: 'preflight', id: 'preflight', phase: 'preflight', title: 'Preflight checks', needs: [] },
    ...objects,
    ...secretSteps(config),
    ...givenSecretSteps(config),
    ...addonSteps(config),
    ...certificateSteps(config),
  ];
  const checksums = checksumsOf(objects);
  const present = new Set(steps.map((step) => step.id));
  for (const component of enabled) steps.push(...componentStep(config, component, checksums, present));
  steps.push(...monitorSteps(config));
  for (const component of COMPONENTS) if (!enabled.includes(component)) steps.push(removalStep(config, component));
  steps.push(pruneStep(steps));
  steps.push({
    kind: 'gate',
    gate: 'verify',
    id: 'verify',
    phase: 'verify',
    title: 'Verification with the end-to-end probe',
    needs: steps.map((step) => step.id),
  });
  return steps.map((step) => marked(step, config.namespace));
}

/** Mount host paths (logs, /proc), which the Pod Security levels baseline and restricted forbid. */
const PRIVILEGED = [
  'opentelemetry-node-collector',
  'kube-prometheus-stack',
  'k8s-monitoring',
  'csi-driver-nfs',
  'dcgm-exporter',
] as const;

const isPrivileged = (config: Config, namespace: string): boolean =>
  PRIVILEGED.some((id) => isEnabled(config, id) && namespaceOf(config, id) === namespace);

/** Runs last: replacements exist before what they replace is deleted. */
function pruneStep(steps: Step[]): PruneStep {
  const wanted = steps.flatMap((step) =>
    step.kind === 'release' || step.kind === 'removal' ? [`${step.namespace}/${step.release}`] : [],
  );
  const refs = steps.flatMap((step) => (step.kind === 'removal' ? step.objects : objectsOf([step]).map(refOf)));
  const needs = steps.filter(({ kind }) => kind === 'release' || kind === 'objects').map(({ id }) => id);
  return {
    kind: 'prune',
    id: 'removal/releases',
    phase: 'alerting',
    title: 'Stale releases and objects',
    needs,
    wanted,
    objects: refs.map(refText),
  };
}

/** A cluster may have several installations. Claims are not annotated: a volume may have been grown. */
function marked(step: Step, home: string): Step {
  if (step.kind !== 'objects' || step.data || step.phase === 'namespaces') return step;
  const mark = (object: KubeObject): KubeObject => ({
    ...object,
    metadata: { ...object.metadata, annotations: { ...object.metadata.annotations, [HOME_ANNOTATION]: home } },
  });
  return { ...step, objects: step.objects.map(mark) };
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

/** Secrets with random content, created once: Grafana's administrator, and the keys of our own object store. */
function secretSteps(config: Config): Step[] {
  const steps: Step[] = [];
  const add = (owner: ComponentId | AddonId, id: string, name: string, keys: Record<string, string | null>): void => {
    const namespace = namespaceOf(config, owner);
    const object: KubeObject = {
      apiVersion: 'v1',
      kind: 'Secret',
      type: 'Opaque',
      metadata: { name, namespace, labels: ownLabels(owner) },
    };
    steps.push({
      kind: 'secret',
      id,
      phase: 'secrets',
      title: `Secret ${name}`,
      needs: [namespaceStepId(config, namespace)],
      object,
      keys,
      data: true,
    });
  };
  if (config.grafana.enabled)
    add('grafana', 'secret/grafana-admin', 'grafana-admin', { 'admin-user': 'admin', 'admin-password': null });
  const store = objectStore(config);
  if (store && isEnabled(config, 'seaweedfs')) {
    add('seaweedfs', 'secret/s3-credentials', store.secret, { [ACCESS_KEY]: 'genai-obs', [SECRET_KEY]: null });
    add('seaweedfs', 'secret/seaweedfs-s3', SEAWEEDFS_IDENTITIES, identities());
  }
  return steps;
}

/** Size of a component's claim; undefined for those without data. */
function claimSize(config: Config, component: Component): string | undefined {
  const section = config[component.id];
  if ('size' in section) return section.size;
  return 'server' in section ? section.server.size : undefined;
}

function claimSteps(config: Config, enabled: Component[]): ObjectsStep[] {
  if (!config.storage.enabled) return [];
  const steps = enabled.flatMap((component) => {
    const { claim } = placeOf(config, component.id);
    const size = claimSize(config, component);
    return claim && size ? [claimStep(config, component.id, claim.name, size)] : [];
  });
  return isEnabled(config, 'seaweedfs')
    ? [...steps, claimStep(config, 'seaweedfs', SEAWEEDFS_CLAIM, config.seaweedfs.size)]
    : steps;
}

function claimStep(config: Config, id: ComponentId | AddonId, name: string, size: string): ObjectsStep {
  const namespace = namespaceOf(config, id);
  const className = (id === 'grafana' && config.grafana.storageClass) || config.storage.storageClass;
  const object: KubeObject = {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name, namespace, labels: ownLabels(id) },
    spec: {
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage: size } },
      ...(className ? { storageClassName: className } : {}),
    },
  };
  return {
    kind: 'objects',
    id: `claim/${name}`,
    phase: 'storage',
    title: `Claim ${name} (${size})`,
    needs: [namespaceStepId(config, namespace)],
    objects: [object],
    data: true,
  };
}

function configMap(config: Config, name: string, data: Record<string, string>): KubeObject {
  const component = MOUNTED_BY[name] as ComponentId;
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: namespaceOf(config, component), labels: ownLabels(component) },
    data,
  };
}

/** ConfigMaps that Grafana and Prometheus mount: applied before the releases, so that the first start finds them. */
function configSteps(config: Config): ObjectsStep[] {
  const steps: ObjectsStep[] = [];
  const add = (
    owner: ComponentId,
    id: string,
    phase: ObjectsStep['phase'],
    title: string,
    objects: KubeObject[],
  ): void =>
    void steps.push({
      kind: 'objects',
      id,
      phase,
      title,
      needs: [namespaceStepId(config, namespaceOf(config, owner))],
      objects,
    });
  if (config.grafana.enabled) {
    add('grafana', 'datasources', 'datasources', 'Datasources and correlations', [
      configMap(config, 'grafana-datasources', { 'datasources.yaml': stringify(datasources(config)) }),
    ]);
    const boards = dashboards(config);
    add('grafana', 'dashboards', 'dashboards', `${Object.keys(boards).length} dashboards`, [
      configMap(config, 'genai-dashboards', boards),
      configMap(config, 'grafana-dashboards-provider', {
        'provider.yaml': readAsset('templates', 'datasources', 'provider.yaml'),
      }),
    ]);
    const proxy = proxyConfig(config);
    if (proxy)
      add('grafana', 'gateway-proxy', 'grafana', 'Proxy to the platform’s gateway', [
        configMap(config, PROXY_CONFIG, proxy),
      ]);
  }
  const logRules = lokiRules(config);
  if (config.loki.enabled && logRules)
    add('loki', 'loki-rules', 'alerting', 'Alert rules on logs', [configMap(config, LOKI_RULES, logRules)]);
  if (config.prometheus.enabled) {
    const operated = config.prometheus.chart === 'kube-prometheus-stack';
    const objects = operated
      ? monitoringObjects(config, prometheus)
      : [configMap(config, 'prometheus-rules', ruleFiles(config))];
    add('prometheus', 'rules', 'alerting', 'Recording and alert rules', objects);
    if (operated) steps.at(-1)?.needs.push('crds/kube-prometheus-stack');
  }
  return steps;
}

/** Hash per ConfigMap: a change restarts the pods that mount it. */
function checksumsOf(steps: ObjectsStep[]): Record<string, string> {
  return Object.fromEntries(
    steps.flatMap((step) =>
      step.objects
        .filter((object) => object.kind === 'ConfigMap')
        .map((object) => [object.metadata.name, hashOf(object['data'])]),
    ),
  );
}
