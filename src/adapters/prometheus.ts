import type { Kube } from './kube.ts';

export interface Sample {
  metric: Record<string, string>;
  value: number;
}

type Row = { metric: Record<string, string>; value: [time: number, text: string] };

interface QueryResponse {
  status: string;
  error?: string;
  data?: { resultType: string; result: Row[] | Row['value'] };
}

/** Runs an instant query. Leaves out NaN, which JSON cannot hold; infinity becomes the largest number. @throws Error */
export async function queryPrometheus(
  kube: Kube,
  { namespace, service }: { namespace: string; service: { name: string; port: number } },
  expr: string,
): Promise<Sample[]> {
  const path = `/api/v1/query?query=${encodeURIComponent(expr)}`;
  const { status, body } = await kube.service(namespace, service.name, service.port, path, { timeout: 9_000 });
  const { data, error } = parsed(body);
  if (!data) throw new Error(`Prometheus responds with HTTP ${status}: ${error ?? body.slice(0, 120)}`);
  const rows = data.resultType === 'scalar' ? [{ metric: {}, value: data.result as Row['value'] }] : data.result;
  return (rows as Row[])
    .map(({ metric, value: [, text] }) => ({ metric, value: numberOf(text) }))
    .filter(({ value }) => !Number.isNaN(value));
}

function parsed(body: string): Partial<QueryResponse> {
  try {
    return JSON.parse(body) as QueryResponse;
  } catch {
    return {};
  }
}

const numberOf = (text: string): number =>
  Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, Number(text.replace('Inf', 'Infinity'))));
