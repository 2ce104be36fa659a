import { kubectl } from '../support/cluster.ts';
import { create, deletePods, editMap, patch, remove, scale, untilCrashed, untilPods, untilReady } from './actions.ts';
import type { Fault } from './types.ts';

const GATEWAY = 'opentelemetry-collector';
const NODE = 'opentelemetry-node-collector';

/** Faults on the path of telemetry from applications to backends. */
export const collectorFaults: Fault[] = [
  {
    name: 'a wrong endpoint in an exporter of the gateway',
    async inject(ns) {
      await editMap(ns, GATEWAY, 'config.yaml', 'http://loki:3100/otlp', 'http://loky:3100/otlp');
      await deletePods(ns, GATEWAY);
      await untilReady(ns, GATEWAY);
    },
    first: 'COL-18',
    evidence: /otlp_http\/loki.*loky/,
    cause: /endpoint.*wrong/,
    fix: /genai-obs install.*loki:3100/,
    object: `ConfigMap NS/${GATEWAY}`,
  },
  {
    name: 'an undefined exporter in a pipeline of the gateway',
    async inject(ns) {
      await editMap(ns, GATEWAY, 'config.yaml', /^( +)- otlp_grpc\/tempo$/m, '$1- otlp_grpc/jaeger');
      await deletePods(ns, GATEWAY);
      await untilCrashed(ns, GATEWAY);
    },
    first: 'COL-05',
    evidence: /exporter otlp_grpc\/jaeger, which is not defined/,
    cause: /does not start/,
    fix: /genai-obs install/,
    object: `ConfigMap NS/${GATEWAY}`,
  },
  {
    name: 'the ClusterRoleBinding of the gateway deleted',
    inject: (ns) => remove(ns, 'clusterrolebinding', `${ns}-${GATEWAY}`),
    first: 'COL-06',
    evidence: /opentelemetry-collector may not list pods/,
    cause: /ClusterRoleBinding .*was removed/,
    fix: /genai-obs install/,
    object: `ClusterRoleBinding NS-${GATEWAY}`,
  },
  {
    name: 'the ClusterRole of the node collectors without rules',
    async inject(ns) {
      await patch(ns, `clusterrole/${ns}-${NODE}`, { rules: [] });
    },
    first: 'COL-06',
    evidence: /opentelemetry-node-collector may not get nodes\/stats/,
    cause: /ClusterRole .*changed/,
    fix: /genai-obs install/,
  },
  {
    name: 'a memory limit of the gateway that is too low',
    // At 20Mi the kernel reclaims pages of the program for minutes before it kills it.
    async inject(ns) {
      await scale(ns, `deployment/${GATEWAY}`, 0);
      await untilPods(ns, GATEWAY, 'deleted', (list) => list.length === 0);
      const memory = ['--limits=memory=12Mi', '--requests=memory=12Mi'];
      await kubectl(['-n', ns, 'set', 'resources', `deployment/${GATEWAY}`, ...memory]);
      await scale(ns, `deployment/${GATEWAY}`, 2);
      await untilPods(ns, GATEWAY, 'OOMKilled', (list) =>
        list.some(({ status }) => JSON.stringify(status.containerStatuses ?? []).includes('OOMKilled')),
      );
    },
    // A pod may be ready for a moment between two kills. Then the kills are the finding, not the missing pods.
    first: /^COL-0[23]$/,
    evidence: /OOMKilled at its memory limit 12Mi/,
    cause: /needs more than its memory limit of 12Mi/,
    fix: /--limits=memory=|genai-obs install/,
  },
  {
    name: 'the gateway scaled to zero',
    async inject(ns) {
      await scale(ns, `deployment/${GATEWAY}`, 0);
      await untilPods(ns, GATEWAY, 'deleted', (list) => list.length === 0);
    },
    first: 'COL-02',
    evidence: /scaled to 0 replicas/,
    cause: /scaled to 0 manually/,
    fix: /scale deployment\/opentelemetry-collector --replicas=2/,
    object: `Deployment NS/${GATEWAY}`,
  },
  {
    name: 'the selector of the gateway Service matches no pod',
    async inject(ns) {
      await patch(ns, `service/${GATEWAY}`, { spec: { selector: { 'app.kubernetes.io/name': 'collector' } } });
    },
    first: 'COL-09',
    evidence: /selector of Service opentelemetry-collector .*matches none of \d+ pods/,
    cause: /selector and pod labels differ/,
    fix: /genai-obs install/,
    object: `Service NS/${GATEWAY}`,
  },
  {
    name: 'trace sampling set to 0 %',
    async inject(ns) {
      await editMap(ns, GATEWAY, 'config.yaml', /sampling_percentage: \d+/, 'sampling_percentage: 0');
      await deletePods(ns, GATEWAY);
      await untilReady(ns, GATEWAY);
    },
    first: 'COL-21',
    evidence: /no trace is stored: the sampling share is 0, the profile says 10 ?%/,
    cause: /edited manually/,
    fix: /genai-obs install/,
    object: `ConfigMap NS/${GATEWAY}`,
  },
  {
    name: 'a pod security level that rejects the node collectors',
    async inject(ns) {
      await kubectl(['label', '--overwrite', 'namespace', ns, 'pod-security.kubernetes.io/enforce=restricted']);
      await deletePods(ns, NODE);
      await untilPods(ns, NODE, 'rejected', (list) => list.length === 0);
    },
    async undo(ns) {
      await kubectl(['label', '--overwrite', 'namespace', ns, 'pod-security.kubernetes.io/enforce=privileged']);
    },
    first: 'COL-01',
    evidence: /rejects its pods.*violates PodSecurity/,
    cause: /admission, a policy/,
    fix: /describe daemonset|pod-security/,
    object: `DaemonSet NS/${NODE}`,
  },
  {
    name: 'a NetworkPolicy that denies all ingress',
    inject: (ns) =>
      create({
        apiVersion: 'networking.k8s.io/v1',
        kind: 'NetworkPolicy',
        metadata: { name: 'default-deny', namespace: ns },
        spec: { podSelector: {}, policyTypes: ['Ingress'] },
      }),
    undo: (ns) => remove(ns, 'networkpolicy', 'default-deny'),
    first: 'PRE-16',
    evidence: /connections have no rule/,
    cause: /default-deny isolates pods/,
    fix: /networkpolicy default-deny/,
    object: 'NetworkPolicy NS/default-deny',
  },
];
