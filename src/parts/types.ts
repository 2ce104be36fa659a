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

/** In display order; the `needs` of steps decide what runs in parallel. */
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

/** Input for the values of an upstream chart, or for a custom resource. */
export interface Input {
  config: Config;
  place: Place;
  configuration: JsonMap;
  /** Image with the registry of the profile. */
  image: string;
  /** Claim with its data; empty: emptyDir. */
  claim: string;
  /** Hash per mounted ConfigMap, so that a change rolls the pods. */
  checksums: Record<string, string>;
}

/** Adapts base configuration (templates/<id>/config.yaml) and chart values; names and ports are in catalog.ts. */
export interface Component {
  id: ComponentId;
  phase: Phase;
  /** IDs of steps whose objects the pods mount, in addition to namespace and claim. */
  needs: string[];
  /** Of these, steps whose objects the program reads only at start: repairing drift in them restarts it. */
  rereads?: string[];
  configure: (template: JsonMap, config: Config) => JsonMap;
  /** Values of our own chart, in addition to those of every component. */
  values?: (config: Config) => JsonMap;
  /** Values of upstream charts that install it as its own release. */
  upstream?: Partial<Record<ChartName, (input: Input) => JsonMap>>;
  /** Its part of the values of kube-prometheus-stack, which installs several components in one release. */
  stack?: (input: Input) => JsonMap;
  /** Custom resource for the OpenTelemetry operator, with the objects that belong to it. */
  resources?: (input: Input) => KubeObject[];
}

/** Read when the step is applied; plan and journal hold only the name of the variable or file. */
export type FromMachine = { fromEnv: string } | { fromFile: string };

/** A fixed text, null for a random value, or a value of this machine. */
export type SecretValue = string | null | FromMachine;

export interface SecretNeed {
  name: string;
  key: string;
  value: SecretValue;
}

/** The object that shows that the cluster already has this add-on. */
export interface Provided {
  ref: ObjectRef;
  /** Label of that object with the version, and the oldest supported version. */
  version?: { label: string; minimum: string };
}

/** CRDs with a conversion webhook, and the object whose CA bundle they must trust. */
export interface Conversion {
  crds: string[];
  authority: ObjectRef;
}

/** An add-on: installed from an upstream chart, off by default. */
export interface Addon {
  id: AddonId;
  title: string;
  phase: Phase;
  chart: ChartName;
  release: string;
  values: (config: Config) => JsonMap;
  workloads: (config: Config) => { kind: 'StatefulSet' | 'Deployment' | 'DaemonSet'; name: string }[];
  needs?: (config: Config) => string[];
  secrets?: (config: Config) => SecretNeed[];
  /** Values with which the chart renders its CRDs, which a separate step applies. */
  crds?: JsonMap;
  /** Objects for a server dry-run, which passes once the webhook is available. */
  webhook?: (config: Config) => KubeObject[];
  conversion?: Conversion;
  /** Objects in addition to the chart's; also applied if the cluster already has the add-on. */
  objects?: (config: Config) => KubeObject[];
  provided?: Provided;
}
