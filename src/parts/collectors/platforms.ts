import type { JsonMap } from '../../core/types.ts';
import type { Config } from '../../profile/schema.ts';
import { listAt, set } from '../../core/json.ts';

/** A platform that gets a copy of telemetry: one exporter, whose key is a variable from a Secret. */
interface Platform {
  id: 'datadog' | 'honeycomb' | 'splunk';
  exporter: string;
  settings: (config: Config) => JsonMap;
  pipelines: string[];
  variable: string;
}

const PLATFORMS: Platform[] = [
  {
    id: 'datadog',
    exporter: 'datadog',
    settings: ({ exporters: { datadog } }) => ({ api: { key: '${env:DD_API_KEY}', site: datadog.site } }),
    pipelines: ['traces', 'metrics'],
    variable: 'DD_API_KEY',
  },
  {
    id: 'honeycomb',
    exporter: 'otlp_grpc/honeycomb',
    // Without x-honeycomb-dataset, which only Classic environments use.
    settings: ({ exporters: { honeycomb } }) => ({
      endpoint: honeycomb.endpoint,
      headers: { 'x-honeycomb-team': '${env:HONEYCOMB_API_KEY}' },
    }),
    pipelines: ['traces'],
    variable: 'HONEYCOMB_API_KEY',
  },
  {
    id: 'splunk',
    exporter: 'splunk_hec',
    settings: ({ exporters: { splunk } }) => ({
      token: '${env:SPLUNK_HEC_TOKEN}',
      endpoint: splunk.endpoint,
      ...(splunk.index ? { index: splunk.index } : {}),
    }),
    pipelines: ['logs'],
    variable: 'SPLUNK_HEC_TOKEN',
  },
];

const enabled = (config: Config): Platform[] => PLATFORMS.filter(({ id }) => config.exporters[id].enabled);

export function withPlatforms(gateway: JsonMap, config: Config): JsonMap {
  return enabled(config).reduce((out, { exporter, settings, pipelines }) => {
    const added = set(out, ['exporters', exporter], settings(config));
    return pipelines.reduce((sum, id) => {
      const path = ['service', 'pipelines', id, 'exporters'];
      return set(sum, path, [...listAt(sum, ...path), exporter]);
    }, added);
  }, gateway);
}

export function platformEnv(config: Config): JsonMap[] {
  return enabled(config).map(({ id, variable }) => {
    const { secret, key } = config.exporters[id];
    return { name: variable, valueFrom: { secretKeyRef: { name: secret, key } } };
  });
}
