import { existsSync, readFileSync, readdirSync } from 'node:fs';
import * as v from 'valibot';
import { LineCounter, type Node, isMap, isScalar, parseDocument } from 'yaml';
import { assetPath } from '../core/assets.ts';
import { messageOf, usageError } from '../core/errors.ts';
import { isJsonMap, merge } from '../core/json.ts';
import type { Json, JsonMap } from '../core/types.ts';
import { sizedClaims } from './sizes.ts';
import { brokenRule } from './rules.ts';
import { COMPONENT_IDS, type ComponentId, type Config, ConfigSchema, completed } from './schema.ts';

/** One layer of configuration and where it came from, for error messages. */
export interface Layer {
  source: string;
  text?: string;
  data: JsonMap;
}

export function profileNames(): string[] {
  return readdirSync(assetPath('profiles'))
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => file.slice(0, -5));
}

/** @throws ObsError (usage) for an unknown profile */
export function profileLayer(name: string): Layer {
  const path = assetPath('profiles', `${name}.yaml`);
  if (!/^[a-z0-9-]+$/.test(name) || !existsSync(path))
    throw usageError(`there is no profile "${name}"`, `choose one of: ${profileNames().join(', ')}`);
  return parseLayer(`profile ${name}`, readFileSync(path, 'utf8'));
}

/** A layer with those that it `extends` before it, the deepest first. @throws ObsError (usage) for an unknown profile or a circle */
export function extended(layer: Layer, seen: string[] = []): Layer[] {
  const { extends: base, ...data } = layer.data;
  if (base === undefined) return [layer];
  if (typeof base !== 'string')
    throw usageError(
      `${layer.source}: extends takes the name of a profile`,
      `choose one of: ${profileNames().join(', ')}`,
    );
  if (seen.includes(base))
    throw usageError(
      `${layer.source}: profiles extend each other in a circle: ${[...seen, base].join(' → ')}`,
      'take one extends out',
    );
  return [...extended(profileLayer(base), [...seen, base]), { ...layer, data }];
}

/** @throws ObsError (usage) when the file cannot be read or is no YAML map */
export function fileLayer(path: string): Layer {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw usageError(`the configuration file ${path} cannot be read`, 'check the path given with -f', messageOf(error));
  }
  return parseLayer(path, text);
}

function parseLayer(source: string, text: string): Layer {
  const document = parseDocument(text);
  const broken = (error: unknown): never => {
    throw usageError(
      `${source} is not valid YAML`,
      'mend that place; a whole configuration shows: genai-obs profile show --resolved',
      messageOf(error).split('\n')[0]?.replace(/:$/, ''),
    );
  };
  if (document.errors[0]) broken(document.errors[0]);
  let data: unknown;
  try {
    data = document.toJS();
  } catch (error) {
    // An alias without its anchor.
    broken(error);
  }
  if (data === null || data === undefined) return { source, text, data: {} };
  if (typeof data !== 'object' || Array.isArray(data))
    throw usageError(`${source} must be a map of settings`, 'start from: genai-obs profile show');
  return { source, text, data: data as JsonMap };
}

/**
 * Layers in order: profile, files, flags and answers. Row 000-INST-13.
 * @throws ObsError (usage) naming source, line and key of the first wrong setting
 */
export function resolve(layers: Layer[]): Config {
  const merged = layers.reduce<JsonMap>((sum, layer) => merge(merge(sum, claimsOf(layer)), layer.data), {});
  const result = v.safeParse(ConfigSchema, merged);
  if (result.success) {
    const config = settled(result.output);
    const broken = brokenRule(config);
    if (broken)
      throw usageError(`${whereIs(layers, broken.key.split('.'))}: ${broken.key} ${broken.message}`, broken.next);
    return config;
  }
  const issue = result.issues[0];
  const path = (issue.path ?? []).map((item) => String(item.key));
  const where = whereIs(layers, path);
  const key = path.join('.');
  const unknown = issue.expected === 'never';
  throw usageError(
    unknown ? `${where}: unknown setting "${key}"` : `${where}: ${key} is not valid: ${issue.message}`,
    nearest(merged, path, unknown) ?? 'all settings: genai-obs profile show --resolved',
  );
}

/** A size stands for the claims of its row, in the layer that names it. */
function claimsOf({ data }: Layer): JsonMap {
  return typeof data['size'] === 'string' ? sizedClaims(data['size']) : {};
}

/** The layer that speaks last of a setting, or of what it belongs to, and the line. */
function whereIs(layers: Layer[], path: string[]): string {
  for (let known = path; known.length > 0; known = known.slice(0, -1)) {
    const layer = layers.findLast((candidate) => has(candidate.data, known));
    if (!layer) continue;
    const line = layer.text ? lineOf(layer.text, path) : undefined;
    return `${layer.source}${line ? ` line ${line}` : ''}`;
  }
  return layers.at(-1)?.source ?? 'configuration';
}

/** A collector that has nowhere to send to does not start, or complains for ever: it is left out with its target. */
function settled(config: Config): Config {
  const stores = config.prometheus.enabled || config.loki.enabled;
  const gateway =
    config['opentelemetry-collector'].enabled && (stores || config.tempo.enabled || config.jaeger.enabled);
  const feeders = gateway && stores;
  const { namespace: stackNamespace } = config['kube-prometheus-stack'];
  // One chart brings several: they live where it lives.
  const inStack = <T extends { chart: string; namespace: string }>(section: T): T =>
    section.chart === 'kube-prometheus-stack' ? { ...section, namespace: stackNamespace } : section;
  const needs = (chart: string, ids: readonly ComponentId[]): boolean =>
    ids.some((id) => config[id].enabled && config[id].chart === chart);
  return {
    ...config,
    prometheus: inStack(config.prometheus),
    alertmanager: inStack(config.alertmanager),
    'kube-state-metrics': inStack(config['kube-state-metrics']),
    'kube-prometheus-stack': {
      ...config['kube-prometheus-stack'],
      enabled: needs('kube-prometheus-stack', COMPONENT_IDS),
    },
    // Beside those that read its Secret.
    seaweedfs: {
      ...config.seaweedfs,
      namespace: config.seaweedfs.namespace || (config.loki.enabled ? config.loki : config.tempo).namespace,
    },
    'opentelemetry-operator': {
      ...config['opentelemetry-operator'],
      enabled: config['opentelemetry-operator'].enabled || (gateway && needs('opentelemetry-operator', COMPONENT_IDS)),
    },
    'opentelemetry-collector': { ...config['opentelemetry-collector'], enabled: gateway },
    'opentelemetry-node-collector': {
      ...config['opentelemetry-node-collector'],
      enabled: config['opentelemetry-node-collector'].enabled && feeders,
    },
    'opentelemetry-cluster-collector': {
      ...config['opentelemetry-cluster-collector'],
      enabled: config['opentelemetry-cluster-collector'].enabled && feeders,
    },
  };
}

function has(data: Json | undefined, path: string[]): boolean {
  const [key, ...rest] = path;
  if (key === undefined) return true;
  return isJsonMap(data) && key in data && has(data[key], rest);
}

function lineOf(text: string, path: string[]): number | undefined {
  const counter = new LineCounter();
  let node: Node | null | undefined = parseDocument(text, { lineCounter: counter }).contents;
  let offset: number | undefined;
  for (const key of path) {
    if (!isMap(node)) break;
    const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === key);
    if (!pair) break;
    offset = (pair.key as Node).range?.[0];
    node = pair.value as Node | null;
  }
  return offset === undefined ? undefined : counter.linePos(offset).line;
}

/** "did you mean": the known key with the fewest edits. */
function nearest(merged: JsonMap, path: string[], unknown: boolean): string | undefined {
  if (!unknown) return undefined;
  // With the settings that no profile need name; `extends` is of files, not of the configuration.
  let known: Json | undefined = { extends: '', ...(completed(profileLayer('quickstart').data) as unknown as JsonMap) };
  for (const key of path.slice(0, -1)) known = isJsonMap(known) ? known[key] : undefined;
  const wrong = path.at(-1) ?? '';
  if (!isJsonMap(known) || !isJsonMap(merged)) return undefined;
  const best = Object.keys(known)
    .map((key) => ({ key, cost: distance(key, wrong) }))
    .sort((a, b) => a.cost - b.cost)[0];
  return best && best.cost <= 3
    ? `did you mean "${[...path.slice(0, -1), best.key].join('.')}"?`
    : `known here: ${Object.keys(known).join(', ')}`;
}

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(
        Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)),
      );
    row = next;
  }
  return row[b.length] ?? 0;
}
