import { parse } from 'yaml';
import { ownLabels } from '../../core/labels.ts';
import type { Json, JsonMap, KubeObject } from '../../core/types.ts';
import type { Config } from '../../profile/schema.ts';
import { placeOf } from '../catalog.ts';
import { listAt } from '../../core/json.ts';
import { inputOf } from '../templates.ts';
import type { Component } from '../types.ts';
import { ruleFiles } from './rulefiles.ts';

/** Rules and scrape jobs of our own chart as objects, because the Prometheus operator reads no ConfigMap. */
export function monitoringObjects(config: Config, prometheus: Component): KubeObject[] {
  const { namespace } = placeOf(config, 'prometheus');
  const metadata = (name: string): KubeObject['metadata'] => ({
    name: `genai-obs-${name}`,
    namespace,
    labels: ownLabels('prometheus'),
  });
  const rules = Object.entries(ruleFiles(config)).map(([file, text]): KubeObject => ({
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PrometheusRule',
    metadata: metadata(file.replace(/\.yaml$/, '')),
    spec: parse(text) as JsonMap,
  }));
  const jobs = (listAt(inputOf(config, prometheus).configuration, 'scrape_configs') as Job[]).map(
    (job): KubeObject => ({
      apiVersion: 'monitoring.coreos.com/v1alpha1',
      kind: 'ScrapeConfig',
      metadata: metadata(job.job_name),
      spec: scrapeConfig(job),
    }),
  );
  return [...rules, ...jobs];
}

type Job = JsonMap & { job_name: string };

/** Keys of scrape_configs with another name in the custom resource; all others become camelCase. */
const SPELLING: Record<string, string> = {
  kubernetes_sd_configs: 'kubernetesSDConfigs',
  relabel_configs: 'relabelings',
  metric_relabel_configs: 'metricRelabelings',
};

/** One entry of scrape_configs as the `spec` of a ScrapeConfig (monitoring.coreos.com/v1alpha1). */
export const scrapeConfig = (job: JsonMap): JsonMap => renamed(job) as JsonMap;

/** `scrape_interval` → `scrapeInterval`, as in custom resources. */
export const camel = (name: string): string =>
  name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

function renamed(value: Json): Json {
  if (Array.isArray(value)) return value.map(renamed);
  if (!value || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]): [string, Json] => {
      const name = SPELLING[key] ?? camel(key);
      // Labels keep their names; roles start with a capital letter.
      if (key === 'labels') return [name, inner];
      if (key === 'role') return [name, (inner as string).replace(/^./, (letter) => letter.toUpperCase())];
      return [name, renamed(inner)];
    }),
  );
}
