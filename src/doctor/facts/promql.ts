import type { Kube } from '../../adapters/kube.ts';
import { placeOf } from '../../parts/catalog.ts';
import type { Sample } from '../../checks/lib/values.ts';
import type { Config } from '../../profile/schema.ts';
import type { Collector } from './context.ts';

interface QueryAnswer {
  status: string;
  error?: string;
  data?: {
    resultType: string;
    result: { metric: Record<string, string>; value: [number, string] }[] | [number, string];
  };
}

/** An instant query; JSON has no NaN, and a sample without a value says nothing. */
export const promql: Collector = (expr, { kube, config }) => query(kube, config, expr);

export async function query(kube: Kube, config: Config, expr: string): Promise<Sample[]> {
  const {
    namespace,
    service: { name, port },
  } = placeOf(config, 'prometheus');
  const { status, body } = await kube.service(
    namespace,
    name,
    port,
    `/api/v1/query?query=${encodeURIComponent(expr)}`,
    { timeout: 9_000 },
  );
  let answer: QueryAnswer;
  try {
    answer = JSON.parse(body) as QueryAnswer;
  } catch {
    throw new Error(`Prometheus answers HTTP ${status}: ${body.slice(0, 120)}`);
  }
  if (answer.status !== 'success' || !answer.data)
    throw new Error(`Prometheus answers HTTP ${status}: ${answer.error ?? body.slice(0, 120)}`);
  const { resultType, result } = answer.data;
  const rows =
    resultType === 'scalar'
      ? [{ metric: {}, value: result as [number, string] }]
      : (result as { metric: Record<string, string>; value: [number, string] }[]);
  return rows
    .map(({ metric, value }) => ({ metric, value: numberOf(value[1]) }))
    .filter(({ value }) => !Number.isNaN(value));
}

function numberOf(text: string): number {
  return Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, Number(text.replace('Inf', 'Infinity'))));
}
