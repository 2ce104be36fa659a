import { messageOf } from '../core/errors.ts';
import { redact } from '../core/redact.ts';
import { oneLine } from '../core/text.ts';

export interface EmptyWrite {
  protocol: 'otlp' | 'prometheus' | 'loki';
  signal: 'metrics' | 'logs' | 'traces';
  /** As in the collector's configuration: base URL for OTLP, full URL for the others. */
  url: string;
  user: string;
  token: string;
}

export interface CloudAnswer {
  /** HTTP status; 0 without a response. */
  status: number;
  /** The response's text, or why there was none; one redacted line. */
  text: string;
}

/** The empty request of each protocol: authenticated and authorised like any write, but stores nothing. */
const OTLP_FIELD = { metrics: 'resourceMetrics', logs: 'resourceLogs', traces: 'resourceSpans' };

function requestOf({ protocol, signal, url }: EmptyWrite): {
  url: string;
  body: string | Uint8Array<ArrayBuffer>;
  headers: Record<string, string>;
} {
  const json = { 'content-type': 'application/json' };
  if (protocol === 'otlp')
    return {
      url: `${url.replace(/\/$/, '')}/v1/${signal}`,
      body: JSON.stringify({ [OTLP_FIELD[signal]]: [] }),
      headers: json,
    };
  if (protocol === 'loki') return { url, body: JSON.stringify({ streams: [] }), headers: json };
  // An empty protobuf message in snappy's block format is its length, 0.
  const headers = {
    'content-type': 'application/x-protobuf',
    'content-encoding': 'snappy',
    'x-prometheus-remote-write-version': '0.1.0',
  };
  return { url, body: new Uint8Array([0]), headers };
}

/** Sends one empty write with basic auth from this machine. Never throws; does not follow redirects. */
export async function emptyWrite(write: EmptyWrite, signal?: AbortSignal): Promise<CloudAnswer> {
  const { url, body, headers } = requestOf(write);
  const authorization = `Basic ${Buffer.from(`${write.user}:${write.token}`).toString('base64')}`;
  const limit = AbortSignal.timeout(8_000);
  try {
    const answer = await fetch(url, {
      method: 'POST',
      body,
      headers: { ...headers, authorization },
      redirect: 'manual',
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
    });
    return { status: answer.status, text: short(await answer.text()) };
  } catch (error) {
    return { status: 0, text: short(messageOf(error instanceof Error && error.cause ? error.cause : error)) };
  }
}

const short = (text: string): string => oneLine(redact(text), 200);
