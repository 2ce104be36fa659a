import type { OtlpProtocol } from '../parts/collectors/endpoint.ts';
import { type Certificate, certificateEnvironment } from './certificate.ts';

/** One entry of a container's `env`, as the API server returns it. */
export interface EnvVar {
  name: string;
  value?: string;
  valueFrom?: { fieldRef?: { apiVersion: string; fieldPath: string }; [source: string]: unknown };
}

export const LANGUAGES = ['python', 'node', 'java', 'vllm', 'litellm', 'env'] as const;
export type Language = (typeof LANGUAGES)[number];

/** Who sends, where to, and how: all that the environment of an application is made of. */
export interface Sender {
  language: Language;
  /** `service.name`. */
  app: string;
  /** `genops.team`. */
  team?: string | undefined;
  /** `deployment.environment.name`. */
  environment: string;
  protocol: OtlpProtocol;
  /** Base URL of the gateway for that protocol. */
  endpoint: string;
  /** What it shows where nobody is let in without. */
  certificate?: Certificate | undefined;
}

const POD: [string, string][] = [
  ['OTEL_K8S_NAMESPACE_NAME', 'metadata.namespace'],
  ['OTEL_K8S_POD_NAME', 'metadata.name'],
  ['OTEL_K8S_POD_UID', 'metadata.uid'],
  ['OTEL_K8S_NODE_NAME', 'spec.nodeName'],
];

/**
 * The environment of one application: who it is, where it sends, and that it keeps prompts to itself.
 * The pod's own fields come first, because `$(NAME)` expands only names that stand above it.
 * Rows 001-SDK-02, 001-SDK-03, 001-SDK-05, 003-INST-01; upstream.md B.2 #21, B.3 #13, C.1.
 */
export function environmentOf(sender: Sender): EnvVar[] {
  const plain = (values: Record<string, string>): EnvVar[] =>
    Object.entries(values).map(([name, value]) => ({ name, value }));
  return [
    ...POD.map(([name, fieldPath]) => ({ name, valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath } } })),
    ...plain({
      OTEL_SERVICE_NAME: sender.app,
      OTEL_RESOURCE_ATTRIBUTES: resourceAttributes(sender),
      OTEL_EXPORTER_OTLP_ENDPOINT: sender.endpoint,
      OTEL_EXPORTER_OTLP_PROTOCOL: sender.protocol,
      ...(sender.certificate ? certificateEnvironment() : {}),
      OTEL_METRIC_EXPORT_INTERVAL: '30000',
      ...SEMANTICS,
      ...(sender.language === 'vllm' ? vllm(sender) : {}),
      // LiteLLM reads its environment's name from a variable of its own, and sends OTLP metrics only when told to.
      ...(sender.language === 'litellm'
        ? { OTEL_ENVIRONMENT_NAME: sender.environment, LITELLM_OTEL_INTEGRATION_ENABLE_METRICS: 'true' }
        : {}),
    }),
  ];
}

/** Newest names of gen_ai.* and http.*; neither prompts nor answers. Every SDK reads NO_CONTENT as "no". */
export const SEMANTICS = {
  OTEL_SEMCONV_STABILITY_OPT_IN: 'gen_ai_latest_experimental,http',
  OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'NO_CONTENT',
};

/** vLLM makes its exporter itself: it reads the variables of traces only, and no path is added to an HTTP endpoint. */
function vllm({ protocol, certificate }: Sender): Record<string, string> {
  return { OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: protocol, OTEL_EXPORTER_OTLP_TRACES_INSECURE: String(!certificate) };
}

/** The endpoint as programs want it that take one for traces alone. */
export function tracesEndpoint({ endpoint, protocol }: Pick<Sender, 'endpoint' | 'protocol'>): string {
  return protocol === 'grpc' ? endpoint : `${endpoint}/v1/traces`;
}

/** Values are percent-encoded, as the specification of OTEL_RESOURCE_ATTRIBUTES asks for. */
function resourceAttributes({ environment, team }: Sender): string {
  return Object.entries({
    'service.namespace': '$(OTEL_K8S_NAMESPACE_NAME)',
    'service.instance.id': '$(OTEL_K8S_POD_UID)',
    'deployment.environment.name': encodeURIComponent(environment),
    'k8s.namespace.name': '$(OTEL_K8S_NAMESPACE_NAME)',
    'k8s.pod.name': '$(OTEL_K8S_POD_NAME)',
    'k8s.pod.uid': '$(OTEL_K8S_POD_UID)',
    'k8s.node.name': '$(OTEL_K8S_NODE_NAME)',
    ...(team ? { 'genops.team': encodeURIComponent(team) } : {}),
  })
    .map((pair) => pair.join('='))
    .join(',');
}

/** Ports on which programs serve /metrics that nobody pushes; Prometheus scrapes pods that carry these annotations. */
const METRICS: Partial<Record<Language, string>> = { vllm: '8000', litellm: '4000' };

/** Annotations of the pod template: what the scrape job `kubernetes-pods` reads (templates/prometheus/config.yaml). */
export function scrapeAnnotations(language: Language): Record<string, string> {
  const port = METRICS[language];
  return port ? { 'prometheus.io/scrape': 'true', 'prometheus.io/port': port, 'prometheus.io/path': '/metrics' } : {};
}
