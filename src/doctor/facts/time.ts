import type { KubeObject } from '../../core/types.ts';
import type { Collector, FactContext } from './context.ts';

/** Kubelets renew their lease every 10 s; 2 s are for delays. */
const LEASE_MS = 12_000;
/** Half of the resolution of a Date header. */
const HEADER_MS = 500;

interface Measured {
  skewMs: number;
  withinMs: number;
  how: string;
}

/** `now`: when the facts were collected. `clock`: offset of the clocks of API server and nodes from this machine's. */
export const time: Collector = async (what, context) => {
  if (what === 'now') return { iso: new Date().toISOString() };
  if (what !== 'clock') throw new Error(`unknown fact time:${what}`);
  const names = (await context.objects('Node')).map((node) => node.metadata.name);
  const [server, leases] = await Promise.all([byHeader('/version', context), leasesOf(context)]);
  const nodes = await Promise.all(
    names.map(
      async (name) =>
        [
          name,
          (await byHeader(`/api/v1/nodes/${encodeURIComponent(name)}/proxy/healthz`, context)) ?? leases.get(name),
        ] as const,
    ),
  );
  const found = Object.fromEntries(
    [['api-server', server] as const, ...nodes].flatMap(([name, value]) => (value ? [[name, value] as const] : [])),
  );
  const pick = (field: keyof Measured) =>
    Object.fromEntries(Object.entries(found).map(([name, value]) => [name, value[field]]));
  return { skewMs: pick('skewMs'), withinMs: pick('withinMs'), how: pick('how') };
};

/** Compares the Date header of the response with the middle of the request. */
async function byHeader(path: string, { kube }: FactContext): Promise<Measured | undefined> {
  const before = Date.now();
  const response = await kube.request('GET', path, { timeout: 5_000 }).catch(() => undefined);
  const after = Date.now();
  const stamp = Date.parse(response?.date ?? '');
  if (!Number.isFinite(stamp)) return undefined;
  return {
    skewMs: Math.round(stamp + HEADER_MS - (before + after) / 2),
    withinMs: Math.round(HEADER_MS + (after - before) / 2),
    how: 'Date header',
  };
}

/** Renewal times of the nodes' leases show a clock ahead at once, one behind only past the renewal interval. */
async function leasesOf(context: FactContext): Promise<Map<string, Measured>> {
  const local = Date.now();
  const leases = await context.kube.list('Lease', 'kube-node-lease').catch((): KubeObject[] => []);
  return new Map(
    leases.flatMap((lease): [string, Measured][] => {
      const renewed = Date.parse((lease['spec'] as { renewTime?: string } | undefined)?.renewTime ?? '');
      if (!Number.isFinite(renewed)) return [];
      const delta = renewed - local;
      const skewMs = delta > 0 ? delta : Math.min(0, delta + LEASE_MS);
      return [[lease.metadata.name, { skewMs, withinMs: LEASE_MS, how: 'lease' }]];
    }),
  );
}
