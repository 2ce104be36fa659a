import { usageError } from '../core/errors.ts';
import { type Config, isEnabled } from '../profile/schema.ts';

export type Signal = 'metrics' | 'logs' | 'traces';

export interface Destination {
  /** Also its key in the chart's values. */
  name: string;
  protocol: 'otlp' | 'prometheus' | 'loki';
  url: string;
  signals: Signal[];
  /** Instance ID; empty: the Secret holds it. */
  user: string;
  userKey: string;
}

/** One OTLP gateway for all signals, or one destination per signal. */
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

/** `metrics-username` → `GRAFANA_CLOUD_METRICS_USERNAME`, read if neither configuration nor Secret has the user. */
export const userVariable = (key: string): string => `GRAFANA_CLOUD_${key.replaceAll('-', '_').toUpperCase()}`;

/** Release of k8s-monitoring; the chart derives all names from it. */
export const CLOUD_RELEASE = 'grafana-k8s-monitoring';
/** Service for OTLP of applications: gRPC on 4317, HTTP on 4318. */
export const CLOUD_RECEIVER = `${CLOUD_RELEASE}-alloy-receiver`;

/** Environment variable with the token of an access policy; there is no flag for it. */
export const CLOUD_TOKEN = 'GRAFANA_CLOUD_TOKEN';

/** Checks for settings without a default: addresses of Grafana Cloud. @throws ObsError (usage) */
export function checkComplete(config: Config): Config {
  const without = isEnabled(config, 'k8s-monitoring') ? destinationsOf(config).find(({ url }) => !url) : undefined;
  if (!without) return config;
  const { protocol } = without;
  throw usageError(
    `profile ${config.profile} requires the address of your Grafana Cloud stack: ` +
      `k8s-monitoring.destination.${protocol}.url is empty`,
    protocol === 'otlp'
      ? '--cloud-url https://otlp-gateway-<zone>.grafana.net/otlp --cloud-user <instance id>, ' +
          'from the details page of your stack'
      : 'set it in a file: genai-obs install -f my-profile.yaml (docs/grafana-cloud.md)',
  );
}
