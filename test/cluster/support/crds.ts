import { spawnSync } from 'node:child_process';
import type { TestContext } from 'vitest';
import { HOME_ANNOTATION } from '../../../src/core/labels.ts';
import { type KubeItem, eventually, get, kubectl } from './cluster.ts';

/** Field manager and label of CRDs that the tests create on behalf of another owner. */
export const FOREIGN = 'platform-team';
const LABEL = 'genai-obs-test/owner';

/** Names of the CRDs of the operators that profiles install. CRDs are cluster-wide, so tests share them. */
export async function operatorCrds(): Promise<string[]> {
  const { items } = await get('crd');
  return items
    .map(({ metadata }) => metadata.name)
    .filter((name) => /\.(opentelemetry\.io|cert-manager\.io)$/.test(name));
}

/** Skips the test if the cluster still has such CRDs of others after a minute. */
export async function requireNoOperatorCrds(context: TestContext): Promise<void> {
  const free = await eventually(
    'the cluster has no CRD of these operators',
    async () => ((await operatorCrds()).length === 0 ? true : undefined),
    60,
  ).catch(() => false);
  if (!free) context.skip(`others use ${(await operatorCrds()).join(', ')} in this cluster`);
}

/** Creates or changes CRDs as another owner; resolves when they are served. */
export async function applyForeignCrds(...crds: Pick<KubeItem, 'kind' | 'apiVersion' | 'metadata'>[]): Promise<void> {
  const items = crds.map((crd) => ({
    ...crd,
    metadata: { ...crd.metadata, labels: { ...crd.metadata.labels, [LABEL]: FOREIGN } },
  }));
  await kubectl(
    ['apply', '--server-side', `--field-manager=${FOREIGN}`, '-f', '-'],
    JSON.stringify({ apiVersion: 'v1', kind: 'List', items }),
  );
  await kubectl(['wait', '--for=condition=Established', 'crd', '-l', `${LABEL}=${FOREIGN}`, '--timeout=30s']);
}

/** Deletes these CRDs, and those that a failed uninstall left behind. Synchronous, for use in an interrupted run. */
export function deleteTestCrds(home: string): void {
  const all = spawnSync('kubectl', ['get', 'crd', '-o', 'json'], { encoding: 'utf8', maxBuffer: 1 << 28 }).stdout;
  const { items } = JSON.parse(all || '{"items": []}') as { items: KubeItem[] };
  const made = items.filter(
    ({ metadata }) => metadata.labels?.[LABEL] === FOREIGN || metadata.annotations?.[HOME_ANNOTATION] === home,
  );
  if (made.length > 0)
    spawnSync('kubectl', ['delete', 'crd', ...made.map(({ metadata }) => metadata.name), '--timeout=60s'], {
      stdio: 'ignore',
    });
}
