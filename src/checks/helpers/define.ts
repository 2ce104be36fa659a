import { traceStore } from '../../parts/addresses.ts';
import { placeOf, type PlacedId } from '../../parts/catalog.ts';
import type { Config } from '../../profile/schema.ts';
import {
  type Area,
  type Check,
  CouldNotLook,
  type FactKey,
  type Look,
  skip,
  type Verdict,
} from '../../doctor/types.ts';

/** A key, or what gives keys once the configuration is known: names and kinds depend on where a component comes from. */
export type Read = FactKey | ((config: Config) => Read | Read[]);

export function keysFor(config: Config, read: Read | Read[]): FactKey[] {
  if (typeof read === 'string') return [read];
  return Array.isArray(read) ? read.flatMap((one) => keysFor(config, one)) : keysFor(config, read(config));
}

/** `/path` of a component's Service. */
export function httpOf(id: PlacedId, path: string): Read {
  return (config) => `http:${placeOf(config, id).service.name}:${path}`;
}

export interface Spec {
  about: string;
  sources: string;
  reads?: Read | Read[];
  /** Components without which the check does not apply. */
  needs?: PlacedId[];
  dependsOn?: string[];
  /** Further reasons why it does not apply. */
  skipIf?: (config: Config) => string | undefined;
  run: (look: Look) => Verdict;
}

export type Define = (number: string, title: string, spec: Spec) => Check;

/** `const loki = checksOf('LOKI')`, then `loki('01', 'title', {…})`. */
export function checksOf(area: Area): Define {
  return (number, title, { reads = [], needs = [], skipIf, ...spec }) => ({
    id: `${area}-${number}`,
    title,
    area,
    stage: 'stack',
    ...spec,
    reads: (config) => keysFor(config, reads),
    ...(needs.length || skipIf ? { skipIf: (config: Config) => disabled(config, needs) ?? skipIf?.(config) } : {}),
  });
}

function disabled(config: Config, needs: PlacedId[]): string | undefined {
  const off = needs.find((id) => !config[id].enabled);
  const instead =
    off === 'tempo' && traceStore(config) === 'jaeger' ? ': Jaeger stores the traces, see JAEG-01 to JAEG-06' : '';
  return off && `${off}.enabled is false${instead}`;
}

/** Why a check of traces does not apply: nobody stores them here. */
export function noTraces(config: Config): string | undefined {
  return traceStore(config) ? undefined : 'tempo.enabled and jaeger.enabled are false';
}

/** A check of the catalogue that has no object in a profile: it stays visible with the reason. */
export function notHere(reason: string | ((config: Config) => string)): Pick<Spec, 'skipIf' | 'run'> {
  const told = (config: Config) => (typeof reason === 'string' ? reason : reason(config));
  return { skipIf: told, run: (look) => skip(told(look.config)) };
}

/** For what only supports a verdict: its absence must not turn a finding into "unknown". */
export function tryLook<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch (error) {
    if (error instanceof CouldNotLook) return otherwise;
    throw error;
  }
}

/** Body of a GET; any other answer than 200 is a failed look, not an empty one. */
export function body(look: Look, id: PlacedId, path: string): unknown {
  const answer = look.http(id, path);
  if (answer.status !== 200)
    throw new CouldNotLook(
      `GET ${path} of ${look.place(id).service.name} answers ${answer.status}${brief(answer.body)}`,
    );
  return answer.body;
}

export function grafanaBody(look: Look, path: string): unknown {
  const answer = look.grafana(path);
  if (answer.status !== 200)
    throw new CouldNotLook(`GET ${path} of Grafana answers ${answer.status}${brief(answer.body)}`);
  return answer.body;
}

function brief(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value ?? '');
  return text ? `: ${oneLine(text, 120)}` : '';
}

export function oneLine(text: string, limit = 240): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > limit ? `${line.slice(0, limit - 1)}…` : line;
}

/** `a, b and 3 more`: evidence stays one line. */
export function some(items: readonly string[], most = 4): string {
  const more = items.length - most;
  return items.slice(0, most).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

export function plural(count: number, word: string): string {
  return `${count} ${count === 1 ? word : /[^aeiou]y$/.test(word) ? `${word.slice(0, -1)}ies` : word === 'series' ? word : `${word}s`}`;
}

export function percent(share: number): string {
  const value = share * 100;
  return `${value > 0 && value < 1 ? value.toPrecision(1) : Math.round(value)} %`;
}
