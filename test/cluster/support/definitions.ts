import { spawnSync } from 'node:child_process';
import type { TestContext } from 'vitest';
import { HOME_ANNOTATION } from '../../../src/core/labels.ts';
import { type KubeItem, eventually, get, kubectl } from './cluster.ts';

/** Field manager and label of what the tests make in somebody else's name. */
export const FOREIGN = 'platform-team';
const LABEL = 'genai-obs-test/owner';

/** CRDs of the operators that profiles install, by name; a cluster has each of them once. */
export async function definitions(): Promise<string[]> {
  const { items } = await get('crd');
  return items
    .map(({ metadata }) => metadata.name)
    .filter((name) => /\.(opentelemetry\.io|cert-manager\.io)$/.test(name));
}

/** Skips the test where others work with such definitions in the same cluster, and do not end within a minute. */
export async function alone(context: TestContext): Promise<void> {
  const free = await eventually(
    'the definitions are nobody’s',
    async () => ((await definitions()).length === 0 ? true : undefined),
    60,
  ).catch(() => false);
  if (!free) context.skip(`others use ${(await definitions()).join(', ')} in this cluster`);
}

/** Makes or changes definitions as somebody who knows nothing of us; resolves when they are served. */
export async function foreign(...crds: Pick<KubeItem, 'kind' | 'apiVersion' | 'metadata'>[]): Promise<void> {
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

/** Removes them, and what a failed uninstall left of an installation's; synchronous, so that it also serves an interrupted run. */
export function forget(home: string): void {
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
