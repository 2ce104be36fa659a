import { destinationsOf } from '../components/addons/cloud.ts';
import { usageError } from '../core/errors.ts';
import { type Config, isEnabled } from './schema.ts';

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
