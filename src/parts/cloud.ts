import { usageError } from '../core/errors.ts';
import { type Config, isEnabled } from '../profile/schema.ts';

export type Signal = 'metrics' | 'logs' | 'traces';

/** One place that telemetry is sent to. */
export interface Destination {
  /** Also its name in the chart's values. */
  name: string;
  protocol: 'otlp' | 'prometheus' | 'loki';
  url: string;
  signals: Signal[];
  /** Instance id; empty: it is in the Secret already. */
  user: string;
  /** Key of the Secret that holds the user. */
  userKey: string;
}

/** One gateway for all signals, or one destination for each (upstream.md B.3 1). */
export function destinationsOf(config: Config): Destination[] {
  const { mode, otlp, prometheus, loki } = config['k8s-monitoring'].destination;
  if (mode === 'otlp')
    return [
      { name: 'grafana-cloud', protocol: 'otlp', signals: ['metrics', 'logs', 'traces'], userKey: 'username', ...otlp },
    ];
  return [
    { name: 'metrics', protocol: 'prometheus', signals: ['metrics'], userKey: 'metrics-username', ...prometheus },
    { name: 'logs', protocol: 'loki', signals: ['logs'], userKey: 'logs-username', ...loki },
    { name: 'traces', protocol: 'otlp', signals: ['traces'], userKey: 'traces-username', ...otlp },
  ];
}

/** `metrics-username` → `GRAFANA_CLOUD_METRICS_USERNAME`: asked for when neither configuration nor Secret has the user. */
export function userVariable(key: string): string {
  return `GRAFANA_CLOUD_${key.replaceAll('-', '_').toUpperCase()}`;
}

/** The names of seed 002 follow from it. */
export const CLOUD_RELEASE = 'grafana-k8s-monitoring';
/** Service to which applications send OTLP: gRPC on 4317, HTTP on 4318. */
export const CLOUD_RECEIVER = `${CLOUD_RELEASE}-alloy-receiver`;

/** Name of the value that no flag may carry: the token of an access policy. */
export const CLOUD_TOKEN = 'GRAFANA_CLOUD_TOKEN';

/** What a profile leaves to whoever installs it, and no default can know. @throws ObsError (usage) naming the setting and its flag */
export function checkComplete(config: Config): Config {
  const without = isEnabled(config, 'k8s-monitoring') ? destinationsOf(config).find(({ url }) => !url) : undefined;
  if (!without) return config;
  const { protocol } = without;
  throw usageError(
    `profile ${config.profile} needs the address of your Grafana Cloud stack: k8s-monitoring.destination.${protocol}.url is empty`,
    protocol === 'otlp'
      ? '--cloud-url https://otlp-gateway-<zone>.grafana.net/otlp --cloud-user <instance id>, from the details page of your stack'
      : 'set it in a file: genai-obs install -f my-profile.yaml (docs/grafana-cloud.md)',
  );
}
