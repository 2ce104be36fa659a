import type { Place, PlacedId } from '../parts/catalog.ts';
import type { Config } from '../profile/schema.ts';
import type { KubeObject } from '../core/types.ts';

/**
 * A fact is one look at the cluster, the machine or a backend, taken once and shared by all checks.
 * Facts are plain JSON under a key (see src/doctor/facts/): `facts.json` replays the doctor without a cluster.
 */
export type Fact = { ok: true; value: unknown } | { ok: false; error: string };
export type Facts = Record<string, Fact>;

/**
 * Key of a fact. The part before the first colon names the collector in src/doctor/facts/:
 *
 * | key | value |
 * |---|---|
 * | `tool:kubectl`, `tool:helm`, `tool:jq`, `tool:yq` | `{version: string}`; not installed: `{version: ''}` |
 * | `cluster:version` | `{major, minor, gitVersion}` |
 * | `cluster:ready` | `{status: number}` of /readyz |
 * | `k8s:Kind` | objects of all namespaces of the installation (cluster-wide for cluster-scoped kinds); Secrets come without data: `{keys: {name: byteLength}, weak: [names whose value is a known default or placeholder], notAfter?: ISO time at which the certificate in tls.crt ends}`; what looks like a secret elsewhere: `[secret:KIND]` |
 * | `k8s:Kind@all` | objects of all namespaces of the cluster |
 * | `access:verb:group/resource` | `{allowed: boolean}` for the caller in every namespace of the installation (SelfSubjectAccessReview); core group: `access:create:/secrets` |
 * | `as:serviceaccount:verb:group/resource` | `{allowed: boolean}` for a service account of the stack, in all namespaces; `…/resource@ns`: in that account's own |
 * | `kubelet:stats` | `{[node]: stats/summary}`: node, containers of our pods, volumes with a claim; a kubelet that does not answer: `{error}` |
 * | `http:service:/path` | `{status, body}`; body is parsed when it is JSON; through the API server's proxy; the service is called as placeOf() says (quickstart: `prometheus-server` …) and looked for in its component's namespace; another port than the catalog's: `http:service:8888:/metrics`; collectors: `/metrics` goes to 8888, all else to 13133 |
 * | `otlp:gateway`, `otlp:jaeger` | `{status}` of an empty OTLP POST to 4318 of the gateway or of Jaeger |
 * | `promql:expr` | `[{metric: {...labels}, value: number}]`; samples that are NaN are left out |
 * | `grafana:/path` | `{status, body}` with the admin's credentials |
 * | `grafana-post:/path#{json}` | the same for a POST of that JSON that changes nothing, such as a datasource query |
 * | `logs:component` | `{[pod/container]: string[]}` last 200 lines; at most 6 pods |
 * | `config:component` | the running configuration, parsed from its ConfigMap (placeOf(): configMap, else the workload's name; of an operator's versions the newest); with kube-prometheus-stack as the server tells it; grafana.ini as `{section: {key: value}}` |
 * | `releases:helm` | `[{name, namespace, revision, status, chart, updated}]` of all namespaces of the installation; facts of older versions have no `namespace`, it is the home |
 * | `drift:plan` | `[{object, path, from, to}]` live objects against the plan |
 * | `port:3000` | `{free: boolean}` on this machine |
 * | `time:clock` | `{skewMs: {[node or "api-server"]: number}, withinMs: {[same]: number}, how: {[same]: string}}` against this machine; `withinMs`: how exact |
 * | `time:now` | `{iso: string}` when the facts were taken: what ages are counted from |
 * | `baseline:KEY` | the value of the fact KEY in the file given with --baseline; null without one |
 * | `cloud:metrics`, `cloud:logs`, `cloud:traces` | `{url, status, text}` of an empty write to Grafana Cloud from this machine; `{url, missing}`: the variable that nobody has given |
 * | `probe:result` | result of the end-to-end probe (src/doctor/probe.ts); only with --probe |
 */
export type FactKey = string;

/** `unknown` means "could not look" and is never ok; `skip` means "does not apply", with the reason; `blocked` is the consequence of another finding. */
export type Status = 'ok' | 'warn' | 'fail' | 'unknown' | 'skip' | 'blocked';
export type Area =
  | 'PRE'
  | 'CLD'
  | 'K3S'
  | 'COL'
  | 'PROM'
  | 'LOKI'
  | 'TEMPO'
  | 'JAEG'
  | 'GRAF'
  | 'ALRT'
  | 'SEC'
  | 'MNT'
  | 'E2E';

export interface Finding {
  id: string;
  title: string;
  area: Area;
  status: Status;
  /** What was seen, one line: numbers and objects, never a secret. */
  evidence: string;
  /** The likely cause; for warn and fail. */
  cause?: string;
  /** The exact command or action that mends it. */
  fix?: string;
  /** The object the finding is about, `Kind namespace/name`. */
  object?: string;
  /** With status blocked: the check whose finding explains this one. */
  blockedBy?: string;
  /** Anchor in docs/checks.md. */
  docs: string;
}

/** What a check says; `ok('3 of 3 ready')`, `fail('0 of 1 ready', {cause, fix, object})`. */
export interface Verdict {
  status: 'ok' | 'warn' | 'fail' | 'skip';
  evidence: string;
  cause?: string;
  fix?: string;
  object?: string;
}

/** Reads facts inside a check. Every accessor throws CouldNotLook when the fact failed: the finding becomes `unknown`. */
export interface Look {
  config: Config;
  /** kubectl prefix for fix commands in the home namespace: `kubectl -n NS` (with --context when one was given). */
  kubectl: string;
  /** The same for another namespace, and for that of a component. */
  kubectlIn(namespace: string): string;
  kubectlFor(id: PlacedId): string;
  /** Home of the installation: journal, lock and what belongs to no component. */
  namespace: string;
  /** Every namespace of the installation, home first. */
  namespaces: string[];
  /** Where a component is and how its objects are called. */
  place(id: PlacedId): Place;
  fact<T>(key: FactKey): T;
  list(kind: string): KubeObject[];
  listAll(kind: string): KubeObject[];
  /** `namespace`: of the object, by default home; cluster-scoped objects have none. */
  find(kind: string, name: string, namespace?: string): KubeObject | undefined;
  /** What a component's Service answers. */
  http(id: PlacedId, path: string): { status: number; body: unknown };
  promql(expr: string): { metric: Record<string, string>; value: number }[];
  grafana(path: string): { status: number; body: unknown };
}

export interface Check {
  /** Stable, from appendix 1 of the requirements. */
  id: string;
  title: string;
  area: Area;
  /** preflight: needs no installed stack; stack: looks at the running stack; probe: needs --probe. */
  stage: 'preflight' | 'stack' | 'probe';
  /** What it explains, why it matters, how to mend: the text of docs/checks.md. */
  about: string;
  /** Requirement rows or upstream documents. */
  sources: string;
  /** Every fact that `run` reads; reading another one is a programming error. */
  reads: (config: Config) => FactKey[];
  /** When one of these failed, a failure here is its consequence: `blocked`. */
  dependsOn?: string[];
  /** A reason why the check does not apply, or undefined when it does. */
  skipIf?: (config: Config) => string | undefined;
  run: (look: Look) => Verdict;
}

/** Thrown by the accessors of Look. */
export class CouldNotLook extends Error {}

export function ok(evidence: string): Verdict {
  return { status: 'ok', evidence };
}
export function warn(
  evidence: string,
  more: Omit<Verdict, 'status' | 'evidence'> & { cause: string; fix: string },
): Verdict {
  return { status: 'warn', evidence, ...more };
}
export function fail(
  evidence: string,
  more: Omit<Verdict, 'status' | 'evidence'> & { cause: string; fix: string },
): Verdict {
  return { status: 'fail', evidence, ...more };
}
export function skip(reason: string): Verdict {
  return { status: 'skip', evidence: reason };
}
