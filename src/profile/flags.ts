import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { usageError } from '../core/errors.ts';
import type { JsonMap } from '../core/types.ts';
import type { Layer } from './layers.ts';
import { merge } from '../core/json.ts';
import { COMPONENT_IDS, type ComponentId } from './schema.ts';
import { set } from '../core/json.ts';

/** Flags of install and plan that change the configuration; every prompt has a flag. */
export interface ConfigFlags {
  profile?: string | undefined;
  file?: string[] | undefined;
  namespace?: string | undefined;
  storageClass?: string | undefined;
  /** commander's `--no-persistence`. */
  persistence?: boolean | undefined;
  retention?: string | undefined;
  budget?: string | undefined;
  samplingRate?: string | undefined;
  expose?: string | undefined;
  registry?: string | undefined;
  gatewayReplicas?: string | undefined;
  environment?: string | undefined;
  clusterName?: string | undefined;
  disable?: string[] | undefined;
  charts?: string | undefined;
  cloudUrl?: string | undefined;
  cloudUser?: string | undefined;
}

function numberOf(flag: string, text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value))
    throw usageError(`${flag} takes a number, not "${text}"`, 'genai-obs install --help');
  return value;
}

/** `--charts`: a URL, or an existing folder as an absolute path. @throws ObsError (usage) */
export function sourceOf(text: string): string {
  if (text === '' || /^(https?|oci):\/\//.test(text)) return text;
  if (!existsSync(text))
    throw usageError(
      `--charts ${text}: this folder does not exist`,
      'use a folder of chart archives, https://…, or oci://…',
    );
  return resolve(text);
}

/** `--timeout` in seconds. @throws ObsError (usage) */
export function secondsOf(text: string): number {
  const seconds = Number(text);
  if (!(seconds >= 1 && Number.isFinite(seconds)))
    throw usageError(`--timeout takes seconds, not "${text}"`, 'for 10 minutes: --timeout 600');
  return seconds;
}

/** Flags as one layer over profile and files. @throws ObsError (usage) for an invalid number, component or folder */
export function flagLayer(flags: ConfigFlags): Layer {
  let data: JsonMap = {};
  const put = (path: string[], value: string | number | boolean | undefined): void => {
    if (value !== undefined) data = set(data, path, value);
  };
  put(['namespace'], flags.namespace);
  put(['storage', 'storageClass'], flags.storageClass);
  if (flags.persistence === false) put(['storage', 'enabled'], false);
  put(['prometheus', 'server', 'retention'], flags.retention);
  if (flags.budget !== undefined) put(['genai', 'cost', 'budgetLimit'], numberOf('--budget', flags.budget));
  if (flags.samplingRate !== undefined)
    put(['genai', 'sampling', 'rate'], numberOf('--sampling-rate', flags.samplingRate));
  put(['grafana', 'service', 'type'], flags.expose);
  put(['global', 'imageRegistry'], flags.registry);
  if (flags.charts !== undefined) put(['global', 'charts'], sourceOf(flags.charts));
  put(['k8s-monitoring', 'destination', 'otlp', 'url'], flags.cloudUrl);
  put(['k8s-monitoring', 'destination', 'otlp', 'user'], flags.cloudUser);
  put(['global', 'environment'], flags.environment);
  put(['global', 'clusterName'], flags.clusterName);
  if (flags.gatewayReplicas !== undefined)
    put(['opentelemetry-collector', 'replicaCount'], numberOf('--gateway-replicas', flags.gatewayReplicas));
  for (const id of flags.disable ?? []) {
    if (!COMPONENT_IDS.includes(id as ComponentId))
      throw usageError(`there is no component "${id}"`, `components: ${COMPONENT_IDS.join(', ')}`);
    data = merge(data, { [id]: { enabled: false } });
  }
  return { source: 'command line', data };
}
