import { statusError } from '../adapters/kubeError.ts';
import { type Kube, KubeError } from '../adapters/kube.ts';
import type { OtlpProtocol } from '../parts/collectors/endpoint.ts';
import { MANAGED_BY_LABEL, PART_OF } from '../core/labels.ts';
import type { KubeObject } from '../core/types.ts';
import { certificateEnvironment } from './certificate.ts';
import { type EnvVar, type Language, SEMANTICS, type Sender } from './env.ts';

const GROUP = '/apis/opentelemetry.io/v1alpha1';
const NAME = PART_OF;

/** Languages that the operator can instrument, with their names in its annotations. */
const INJECTED: Partial<Record<Language, string>> = { python: 'python', node: 'nodejs', java: 'java' };

/** The custom resource for the OpenTelemetry operator, and the annotations for the pod template. */
export interface Injection {
  object: KubeObject;
  annotations: Record<string, string>;
  notes: string[];
}

export const isInjectable = (language: Language): boolean => INJECTED[language] !== undefined;

/** True when the API server serves Instrumentations. Every account may use discovery. @throws KubeError */
export async function hasOperator(kube: Kube): Promise<boolean> {
  try {
    const { resources } = await kube.json<{ resources?: { name: string }[] }>(GROUP);
    return (resources ?? []).some(({ name }) => name === 'instrumentations');
  } catch (error) {
    if (error instanceof KubeError && error.status === 404) return false;
    throw error;
  }
}

/** One per namespace. Python always gets http/protobuf: the operator's Python image contains no gRPC exporter. */
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
      // Not exporter.tls: the operator would need to read Secrets in all namespaces, which its chart does not allow.
      // Pods then start late and without SDK.
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
      'The operator injects SDK, endpoint and pod attributes when a pod is created: restart running pods.',
      ...(sender.language === 'python'
        ? [
            `Injected Python always sends http/protobuf to port ${new URL(endpoints['http/protobuf']).port}: ` +
              'the operator has no gRPC exporter for Python.',
          ]
        : []),
    ],
  };
}

const path = (namespace: string, name = ''): string =>
  `${GROUP}/namespaces/${encodeURIComponent(namespace)}/instrumentations${name}`;

/** The Instrumentation that an earlier run created. @throws KubeError */
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
  if (answer.status >= 300 && answer.status !== 404) throw statusError(answer, `Instrumentation ${namespace}/${NAME}`);
}

export function asksForInjection(annotations: Record<string, string>): boolean {
  return Object.entries(annotations).some(
    ([key, value]) => key.startsWith('instrumentation.opentelemetry.io/inject-') && value === NAME,
  );
}
