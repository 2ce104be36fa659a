import { createHash } from 'node:crypto';

const PART_OF = 'genai-obs-demo';
const PORT = 8080;
const SCRIPT = 'workload.cjs';

/** [role, CPU request, CPU limit, has a Service]; roles address each other by Service name. */
const ROLES = [
  ['rag-chat', '50m', '500m', true],
  ['vector-store', '20m', '250m', true],
  ['fake-model', '20m', '250m', true],
  ['load', '20m', '250m', false],
];

const labelsOf = (name) => ({ 'app.kubernetes.io/name': name, 'app.kubernetes.io/part-of': PART_OF });

const fromPod = (name, fieldPath) => ({ name, valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath } } });

/** Resource attributes of a process: the SDK's standard variables, filled in by the downward API. */
function identity(role) {
  const attributes = {
    'service.namespace': 'genai-demo',
    'service.instance.id': '$(K8S_POD_UID)',
    'k8s.pod.uid': '$(K8S_POD_UID)',
    'k8s.pod.name': '$(K8S_POD_NAME)',
    'k8s.namespace.name': '$(K8S_NAMESPACE_NAME)',
    'k8s.node.name': '$(K8S_NODE_NAME)',
    'k8s.deployment.name': role,
    'k8s.container.name': role,
  };
  return [
    fromPod('K8S_POD_UID', 'metadata.uid'),
    fromPod('K8S_POD_NAME', 'metadata.name'),
    fromPod('K8S_NAMESPACE_NAME', 'metadata.namespace'),
    fromPod('K8S_NODE_NAME', 'spec.nodeName'),
    { name: 'OTEL_SERVICE_NAME', value: role },
    {
      name: 'OTEL_RESOURCE_ATTRIBUTES',
      value: Object.entries(attributes)
        .map((pair) => pair.join('='))
        .join(','),
    },
  ];
}

function container(role, { image, otlpEndpoint, rate }, requestCpu, limitCpu) {
  const probe = { httpGet: { path: '/healthz', port: 'http', scheme: 'HTTP' }, timeoutSeconds: 3 };
  return {
    name: role,
    image,
    imagePullPolicy: 'IfNotPresent',
    command: ['node', '--max-old-space-size=48', '--max-semi-space-size=2', `/app/${SCRIPT}`],
    env: [
      { name: 'ROLE', value: role },
      { name: 'PORT', value: String(PORT) },
      { name: 'OTEL_EXPORTER_OTLP_ENDPOINT', value: otlpEndpoint },
      ...(role === 'load' ? [{ name: 'RATE', value: String(rate) }] : []),
      ...identity(role),
    ],
    ports: [{ name: 'http', containerPort: PORT, protocol: 'TCP' }],
    resources: { requests: { cpu: requestCpu, memory: '64Mi' }, limits: { cpu: limitCpu, memory: '128Mi' } },
    readinessProbe: { ...probe, initialDelaySeconds: 3, periodSeconds: 5 },
    livenessProbe: { ...probe, periodSeconds: 20, failureThreshold: 4 },
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
    volumeMounts: [{ name: 'app', mountPath: '/app', readOnly: true }],
  };
}

function deployment([role, requestCpu, limitCpu], options) {
  const labels = labelsOf(role);
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: role, namespace: options.namespace, labels },
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      template: {
        metadata: {
          // The gateway turns these two into genops.team and genops.project.
          labels: { ...labels, team: 'support', project: 'docs-assistant' },
          annotations: { 'checksum/script': createHash('sha256').update(options.script).digest('hex').slice(0, 16) },
        },
        spec: {
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          terminationGracePeriodSeconds: 20,
          securityContext: {
            runAsNonRoot: true,
            runAsUser: 1000,
            runAsGroup: 1000,
            seccompProfile: { type: 'RuntimeDefault' },
          },
          containers: [container(role, options, requestCpu, limitCpu)],
          volumes: [{ name: 'app', configMap: { name: 'workload' } }],
        },
      },
    },
  };
}

function service([role], namespace) {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: role, namespace, labels: labelsOf(role) },
    spec: { selector: labelsOf(role), ports: [{ name: 'http', port: PORT, targetPort: 'http', protocol: 'TCP' }] },
  };
}

/**
 * All objects of the sample workload. Apply them as a List with `kubectl apply --server-side -f -`.
 * `script` is the result of bundleWorkload(); `rate` is in questions per second.
 */
export function workloadObjects({
  namespace = 'genai-demo',
  otlpEndpoint,
  script,
  image = 'docker.io/library/node:20-alpine',
  rate = 3,
}) {
  const options = { namespace, otlpEndpoint, script, image, rate };
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels: labelsOf('genai-demo') } },
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'workload', namespace, labels: labelsOf('workload') },
      data: { [SCRIPT]: script },
    },
    ...ROLES.map((role) => deployment(role, options)),
    ...ROLES.filter(([, , , served]) => served).map((role) => service(role, namespace)),
  ];
}
