import { type Answer, type Kube, KubeError } from '../adapters/kube.ts';
import type { OtlpProtocol } from '../parts/collectors/endpoint.ts';
import { MANAGED_BY_LABEL, PART_OF } from '../core/labels.ts';
import type { KubeObject } from '../core/types.ts';
import { certificateEnvironment } from './certificate.ts';
import { type EnvVar, type Language, SEMANTICS, type Sender } from './env.ts';

const GROUP = '/apis/opentelemetry.io/v1alpha1';
const NAME = PART_OF;

/** Languages that the operator injects → how its annotation calls them. */
const INJECTED: Partial<Record<Language, string>> = { python: 'python', node: 'nodejs', java: 'java' };

/** What the OpenTelemetry operator needs to inject: its custom resource, and annotations for the pod template. */
export interface Injection {
  object: KubeObject;
  annotations: Record<string, string>;
  notes: string[];
}

export function isInjectable(language: Language): boolean {
  return INJECTED[language] !== undefined;
}

/** True where the API server knows the operator's Instrumentation. Discovery is open to every account. @throws KubeError */
export async function hasOperator(kube: Kube): Promise<boolean> {
  try {
    const { resources } = await kube.json<{ resources?: { name: string }[] }>(GROUP);
    return (resources ?? []).some(({ name }) => name === 'instrumentations');
  } catch (error) {
    if (error instanceof KubeError && error.status === 404) return false;
    throw error;
  }
}

/**
 * One Instrumentation for all applications of a namespace; what belongs to one application is in its annotations.
 * The operator's Python packages contain no gRPC exporter: Python always gets the HTTP pair.
 */
export function injectionOf(sender: Sender, namespace: string, endpoints: Record<OtlpProtocol, string>): Injection {
  const env = (values: Record<string, string>): EnvVar[] =>
    Object.entries(values).map(([name, value]) => ({ name, value }));
  const certificate = sender.certificate ? certificateEnvironment() : {};
  const object: KubeObject = {
    apiVersion: 'opentelemetry.io/v1alpha1',
    kind: 'Instrumentation',
    metadata: { name: NAME, namespace, labels: { [MANAGED_BY_LABEL]: PART_OF } },
    spec: {
      exporter: { endpoint: sender.endpoint },
      propagators: ['tracecontext', 'baggage'],
      resource: {
        addK8sUIDAttributes: true,
        resourceAttributes: { 'deployment.environment.name': sender.environment },
      },
      // Not exporter.tls: for that the operator has to read Secrets of all namespaces, which its chart does not let it: pods come late, and without SDK.
      env: env({
        OTEL_EXPORTER_OTLP_PROTOCOL: sender.protocol,
        ...certificate,
        OTEL_METRIC_EXPORT_INTERVAL: '30000',
        ...SEMANTICS,
      }),
      python: {
        env: env({
          OTEL_EXPORTER_OTLP_ENDPOINT: endpoints['http/protobuf'],
          OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
        }),
      },
    },
  };
  return {
    object,
    annotations: {
      [`instrumentation.opentelemetry.io/inject-${INJECTED[sender.language]}`]: NAME,
      'resource.opentelemetry.io/service.name': sender.app,
      'resource.opentelemetry.io/service.namespace': namespace,
      ...(sender.team ? { 'resource.opentelemetry.io/genops.team': sender.team } : {}),
    },
    notes: [
      'The operator injects SDK, endpoint and pod attributes when a pod is made: pods that run already must be made anew.',
      ...(sender.language === 'python'
        ? [
            `Injected Python sends http/protobuf to ${new URL(endpoints['http/protobuf']).port} whatever the protocol of the others is: the operator brings no gRPC for it.`,
          ]
        : []),
    ],
  };
}

const path = (namespace: string, name = ''): string =>
  `${GROUP}/namespaces/${encodeURIComponent(namespace)}/instrumentations${name}`;

/** The Instrumentation that an earlier run has made. @throws KubeError */
export async function readInstrumentation(kube: Kube, namespace: string): Promise<KubeObject | undefined> {
  try {
    return await kube.json<KubeObject>(path(namespace, `/${NAME}`));
  } catch (error) {
    if (error instanceof KubeError && error.status === 404) return undefined;
    throw error;
  }
}

/** @throws KubeError */
export async function removeInstrumentation(kube: Kube, namespace: string): Promise<void> {
  const answer = await kube.request('DELETE', path(namespace, `/${NAME}`));
  if (answer.status !== 404) throwRefusal(answer);
}

/** @throws KubeError with the API server's own words, for an answer that is none of success */
export function throwRefusal({ status, body }: Answer): void {
  if (status < 300) return;
  let said: { reason?: string; message?: string } = {};
  try {
    said = JSON.parse(body) as typeof said;
  } catch {
    // A proxy's words: the status alone says it.
  }
  throw new KubeError(status, said.reason ?? 'Unknown', said.message ?? `HTTP ${status}`);
}

/** Whether a pod template asks for our Instrumentation. */
export function asksForInjection(annotations: Record<string, string>): boolean {
  return Object.entries(annotations).some(
    ([key, value]) => key.startsWith('instrumentation.opentelemetry.io/inject-') && value === NAME,
  );
}
