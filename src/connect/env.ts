import type { OtlpProtocol } from '../parts/collectors/endpoint.ts';
import { type Certificate, certificateEnvironment } from './certificate.ts';

export interface EnvVar {
  name: string;
  value?: string;
  valueFrom?: { fieldRef?: { apiVersion: string; fieldPath: string }; [source: string]: unknown };
}

export const LANGUAGES = ['python', 'node', 'java', 'vllm', 'litellm', 'env'] as const;
export type Language = (typeof LANGUAGES)[number];

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
  /** Set when the gateway requires a client certificate. */
  certificate?: Certificate | undefined;
}

const POD: [string, string][] = [
  ['OTEL_K8S_NAMESPACE_NAME', 'metadata.namespace'],
  ['OTEL_K8S_POD_NAME', 'metadata.name'],
  ['OTEL_K8S_POD_UID', 'metadata.uid'],
  ['OTEL_K8S_NODE_NAME', 'spec.nodeName'],
];

/** Fields of the pod come first, because `$(NAME)` only expands variables above it. Prompts are not recorded. */
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
      // LiteLLM reads the environment name from its own variable, and sends OTLP metrics only when enabled.
      ...(sender.language === 'litellm'
        ? { OTEL_ENVIRONMENT_NAME: sender.environment, LITELLM_OTEL_INTEGRATION_ENABLE_METRICS: 'true' }
        : {}),
    }),
  ];
}

/** Latest semantic conventions for gen_ai.* and http.*, and no prompts or responses. */
export const SEMANTICS = {
  OTEL_SEMCONV_STABILITY_OPT_IN: 'gen_ai_latest_experimental,http',
  OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'NO_CONTENT',
};

/** vLLM creates its own exporter: it reads only the TRACES variables, and adds no path to an HTTP endpoint. */
function vllm({ protocol, certificate }: Sender): Record<string, string> {
  return { OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: protocol, OTEL_EXPORTER_OTLP_TRACES_INSECURE: String(!certificate) };
}

/** The endpoint for programs that take the full URL of traces. */
export const tracesEndpoint = ({ endpoint, protocol }: Pick<Sender, 'endpoint' | 'protocol'>): string =>
  protocol === 'grpc' ? endpoint : `${endpoint}/v1/traces`;

/** Percent-encodes values, as the specification of OTEL_RESOURCE_ATTRIBUTES requires. */
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

/** Ports of /metrics. Prometheus scrapes pods that have the annotations below. */
const METRICS: Partial<Record<Language, string>> = { vllm: '8000', litellm: '4000' };

/** Annotations of the pod template that the scrape job `kubernetes-pods` reads (templates/prometheus/config.yaml). */
export function scrapeAnnotations(language: Language): Record<string, string> {
  const port = METRICS[language];
  return port ? { 'prometheus.io/scrape': 'true', 'prometheus.io/port': port, 'prometheus.io/path': '/metrics' } : {};
}
