import { type Kube, KubeError } from '../adapters/kube.ts';
import { BACKUP_RECORD, ownLabels } from '../core/labels.ts';
import type { KubeObject } from '../core/types.ts';

/** Notes that a backup was written. @throws KubeError when the cluster refuses */
export async function recordBackup(kube: Kube, namespace: string, at: Date): Promise<void> {
  const object: KubeObject = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: BACKUP_RECORD, namespace, labels: ownLabels('genai-obs') },
    data: { last: at.toISOString() },
  };
  try {
    await kube.replace(object);
  } catch (error) {
    if (!(error instanceof KubeError) || error.status !== 404) throw error;
    await kube.create(object);
  }
}
