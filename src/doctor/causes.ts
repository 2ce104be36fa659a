import type { Check, Finding, Status } from '../checks/lib/check.ts';
import { placeOf } from '../parts/catalog.ts';
import type { ComponentId, Config } from '../profile/schema.ts';

/**
 * Checks that explain failures anywhere, besides `dependsOn`: the API server for everything; the namespace, an
 * installed stack and ready nodes for the stack; NetworkPolicies for every check that talks to a Service.
 */
const ALWAYS = ['PRE-05'];
const STACK = ['PRE-26', 'MNT-08', 'PRE-07'];
const NETWORK = ['PRE-16'];
/**
 * Causes in other areas: missing capacity, volumes and Secrets keep pods from starting. A cause that names an object
 * explains only checks of components that use it.
 */
const PODS = ['COL-01', 'COL-02', 'PROM-01', 'PROM-19', 'LOKI-01', 'TEMPO-01', 'JAEG-01', 'GRAF-01', 'ALRT-01'];
const CLAIMS: Record<string, ComponentId> = {
  'PROM-01': 'prometheus',
  'LOKI-01': 'loki',
  'TEMPO-01': 'tempo',
  'GRAF-01': 'grafana',
  'ALRT-01': 'alertmanager',
};
const ACROSS: Record<string, string[]> = {
  ...Object.fromEntries(PODS.map((id) => [id, ['PRE-10', 'PRE-13']])),
  'GRAF-01': ['PRE-22', 'PRE-10', 'PRE-13'],
  'GRAF-05': ['PRE-22'],
  // PROM-19 checks the pods of kube-state-metrics.
  'PROM-04': ['PROM-19'],
  'PROM-05': ['PROM-19'],
};

function explains(cause: Finding, id: string, config: Config): boolean {
  const owner = CLAIMS[id];
  if (cause.id === 'PRE-13') return cause.evidence.includes((owner && placeOf(config, owner).claim?.name) ?? '(none)');
  return cause.id !== 'PROM-19' || cause.evidence.includes('kube-state-metrics');
}

const TALKS = new Set(['http', 'promql', 'grafana', 'grafana-post', 'otlp', 'probe']);

/** Check → ids that may explain its failure, nearest first. */
export type Causes = Map<string, string[]>;

export function causesOf(checks: Check[], config: Config): Causes {
  return new Map(checks.map((check) => [check.id, explainers(check, config)]));
}

function explainers(check: Check, config: Config): string[] {
  const schemes = check.reads(config).map((key) => key.slice(0, key.indexOf(':')));
  const stack = check.stage === 'preflight' ? [] : STACK;
  const network = check.stage !== 'preflight' && schemes.some((scheme) => TALKS.has(scheme)) ? NETWORK : [];
  // Tools and ports of this machine need no cluster.
  const local = schemes.length > 0 && schemes.every((scheme) => scheme === 'tool' || scheme === 'port');
  return [
    ...(check.dependsOn ?? []),
    ...(ACROSS[check.id] ?? []),
    ...network,
    ...stack,
    ...(local ? [] : ALWAYS),
  ].filter((id) => id !== check.id);
}

const WEIGHT: Record<Status, number> = { fail: 3, unknown: 2, warn: 1, blocked: 0, ok: 0, skip: 0 };

/**
 * The finding that explains this one; undefined when none does. An unknown finding explains only unknown findings, so
 * that it never hides a proven failure.
 */
export function rootOf(id: string, causes: Causes, findings: Map<string, Finding>, config: Config): string | undefined {
  const weight = WEIGHT[findings.get(id)?.status ?? 'skip'];
  const seen = new Set([id]);
  const search = (at: string): string | undefined => {
    for (const cause of causes.get(at) ?? []) {
      if (seen.has(cause)) continue;
      seen.add(cause);
      const found = findings.get(cause);
      const status = found?.status;
      // A cause that is ok ends the chain; a skipped one does not.
      if (status === 'ok' || (found && !explains(found, at, config))) continue;
      const deeper = search(cause);
      if (deeper) return deeper;
      if (status === 'fail' || (status === 'unknown' && weight <= WEIGHT.unknown)) return cause;
    }
    return undefined;
  };
  return search(id);
}

/** Length of the chain of causes of a check; 0 without a cause. */
function depthOf(id: string, causes: Causes, memo: Map<string, number>): number {
  const known = memo.get(id);
  if (known !== undefined) return known;
  memo.set(id, 0);
  const depths = (causes.get(id) ?? []).map((cause) => depthOf(cause, causes, memo) + 1);
  const depth = Math.max(0, ...depths);
  memo.set(id, depth);
  return depth;
}

/** Problems from the worst and the shortest chain, each followed by those it explains; then ok and skipped ones. */
export function arrange(findings: Finding[], causes: Causes): Finding[] {
  const memo = new Map<string, number>();
  const place = new Map([...causes.keys()].map((id, i) => [id, i]));
  const byPlace = (a: Finding, b: Finding) => (place.get(a.id) ?? 0) - (place.get(b.id) ?? 0);
  const following = (id: string) => findings.filter((f) => f.blockedBy === id).sort(byPlace);
  const roots = findings
    .filter((f) => f.status === 'fail' || f.status === 'unknown' || f.status === 'warn')
    .sort(
      (a, b) =>
        WEIGHT[b.status] - WEIGHT[a.status] ||
        depthOf(a.id, causes, memo) - depthOf(b.id, causes, memo) ||
        following(b.id).length - following(a.id).length ||
        byPlace(a, b),
    );
  const calm = (status: Status) => findings.filter((f) => f.status === status).sort(byPlace);
  return [...roots.flatMap((root) => [root, ...following(root.id)]), ...calm('ok'), ...calm('skip')];
}
