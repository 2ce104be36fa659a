import type { FactKey, FactMap } from '../../checks/lib/facts.ts';
import { setMaxListeners } from 'node:events';
import { isNamespaced } from '../../adapters/kinds.ts';
import { placeOf } from '../../parts/catalog.ts';
import { messageOf } from '../../core/errors.ts';
import { redact } from '../../core/redact.ts';
import { namespacesOf } from '../../profile/schema.ts';
import { openGrafana, type Grafana } from '../../adapters/grafana.ts';
import type { ProbeResult } from '../../checks/lib/values.ts';
import { runProbe } from '../probe.ts';
import { access, accountAccess } from './access.ts';
import { baseline } from './baseline.ts';
import { cloud } from './cloud.ts';
import { cluster } from './cluster.ts';
import { configOf } from './config.ts';
import type { Collector, Deps, FactContext } from './context.ts';
import { grafanaGet, grafanaPost } from './grafana.ts';
import { http, otlp } from './http.ts';
import { kubelet } from './kubelet.ts';
import { listObjects, objects } from './k8s.ts';
import { logs } from './logs.ts';
import { port, tool } from './machine.ts';
import { promql } from './promql.ts';
import { drift, releases } from './releases.ts';
import { time } from './time.ts';
import { throughTunnel } from './tunnel.ts';

/** Scheme → collector, and how long it may take in milliseconds. A new scheme is a file here and a line in this map. */
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

/** Looks at everything the keys name, each once. Never throws: a look that fails is `{ok: false}`, so that its checks say "unknown". */
export async function collectFacts(keys: FactKey[], deps: Deps): Promise<FactMap> {
  const { context, close } = contextFor(deps);
  const wanted = [...new Set(keys)];
  const facts: FactMap = {};
  let next = 0;
  let done = 0;
  const worker = async (): Promise<void> => {
    for (let key = wanted[next++]; key !== undefined; key = wanted[next++]) {
      facts[key] = await look(key, context);
      deps.onFact?.(key, ++done, wanted.length);
    }
  };
  try {
    await Promise.all(Array.from({ length: PARALLEL }, worker));
  } finally {
    await close();
  }
  // In the order of the checks, so that two recordings can be compared.
  return Object.fromEntries(wanted.map((key) => [key, facts[key] ?? { ok: false, error: 'not collected' }]));
}

async function look(key: FactKey, context: FactContext): Promise<FactMap[string]> {
  const colon = key.indexOf(':');
  const entry = COLLECTORS[key.slice(0, colon)];
  if (!entry) return { ok: false, error: 'no collector knows this key' };
  if (context.signal.aborted) return { ok: false, error: 'cancelled' };
  try {
    return {
      ok: true,
      value: await within(entry.collect(key.slice(colon + 1), context), entry.deadline ?? 10_000, context.signal),
    };
  } catch (error) {
    return { ok: false, error: redact(messageOf(error)).replace(/\s+/g, ' ').slice(0, 300) };
  }
}

async function within<T>(work: Promise<T>, ms: number, signal: AbortSignal): Promise<T> {
  let stop = (): void => {};
  const limit = new Promise<never>((_resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no answer within ${ms / 1000} s`)), ms);
    const abort = (): void => reject(new Error('cancelled'));
    signal.addEventListener('abort', abort, { once: true });
    stop = () => (clearTimeout(timer), signal.removeEventListener('abort', abort));
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    stop();
  }
}

/** One list per namespace of the installation: nothing of other namespaces is read. */
async function listAcross({ kube, config }: Deps, kind: string, all: boolean): ReturnType<typeof listObjects> {
  if (all || !isNamespaced(kind)) return listObjects(kube, kind);
  return (await Promise.all(namespacesOf(config).map((namespace) => listObjects(kube, kind, namespace)))).flat();
}

function contextFor(deps: Deps): { context: FactContext; close: () => Promise<void> } {
  const lists = new Map<string, Promise<Awaited<ReturnType<typeof listObjects>>>>();
  let grafana: Promise<Grafana> | undefined;
  let probe: Promise<ProbeResult> | undefined;
  const signal = deps.signal ?? new AbortController().signal;
  // Every look listens while it runs, and there are many at once.
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
    // The probe cleans up after itself, also when its deadline has passed.
    await probe?.catch(() => {});
    await closeTunnel();
    await grafana?.then(
      (open) => open.close(),
      () => {},
    );
  };
  return { context, close };
}
