import type { ChartName } from '../charts/pins.ts';
import type { JsonMap, KubeObject, ObjectRef } from '../core/types.ts';
import type { AddonId, ComponentId, Config } from '../profile/schema.ts';
import type { Place } from './catalog.ts';

export type Phase =
  | 'preflight'
  | 'namespaces'
  | 'secrets'
  | 'storage'
  | 'operator'
  | 'backends'
  | 'collectors'
  | 'grafana'
  | 'datasources'
  | 'dashboards'
  | 'alerting'
  | 'verify';

/** In the order in which they are shown; what may run in parallel is decided by each step's needs. */
export const PHASES: Phase[] = [
  'preflight',
  'namespaces',
  'secrets',
  'storage',
  'operator',
  'backends',
  'collectors',
  'grafana',
  'datasources',
  'dashboards',
  'alerting',
  'verify',
];

/** What an upstream chart's values, or an operator's resource, are made from. */
export interface Input {
  config: Config;
  place: Place;
  /** The program's configuration, adapted to the profile. */
  configuration: JsonMap;
  /** With the registry of the profile. */
  image: string;
  /** Claim that holds the data; empty: none. */
  claim: string;
  /** Hash per ConfigMap that the pods mount: a changed one rolls them. */
  checksums: Record<string, string>;
}

/**
 * One component: how its base configuration (templates/<id>/config.yaml) is adapted to the profile.
 * Names, image and ports stand in catalog.ts; the chart is templates/<id>/, or an upstream one with values made here.
 */
export interface Component {
  id: ComponentId;
  phase: Phase;
  /** Steps (besides the namespace and its claim) whose objects the pods mount. */
  needs: string[];
  /** Those of them that its program reads only when it starts: one that was edited by hand and is put back needs a restart. */
  rereads?: string[];
  configure: (base: JsonMap, config: Config) => JsonMap;
  /** Further values of our own chart. */
  values?: (config: Config) => JsonMap;
  /** Values of the upstream charts that can bring it as a release of its own. */
  upstream?: Partial<Record<ChartName, (input: Input) => JsonMap>>;
  /** Its part of the values of kube-prometheus-stack, which brings several components in one release. */
  stack?: (input: Input) => JsonMap;
  /** Objects from which the OpenTelemetry operator makes it. */
  resources?: (input: Input) => KubeObject[];
}

/** Taken from this machine when the step is applied, never before: the plan and the journal hold its name only. */
export type FromMachine = { fromEnv: string } | { fromFile: string };

/** A fixed text, random (null), or given by somebody. */
export type SecretValue = string | null | FromMachine;

/** One value of a Secret. */
export interface SecretNeed {
  name: string;
  key: string;
  value: SecretValue;
}

/** What tells that somebody else provides the same for the whole cluster. */
export interface Provided {
  ref: ObjectRef;
  /** Label of that object with its version, and the oldest version that will do. */
  version?: { label: string; minimum: string };
}

/** Definitions that the same webhook converts: they must trust the authority that its configuration names. */
export interface Conversion {
  crds: string[];
  authority: ObjectRef;
}

/** What only an upstream chart brings; off unless a profile asks for it. */
export interface Addon {
  id: AddonId;
  title: string;
  phase: Phase;
  chart: ChartName;
  release: string;
  values: (config: Config) => JsonMap;
  workloads: (config: Config) => { kind: 'StatefulSet' | 'Deployment' | 'DaemonSet'; name: string }[];
  /** Steps that must be done before. */
  needs?: (config: Config) => string[];
  /** Secrets in its namespace that it reads. */
  secrets?: (config: Config) => SecretNeed[];
  /** Values with which the chart renders its CustomResourceDefinitions; they are applied by a step of their own. */
  crds?: JsonMap;
  /** Objects of which a server dry-run passes once its webhook serves. */
  webhook?: (config: Config) => KubeObject[];
  /** Definitions that this webhook converts between versions. */
  conversion?: Conversion;
  /** Objects besides the chart's: they are made also where somebody else provides the rest. */
  objects?: (config: Config) => KubeObject[];
  /** What tells that the cluster has it already. */
  provided?: Provided;
}
