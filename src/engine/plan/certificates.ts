import { placeOf } from '../../parts/catalog.ts';
import { INGEST, certificates } from '../../parts/collectors/mtls.ts';
import { type Config, isEnabled } from '../../profile/schema.ts';
import { namespaceStepId } from './ids.ts';
import type { Step } from '../steps/index.ts';
import type { RemovalStep } from '../steps/removal.ts';

/** Certificates for mutual TLS. No step waits for their issue: pods wait for the Secrets that they mount. */
export function certificateSteps(config: Config): Step[] {
  const { namespace } = placeOf(config, 'opentelemetry-collector');
  const objects = isEnabled(config, 'opentelemetry-collector') ? certificates(config) : [];
  const certified: Step[] = objects.length
    ? [
        {
          kind: 'objects',
          id: 'certificates',
          phase: 'operator',
          title: `${objects.filter(({ kind }) => kind === 'Certificate').length} certificates for mutual TLS`,
          needs: [
            namespaceStepId(config, namespace),
            ...(isEnabled(config, 'cert-manager') ? ['webhook/cert-manager'] : []),
          ],
          objects,
        },
      ]
    : [];
  return [...certified, ...closedEntry(config, namespace)];
}

/** Closes an entry point that the configuration no longer exposes. With our own chart helm does it. */
function closedEntry(config: Config, namespace: string): RemovalStep[] {
  const { chart, expose } = config['opentelemetry-collector'];
  if (chart !== 'opentelemetry-operator' || expose.type !== 'ClusterIP') return [];
  return [
    {
      kind: 'removal',
      id: `removal/${INGEST}`,
      phase: 'collectors',
      title: 'Entry point for senders outside the cluster (disabled)',
      needs: [namespaceStepId(config, namespace)],
      release: INGEST,
      namespace,
      objects: [{ apiVersion: 'v1', kind: 'Service', namespace, name: INGEST }],
    },
  ];
}
