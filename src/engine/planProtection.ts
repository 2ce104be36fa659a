import { placeOf } from '../parts/catalog.ts';
import { INGEST, certificates } from '../parts/collectors/mtls.ts';
import { type Config, isEnabled } from '../profile/schema.ts';
import { namespaceStepId } from './stepIds.ts';
import type { RemovalStep, Step } from './types.ts';

/** Certificates of mutual TLS. Nobody waits for them to be issued: pods that mount their Secrets do that by themselves. */
export function protectionSteps(config: Config): Step[] {
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

/** An entry that is not wanted any more must not stay open. With our own chart helm removes it. */
function closedEntry(config: Config, namespace: string): RemovalStep[] {
  const { chart, expose } = config['opentelemetry-collector'];
  if (chart !== 'opentelemetry-operator' || expose.type !== 'ClusterIP') return [];
  return [
    {
      kind: 'removal',
      id: `removal/${INGEST}`,
      phase: 'collectors',
      title: 'Entry for senders outside of the cluster (switched off)',
      needs: [namespaceStepId(config, namespace)],
      release: INGEST,
      namespace,
      objects: [{ apiVersion: 'v1', kind: 'Service', namespace, name: INGEST }],
    },
  ];
}
