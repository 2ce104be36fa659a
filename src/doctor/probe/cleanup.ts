import type { Answer } from '../../adapters/kube.ts';
import { traceStore } from '../../parts/addresses.ts';
import { placeOf } from '../../parts/catalog.ts';
import { messageOf } from '../../core/errors.ts';
import { oneLine } from '../../core/text.ts';
import type { Config } from '../../profile/schema.ts';
import { PROBE_METRIC, PROBE_SERVICE, type ProbeResult } from '../../checks/lib/values.ts';
import type { Token } from './payload.ts';
import type { ProbeOptions } from './hops.ts';

/** Removes what the probe wrote, also when it was cancelled. Never throws: reports what could not be removed. */
export async function cleanUp({ kube, config }: ProbeOptions, token: Token): Promise<ProbeResult['cleanup']> {
  const post = (component: 'prometheus' | 'loki', path: string): Promise<Answer> => {
    const { namespace, service } = placeOf(config, component);
    return kube.service(namespace, service.name, service.port, path, { method: 'POST', timeout: 8_000 });
  };
  // Also target_info and the span metrics that the gateway derived from the probe's spans.
  const series = [
    `${PROBE_METRIC}{nonce="${token.nonce}"}`,
    `{service_name="${PROBE_SERVICE}"}`,
    `{job="${PROBE_SERVICE}"}`,
  ];
  const matches = series.map((one) => `match[]=${encodeURIComponent(one)}`).join('&');
  const expr = `{service_name="${PROBE_SERVICE}"} |= "${token.nonce}"`;
  // No end: Loki then uses its own clock. It refuses to delete lines in its future.
  const range = `start=${Math.floor(token.at / 1000) - 60}`;
  const [prometheus, loki] = await Promise.all([
    config.prometheus.enabled
      ? removed(() => post('prometheus', `/api/v1/admin/tsdb/delete_series?${matches}`), 'series deleted')
      : 'not installed',
    config.loki.enabled
      ? removed(
          () => post('loki', `/loki/api/v1/delete?query=${encodeURIComponent(expr)}&${range}`),
          'deletion requested; Loki deletes after its cancel period',
        )
      : 'not installed',
  ]);
  const tempo = config.tempo.enabled
    ? `Tempo cannot delete: the trace expires with the retention of ${config.tempo.retention}`
    : 'not installed';
  return {
    ok: !prometheus.startsWith('left') && !loki.startsWith('left'),
    prometheus,
    loki,
    tempo,
    ...jaegerNote(config),
  };
}

function jaegerNote(config: Config): { jaeger?: string } {
  if (traceStore(config) !== 'jaeger') return {};
  const { storage, maxTraces } = config.jaeger;
  const until =
    storage === 'memory'
      ? `is dropped after ${maxTraces} newer traces, or when the pod restarts`
      : 'is deleted with its index in OpenSearch';
  return { jaeger: `Jaeger cannot delete: the trace ${until}` };
}

async function removed(act: () => Promise<Answer>, done: string): Promise<string> {
  try {
    const { status, body } = await act();
    return status >= 200 && status < 300 ? done : `left behind: HTTP ${status} ${oneLine(body, 120)}`;
  } catch (error) {
    return `left behind: ${oneLine(messageOf(error), 120)}`;
  }
}
