import { placeOf } from '../../parts/catalog.ts';
import { yamlAsset } from '../../core/assets.ts';
import { COMPONENT_IDS, type ComponentId, type Config, isEnabled, namespaceOf } from '../../profile/schema.ts';
import { quantity } from '../../core/quantity.ts';

export interface Need {
  cpu: number;
  memory: number;
}

/**
 * Requests of the profile in the cluster, or in one namespace, from the chart values that the installer uses. A
 * component of an upstream chart is the same program and counts the same.
 */
export function requestsOfProfile(config: Config, nodes: number, namespace?: string): Need & { pods: number } {
  const sum = { cpu: 0, memory: 0, pods: 0 };
  const here = (id: ComponentId) => namespace === undefined || namespaceOf(config, id) === namespace;
  for (const id of COMPONENT_IDS.filter((one) => isEnabled(config, one) && here(one))) {
    const { cpu, memory } = podRequests(id);
    const replicas = replicasOf(config, id, nodes);
    sum.cpu += cpu * replicas;
    sum.memory += memory * replicas;
    sum.pods += replicas;
  }
  return sum;
}

/** The largest single pod: it must fit on one node. */
export function largestPod(config: Config): Need {
  const pods = COMPONENT_IDS.filter((id) => isEnabled(config, id)).map(podRequests);
  return { cpu: Math.max(0, ...pods.map((pod) => pod.cpu)), memory: Math.max(0, ...pods.map((pod) => pod.memory)) };
}

function podRequests(id: ComponentId): Need {
  const { resources } = yamlAsset<{ resources?: { requests?: { cpu?: string; memory?: string } } }>(
    'templates',
    id,
    'values.yaml',
  );
  return { cpu: quantity(resources?.requests?.cpu), memory: quantity(resources?.requests?.memory) };
}

function replicasOf(config: Config, id: ComponentId, nodes: number): number {
  if (placeOf(config, id).workload.kind === 'DaemonSet') return nodes;
  return id === 'opentelemetry-collector' ? config[id].replicaCount : 1;
}

export interface ClaimNeed {
  component: ComponentId;
  namespace: string;
  name: string;
  bytes: number;
}

/** Claims of the profile; none without persistence. */
export function claimsOf(config: Config): ClaimNeed[] {
  if (!config.storage.enabled) return [];
  return COMPONENT_IDS.filter((id) => isEnabled(config, id)).flatMap((component): ClaimNeed[] => {
    const { claim, namespace } = placeOf(config, component);
    const section = config[component];
    const size = 'size' in section ? section.size : 'server' in section ? section.server.size : undefined;
    return claim && size ? [{ component, namespace, name: claim.name, bytes: quantity(size) }] : [];
  });
}
