import { ObsError } from '../../core/errors.ts';
import { type Config, namespaceOf } from '../../profile/schema.ts';
import { CLOUD_RECEIVER } from '../cloud.ts';
import { placeOf } from '../catalog.ts';
import { openReceivers } from './mtls.ts';

/** Values of OTEL_EXPORTER_OTLP_PROTOCOL that the gateway supports. */
export const OTLP_PROTOCOLS = ['grpc', 'http/protobuf'] as const;
export type OtlpProtocol = (typeof OTLP_PROTOCOLS)[number];

/** Base URL for OTLP in the cluster; each port supports only one protocol. @throws ObsError without a gateway */
export function gatewayEndpoint(config: Config): Record<OtlpProtocol, string> {
  if (!config['opentelemetry-collector'].enabled && config['k8s-monitoring'].enabled)
    return endpoints(CLOUD_RECEIVER, namespaceOf(config, 'k8s-monitoring'));
  if (!config['opentelemetry-collector'].enabled) {
    throw new ObsError({
      what: 'this stack has no gateway for telemetry of applications',
      object: `namespace ${config.namespace}`,
      cause: 'opentelemetry-collector is disabled, or every backend that it sends to is',
      next: 'set opentelemetry-collector: { enabled: true } in FILE, then: genai-obs install -f FILE',
    });
  }
  const { service, namespace } = placeOf(config, 'opentelemetry-collector');
  const [open] = openReceivers(config);
  return endpoints(service.name, namespace, needsCertificate(config) ? 'https' : 'http', open?.grpc, open?.http);
}

/** Whether applications need a client certificate, because plain OTLP is closed (`security.mtls.mode: strict`). */
export function needsCertificate(config: Config): boolean {
  return (
    config['opentelemetry-collector'].enabled && !openReceivers(config).some(({ receiver }) => receiver === 'otlp')
  );
}

function endpoints(
  service: string,
  namespace: string,
  scheme = 'http',
  grpc = 4317,
  http = 4318,
): Record<OtlpProtocol, string> {
  const host = `${service}.${namespace}.svc`;
  return { grpc: `${scheme}://${host}:${grpc}`, 'http/protobuf': `${scheme}://${host}:${http}` };
}
