import { ObsError } from '../core/errors.ts';
import type { ObjectRef } from '../core/types.ts';

interface KindInfo {
  apiVersion: string;
  plural: string;
  namespaced: boolean;
  /** Served only while its CRD exists. */
  custom?: boolean;
}

const KINDS: Record<string, KindInfo> = {
  Namespace: { apiVersion: 'v1', plural: 'namespaces', namespaced: false },
  Node: { apiVersion: 'v1', plural: 'nodes', namespaced: false },
  PersistentVolume: { apiVersion: 'v1', plural: 'persistentvolumes', namespaced: false },
  PersistentVolumeClaim: { apiVersion: 'v1', plural: 'persistentvolumeclaims', namespaced: true },
  Pod: { apiVersion: 'v1', plural: 'pods', namespaced: true },
  Service: { apiVersion: 'v1', plural: 'services', namespaced: true },
  ServiceAccount: { apiVersion: 'v1', plural: 'serviceaccounts', namespaced: true },
  ConfigMap: { apiVersion: 'v1', plural: 'configmaps', namespaced: true },
  Secret: { apiVersion: 'v1', plural: 'secrets', namespaced: true },
  Event: { apiVersion: 'v1', plural: 'events', namespaced: true },
  ResourceQuota: { apiVersion: 'v1', plural: 'resourcequotas', namespaced: true },
  LimitRange: { apiVersion: 'v1', plural: 'limitranges', namespaced: true },
  Deployment: { apiVersion: 'apps/v1', plural: 'deployments', namespaced: true },
  StatefulSet: { apiVersion: 'apps/v1', plural: 'statefulsets', namespaced: true },
  DaemonSet: { apiVersion: 'apps/v1', plural: 'daemonsets', namespaced: true },
  ReplicaSet: { apiVersion: 'apps/v1', plural: 'replicasets', namespaced: true },
  Lease: { apiVersion: 'coordination.k8s.io/v1', plural: 'leases', namespaced: true },
  EndpointSlice: { apiVersion: 'discovery.k8s.io/v1', plural: 'endpointslices', namespaced: true },
  NetworkPolicy: { apiVersion: 'networking.k8s.io/v1', plural: 'networkpolicies', namespaced: true },
  Ingress: { apiVersion: 'networking.k8s.io/v1', plural: 'ingresses', namespaced: true },
  IngressClass: { apiVersion: 'networking.k8s.io/v1', plural: 'ingressclasses', namespaced: false },
  PodDisruptionBudget: { apiVersion: 'policy/v1', plural: 'poddisruptionbudgets', namespaced: true },
  HorizontalPodAutoscaler: { apiVersion: 'autoscaling/v2', plural: 'horizontalpodautoscalers', namespaced: true },
  ClusterRole: { apiVersion: 'rbac.authorization.k8s.io/v1', plural: 'clusterroles', namespaced: false },
  ClusterRoleBinding: { apiVersion: 'rbac.authorization.k8s.io/v1', plural: 'clusterrolebindings', namespaced: false },
  Role: { apiVersion: 'rbac.authorization.k8s.io/v1', plural: 'roles', namespaced: true },
  RoleBinding: { apiVersion: 'rbac.authorization.k8s.io/v1', plural: 'rolebindings', namespaced: true },
  StorageClass: { apiVersion: 'storage.k8s.io/v1', plural: 'storageclasses', namespaced: false },
  CSIDriver: { apiVersion: 'storage.k8s.io/v1', plural: 'csidrivers', namespaced: false },
  Job: { apiVersion: 'batch/v1', plural: 'jobs', namespaced: true },
  CronJob: { apiVersion: 'batch/v1', plural: 'cronjobs', namespaced: true },
  PriorityClass: { apiVersion: 'scheduling.k8s.io/v1', plural: 'priorityclasses', namespaced: false },
  APIService: { apiVersion: 'apiregistration.k8s.io/v1', plural: 'apiservices', namespaced: false },
  CustomResourceDefinition: {
    apiVersion: 'apiextensions.k8s.io/v1',
    plural: 'customresourcedefinitions',
    namespaced: false,
  },
  MutatingWebhookConfiguration: {
    apiVersion: 'admissionregistration.k8s.io/v1',
    plural: 'mutatingwebhookconfigurations',
    namespaced: false,
  },
  ValidatingWebhookConfiguration: {
    apiVersion: 'admissionregistration.k8s.io/v1',
    plural: 'validatingwebhookconfigurations',
    namespaced: false,
  },
  // From the CRDs of charts that profiles install.
  OpenTelemetryCollector: custom('opentelemetry.io/v1beta1', 'opentelemetrycollectors'),
  Instrumentation: custom('opentelemetry.io/v1alpha1', 'instrumentations'),
  Prometheus: custom('monitoring.coreos.com/v1', 'prometheuses'),
  Alertmanager: custom('monitoring.coreos.com/v1', 'alertmanagers'),
  PrometheusRule: custom('monitoring.coreos.com/v1', 'prometheusrules'),
  ServiceMonitor: custom('monitoring.coreos.com/v1', 'servicemonitors'),
  PodMonitor: custom('monitoring.coreos.com/v1', 'podmonitors'),
  Probe: custom('monitoring.coreos.com/v1', 'probes'),
  ScrapeConfig: custom('monitoring.coreos.com/v1alpha1', 'scrapeconfigs'),
  Alloy: custom('collectors.grafana.com/v1alpha1', 'alloys'),
  Certificate: custom('cert-manager.io/v1', 'certificates'),
  Issuer: custom('cert-manager.io/v1', 'issuers'),
  ClusterIssuer: { ...custom('cert-manager.io/v1', 'clusterissuers'), namespaced: false },
};

function custom(apiVersion: string, plural: string): KindInfo {
  return { apiVersion, plural, namespaced: true, custom: true };
}

export function kindInfo(kind: string): KindInfo {
  const info = KINDS[kind];
  if (!info)
    throw new ObsError({
      what: `genai-obs does not know the kind ${kind}`,
      next: 'report this: a chart creates a kind that src/adapters/kinds.ts lacks',
    });
  return info;
}

export const isNamespaced = (kind: string): boolean => kindInfo(kind).namespaced;

/** By plural, such as `clusterroles`; false for a resource that is not known. */
export const isClusterScoped = (plural: string): boolean =>
  Object.values(KINDS).some((info) => info.plural === plural && !info.namespaced);

/** Kinds that an uninstallation could leave behind; `uninstall` verifies that none of ours remain. */
export function ownableKinds(): string[] {
  const never = new Set([
    'Node',
    'Event',
    'EndpointSlice',
    'ReplicaSet',
    'Pod',
    'IngressClass',
    'LimitRange',
    'APIService',
    'PriorityClass',
    'CSIDriver',
  ]);
  return Object.keys(KINDS).filter((kind) => !never.has(kind));
}

/** REST path of a collection (no name) or of one object. */
export function restPath(kind: string, namespace?: string, name?: string): string {
  const info = kindInfo(kind);
  return pathIn(info.apiVersion, info, namespace, name);
}

export const refPath = (ref: ObjectRef): string => restPath(ref.kind, ref.namespace, ref.name);

/** REST path of an object in its own apiVersion; undefined when only the cluster knows the kind's plural. */
export function knownPath({ apiVersion, kind, namespace, name }: ObjectRef): string | undefined {
  const info = KINDS[kind];
  return info && groupOf(info.apiVersion) === groupOf(apiVersion)
    ? pathIn(apiVersion, info, namespace, name)
    : undefined;
}

const groupOf = (apiVersion: string): string => (apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : '');

export const versionPath = (apiVersion: string): string =>
  apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;

export function pathIn(
  apiVersion: string,
  { plural, namespaced }: Pick<KindInfo, 'plural' | 'namespaced'>,
  namespace?: string,
  name?: string,
): string {
  const scope = namespaced && namespace ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  return `${versionPath(apiVersion)}${scope}/${plural}${name ? `/${encodeURIComponent(name)}` : ''}`;
}
