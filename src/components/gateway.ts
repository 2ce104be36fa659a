import { ObsError } from '../core/errors.ts';
import type { Config } from '../profile/schema.ts';
import { placeOf } from './catalog.ts';
import { openReceivers } from './mtls.ts';

/** Values of OTEL_EXPORTER_OTLP_PROTOCOL that the gateway takes. */
export const OTLP_PROTOCOLS = ['grpc', 'http/protobuf'] as const;
export type OtlpProtocol = (typeof OTLP_PROTOCOLS)[number];

/**
 * Where applications in the cluster send OTLP: one base URL per protocol, because a port speaks only one (upstream.md B.4 #2).
 * @throws ObsError when this configuration has no gateway
 */
export function gatewayEndpoint(config: Config): Record<OtlpProtocol, string> {
  if (!config['opentelemetry-collector'].enabled) {
    throw new ObsError({
      what: 'this stack has no gateway that applications could send to',
      object: `namespace ${config.namespace}`,
      cause: 'opentelemetry-collector is switched off, or no store is left that it could send to',
      next: 'genai-obs install with opentelemetry-collector.enabled: true in the file given with -f',
    });
  }
  const { service, namespace } = placeOf(config, 'opentelemetry-collector');
  const host = `${service.name}.${namespace}.svc`;
  // Plain OTLP, but where only senders with a certificate are let in.
  const [open] = openReceivers(config);
  const scheme = open?.receiver === 'otlp' ? 'http' : 'https';
  return { grpc: `${scheme}://${host}:${open?.grpc}`, 'http/protobuf': `${scheme}://${host}:${open?.http}` };
}
