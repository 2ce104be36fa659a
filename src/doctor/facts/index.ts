import { setMaxListeners } from 'node:events';
import pLimit from 'p-limit';
import { openGrafana, type Grafana } from '../../adapters/grafana.ts';
import { isNamespaced } from '../../adapters/kinds.ts';
import type { Fact, FactKey, FactMap } from '../../checks/lib/facts.ts';
import type { ProbeResult } from '../../checks/lib/values.ts';
import { messageOf } from '../../core/errors.ts';
import { redact } from '../../core/redact.ts';
import { oneLine } from '../../core/text.ts';
import type { KubeObject } from '../../core/types.ts';
import { placeOf } from '../../parts/catalog.ts';
import { namespacesOf } from '../../profile/schema.ts';
import { runProbe } from '../probe/index.ts';
import { access, accountAccess } from './access.ts';
import { cloud } from './cloud.ts';
import { cluster, releases } from './cluster.ts';
import { configOf } from './config.ts';
import type { Collector, Deps, FactContext } from './context.ts';
import { grafanaGet, grafanaPost, http, otlp, promql } from './http.ts';
import { listObjects, objects } from './k8s.ts';
import { kubelet } from './kubelet.ts';
import { logs } from './logs.ts';
import { port, tool } from './machine.ts';
import { time } from './time.ts';
import { throughTunnel } from './tunnel.ts';

/** The fact of the same key in the baseline; null without a baseline. */
const baseline: Collector = async (key, context) => {
  if (!context.baseline) return null;
  const fact = context.baseline[key];
  if (!fact?.ok) throw new Error(`the baseline has no fact ${key}`);
  return fact.value;
};

const drift: Collector = async (_rest, context) => {
  if (!context.drift) throw new Error('the plan is not available for a comparison');
  return context.drift();
};

/** Scheme → collector and its deadline in milliseconds, default 10 000. A new scheme is a collector and a line here. */
const COLLECTORS: Record<string, { collect: Collector; deadline?: number }> = {
  tool: { collect: tool },
  port: { collect: port },
  cluster: { collect: cluster },
  k8s: { collect: objects, deadline: 20_000 },
  access: { collect: access },
  as: { collect: accountAccess },
  kubelet: { collect: kubelet, deadline: 20_000 },
  http: { collect: http },
  otlp: { collect: otlp },
  promql: { collect: promql },
  grafana: { collect: grafanaGet, deadline: 20_000 },
  'grafana-post': { collect: grafanaPost, deadline: 20_000 },
  logs: { collect: logs },
  config: { collect: configOf },
  releases: { collect: releases },
  drift: { collect: drift, deadline: 60_000 },
  time: { collect: time },
  baseline: { collect: baseline },
  cloud: { collect: cloud },
  probe: { collect: (_rest, context) => context.probe(), deadline: 300_000 },
};

const PARALLEL = 16;

/** Collects each key once. Never throws: a fact that failed is `{ok: false}`, and its checks are unknown. */
export async function collectFacts(keys: FactKey[], deps: Deps): Promise<FactMap> {
  const { context, close } = contextFor(deps);
  const wanted = [...new Set(keys)];
  let done = 0;
  try {
    const facts = await pLimit(PARALLEL).map(wanted, async (key): Promise<[FactKey, Fact]> => {
      const fact = await collect(key, context);
      deps.onFact?.(key, ++done, wanted.length);
      return [key, fact];
    });
    // In the order of the checks, so that two files can be compared.
    return Object.fromEntries(facts);
  } finally {
    await close();
  }
}

async function collect(key: FactKey, context: FactContext): Promise<Fact> {
  const colon = key.indexOf(':');
  const entry = COLLECTORS[key.slice(0, colon)];
  if (!entry) return { ok: false, error: 'no collector has this scheme' };
  if (context.signal.aborted) return { ok: false, error: 'cancelled' };
  try {
    const work = entry.collect(key.slice(colon + 1), context);
    return { ok: true, value: await within(work, entry.deadline ?? 10_000, context.signal) };
  } catch (error) {
    return { ok: false, error: oneLine(redact(messageOf(error)), 300) };
  }
}

async function within<T>(work: Promise<T>, ms: number, signal: AbortSignal): Promise<T> {
  const limit = AbortSignal.timeout(ms);
  const stopped = new Promise<never>((_resolve, reject) => {
    limit.addEventListener('abort', () => reject(new Error(`no response within ${ms / 1000} s`)));
    signal.addEventListener('abort', () => reject(new Error('cancelled')), { signal: limit });
  });
  return Promise.race([work, stopped]);
}

/** Reads no namespace outside of the installation, unless a check needs `all`. */
async function listAcross({ kube, config }: Deps, kind: string, all: boolean): Promise<KubeObject[]> {
  if (all || !isNamespaced(kind)) return listObjects(kube, kind);
  return (await Promise.all(namespacesOf(config).map((namespace) => listObjects(kube, kind, namespace)))).flat();
}

function contextFor(deps: Deps): { context: FactContext; close: () => Promise<void> } {
  const lists = new Map<string, Promise<KubeObject[]>>();
  let grafana: Promise<Grafana> | undefined;
  let probe: Promise<ProbeResult> | undefined;
  const signal = deps.signal ?? new AbortController().signal;
  // Every collector adds a listener while it runs.
  setMaxListeners(0, signal);
  const { kube, close: closeTunnel } = throughTunnel(deps);
  const context: FactContext = {
    ...deps,
    kube,
    signal,
    objects(kind, all = false) {
      const key = `${kind}${all ? '@all' : ''}`;
      const list = lists.get(key) ?? listAcross(deps, kind, all);
      lists.set(key, list);
      return list;
    },
    grafana: () => (grafana ??= openGrafana(deps.kube, deps.kubectl, placeOf(deps.config, 'grafana'))),
    probe: () =>
      (probe ??= runProbe({
        kube,
        config: deps.config,
        grafana: () => context.grafana(),
        signal,
        onStep: deps.onProbe ?? (() => {}),
      })),
  };
  const close = async (): Promise<void> => {
    // The probe removes what it wrote even after its deadline.
    await probe?.catch(() => {});
    await closeTunnel();
    await grafana?.then(
      (open) => open.close(),
      () => {},
    );
  };
  return { context, close };
}
