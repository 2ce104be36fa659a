import type { Json, JsonMap } from '../../core/types.ts';
import type { Config } from '../../profile/schema.ts';
import { listAt, set } from '../../core/json.ts';

/** Normalizes span attributes to GenOps' names, copies those of OpenTelemetry's GenAI conventions to theirs. */
export function withGenops(gateway: JsonMap, config: Config): JsonMap {
  if (!config.genai.genops.enabled) return gateway;
  const entry = ['service', 'pipelines', 'traces/in', 'processors'];
  const dimensions = ['connectors', 'spanmetrics', 'dimensions'];
  // Attributes of the span take precedence over those of the resource.
  const added: Json[] = ['genops.policy.name', 'genops.policy.result', 'genops.team', 'genops.project'].map((name) => ({
    name,
  }));
  const edits: [string[], Json][] = [
    [['processors', 'transform/genops'], { error_mode: 'ignore', trace_statements: STATEMENTS }],
    [entry, [...listAt(gateway, ...entry), 'transform/genops']],
    [dimensions, [...listAt(gateway, ...dimensions), ...added]],
  ];
  return edits.reduce((out, [path, value]) => set(out, path, value), gateway);
}

const span = (name: string): string => `span.attributes["${name}"]`;
const copy = (to: string, from: string): string =>
  `set(${span(to)}, ${span(from)}) where ${span(to)} == nil and ${span(from)} != nil`;

/** Order matters: later statements read what earlier ones wrote. */
const STATEMENTS = [
  copy('genops.cost.total', 'genops.cost_usd'),
  copy('genops.tokens.input', 'genops.tokens_input'),
  copy('genops.tokens.output', 'genops.tokens_output'),
  `set(${span('genops.policy.result')}, "violation") where ${span('genops.policy.result')} == nil ` +
    `and (${span('genops.policy_violation')} == true or ${span('genops.policy_violation')} == "true")`,
  copy('gen_ai.provider.name', 'genops.provider'),
  copy('gen_ai.request.model', 'genops.model'),
  copy('gen_ai.request.model', 'ai.model'),
  copy('gen_ai.usage.input_tokens', 'genops.tokens.input'),
  copy('gen_ai.usage.output_tokens', 'genops.tokens.output'),
];
