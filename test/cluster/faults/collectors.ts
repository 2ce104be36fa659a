import { scale, create, deletePods, editMap, patch, remove, untilCrashed, untilPods, untilReady } from './hands.ts';
import { kubectl } from '../support/cluster.ts';
import type { Fault } from './types.ts';

const GATEWAY = 'opentelemetry-collector';
const NODE = 'opentelemetry-node-collector';

/** The way of telemetry from the applications to the backends. */
export const collectorFaults: Fault[] = [
  {
    name: 'an exporter of the gateway with a wrong endpoint',
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
    name: 'a collector configuration that uses what it does not define',
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
    name: 'the rights of the gateway removed',
    inject: (ns) => remove(ns, 'clusterrolebinding', `${ns}-${GATEWAY}`),
    first: 'COL-06',
    evidence: /opentelemetry-collector may not list pods/,
    cause: /ClusterRoleBinding .*was removed/,
    fix: /genai-obs install/,
    object: `ClusterRoleBinding NS-${GATEWAY}`,
  },
  {
    name: 'the rights of the node collectors emptied',
    async inject(ns) {
      await patch(ns, `clusterrole/${ns}-${NODE}`, { rules: [] });
    },
    first: 'COL-06',
    evidence: /opentelemetry-node-collector may not get nodes\/stats/,
    cause: /ClusterRole .*changed/,
    fix: /genai-obs install/,
  },
  {
    name: 'the gateway with too little memory',
    // At 20Mi the kernel throws out pages of the program for minutes before it kills.
    async inject(ns) {
      await scale(ns, `deployment/${GATEWAY}`, 0);
      await untilPods(ns, GATEWAY, 'gone', (list) => list.length === 0);
      await kubectl([
        '-n',
        ns,
        'set',
        'resources',
        `deployment/${GATEWAY}`,
        '--limits=memory=12Mi',
        '--requests=memory=12Mi',
      ]);
      await scale(ns, `deployment/${GATEWAY}`, 2);
      await untilPods(ns, GATEWAY, 'OOMKilled', (list) =>
        list.some(({ status }) => JSON.stringify(status.containerStatuses ?? []).includes('OOMKilled')),
      );
    },
    // Between two kills one of them may be ready for a moment: then the kills are the finding, not the lack of pods.
    first: /^COL-0[23]$/,
    evidence: /OOMKilled at its memory limit 12Mi/,
    cause: /needs more than its memory limit of 12Mi/,
    fix: /--limits=memory=|genai-obs install/,
  },
  {
    name: 'the gateway scaled to nothing',
    async inject(ns) {
      await scale(ns, `deployment/${GATEWAY}`, 0);
      await untilPods(ns, GATEWAY, 'gone', (list) => list.length === 0);
    },
    first: 'COL-02',
    evidence: /scaled to 0 replicas/,
    cause: /scaled it to 0/,
    fix: /scale deployment\/opentelemetry-collector --replicas=2/,
    object: `Deployment NS/${GATEWAY}`,
  },
  {
    name: 'the Service of the gateway selects nothing',
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
    name: 'no trace is stored: sampling at 0 %',
    async inject(ns) {
      await editMap(ns, GATEWAY, 'config.yaml', /sampling_percentage: \d+/, 'sampling_percentage: 0');
      await deletePods(ns, GATEWAY);
      await untilReady(ns, GATEWAY);
    },
    first: 'COL-21',
    evidence: /no trace is stored: the sampling share is 0, the profile says 10 ?%/,
    cause: /edited by hand/,
    fix: /genai-obs install/,
    object: `ConfigMap NS/${GATEWAY}`,
  },
  {
    name: 'the namespace forbids what node collectors need',
    async inject(ns) {
      await kubectl(['label', '--overwrite', 'namespace', ns, 'pod-security.kubernetes.io/enforce=restricted']);
      await deletePods(ns, NODE);
      await untilPods(ns, NODE, 'refused', (list) => list.length === 0);
    },
    async undo(ns) {
      await kubectl(['label', '--overwrite', 'namespace', ns, 'pod-security.kubernetes.io/enforce=privileged']);
    },
    first: 'COL-01',
    evidence: /refused.*violates PodSecurity/,
    cause: /refuses the pod/,
    fix: /describe daemonset|pod-security/,
    object: `DaemonSet NS/${NODE}`,
  },
  {
    name: 'a NetworkPolicy that lets nothing in',
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
