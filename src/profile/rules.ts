import { usageError } from '../core/errors.ts';
import { type Config, isEnabled, namespaceOf } from './schema.ts';

const COLLECTORS = ['opentelemetry-collector', 'opentelemetry-node-collector', 'opentelemetry-cluster-collector'] as const;

/** Settings that are valid each for itself and not together. @throws ObsError (usage) */
export function refuseContradictions(config: Config): Config {
  if (!config['opentelemetry-collector'].enabled) return config;
  const { mtls, ingest } = config.security;
  const { type, nodePorts } = config['opentelemetry-collector'].expose;
  const certManager = config['cert-manager'];
  if (mtls.enabled && !certManager.enabled && !certManager.existing)
    throw usageError(
      'security.mtls needs cert-manager, which makes its certificates',
      'set cert-manager.enabled: true, or cert-manager.existing: true where the cluster has one',
    );
  const namespaces = new Set(COLLECTORS.filter((id) => isEnabled(config, id)).map((id) => namespaceOf(config, id)));
  if (mtls.enabled && namespaces.size > 1)
    throw usageError(
      'security.mtls needs all collectors in one namespace: they share an authority',
      `now they are in ${[...namespaces].join(', ')}: set the same one for all`,
    );
  if (ingest.tokenSecret && !mtls.enabled && !ingest.tlsSecret)
    throw usageError(
      'security.ingest.tokenSecret without TLS would show the token to everybody',
      'set security.mtls.enabled: true, or security.ingest.tlsSecret',
    );
  if (type !== 'ClusterIP' && !mtls.enabled && !ingest.tokenSecret)
    throw usageError(
      `opentelemetry-collector.expose.type ${type} would let anybody send to the gateway, unencrypted`,
      'set security.mtls.enabled: true, or security.ingest with tokenSecret and tlsSecret',
    );
  if (type === 'ClusterIP' && (nodePorts.grpc || nodePorts.http))
    throw usageError('opentelemetry-collector.expose.nodePorts has no effect with type ClusterIP', 'set opentelemetry-collector.expose.type: NodePort');
  return config;
}
