import type { Json, JsonMap } from '../../core/types.ts';
import type { Config } from '../../profile/schema.ts';
import { listAt, set } from '../../core/json.ts';

/**
 * GenOps puts governance data on spans, its guide spells them otherwise (upstream.md B.4): both become the project's spelling, and those
 * that the GenAI conventions know are there under that name as well. Span metrics then count calls by policy, its result, team and project.
 */
export function withGenops(base: JsonMap, config: Config): JsonMap {
  if (!config.genai.genops.enabled) return base;
  const entry = ['service', 'pipelines', 'traces/in', 'processors'];
  const dimensions = ['connectors', 'spanmetrics', 'dimensions'];
  // Span before resource: what stands on a call itself says best who is to pay for it.
  const more: Json[] = ['genops.policy.name', 'genops.policy.result', 'genops.team', 'genops.project'].map((name) => ({
    name,
  }));
  const edits: [string[], Json][] = [
    [['processors', 'transform/genops'], { error_mode: 'ignore', trace_statements: STATEMENTS }],
    [entry, [...listAt(base, ...entry), 'transform/genops']],
    [dimensions, [...listAt(base, ...dimensions), ...more]],
  ];
  return edits.reduce((out, [path, value]) => set(out, path, value), base);
}

const span = (name: string): string => `span.attributes["${name}"]`;
const copy = (to: string, from: string): string =>
  `set(${span(to)}, ${span(from)}) where ${span(to)} == nil and ${span(from)} != nil`;

/** In this order: the later ones read what the earlier have written. */
const STATEMENTS = [
  copy('genops.cost.total', 'genops.cost_usd'),
  copy('genops.tokens.input', 'genops.tokens_input'),
  copy('genops.tokens.output', 'genops.tokens_output'),
  `set(${span('genops.policy.result')}, "violation") where ${span('genops.policy.result')} == nil and (${span('genops.policy_violation')} == true or ${span('genops.policy_violation')} == "true")`,
  copy('gen_ai.provider.name', 'genops.provider'),
  copy('gen_ai.request.model', 'genops.model'),
  copy('gen_ai.request.model', 'ai.model'),
  copy('gen_ai.usage.input_tokens', 'genops.tokens.input'),
  copy('gen_ai.usage.output_tokens', 'genops.tokens.output'),
];
