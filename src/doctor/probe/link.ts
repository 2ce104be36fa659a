import { traceStore } from '../../parts/addresses.ts';
import { plural } from '../../core/text.ts';
import { bodyOf, poll, seekLog, seekTrace, throughGrafana, type LogRead, type ProbeOptions } from './hops.ts';
import { PROBE_SERVICE } from '../../checks/lib/values.ts';
import type { Token } from './payload.ts';

export interface DerivedField {
  name: string;
  matcherRegex: string;
  matcherType?: string;
  url?: string;
  datasourceUid?: string;
}

/** The links that Grafana shows on a log line: each derived field that matches and points to a datasource. */
export function derive(log: LogRead, fields: DerivedField[]): { field: string; value: string; uid: string }[] {
  return fields.flatMap((field) => {
    const value =
      field.matcherType === 'label'
        ? labelValue(log.labels, field.matcherRegex)
        : lineValue(log.line, field.matcherRegex);
    return value && field.datasourceUid ? [{ field: field.name, value, uid: field.datasourceUid }] : [];
  });
}

function labelValue(labels: Record<string, string>, pattern: string): string | undefined {
  const key = Object.keys(labels).find((label) => new RegExp(pattern).test(label));
  return key === undefined ? undefined : labels[key];
}

function lineValue(line: string, pattern: string): string | undefined {
  const match = new RegExp(pattern).exec(line);
  return match ? (match[1] ?? match[0]) : undefined;
}

async function jsonData<T>(options: ProbeOptions, uid: string): Promise<T> {
  const grafana = await options.grafana();
  const body = bodyOf(await grafana.request('GET', `/api/datasources/uid/${uid}`));
  if (!body) throw new Error(`Grafana has no datasource with the uid ${uid}`);
  return (JSON.parse(body) as { jsonData: T }).jsonData;
}

/** Follows the link from the log line to its trace, as a click in Grafana does. @throws Error with the broken part */
export async function followLog(options: ProbeOptions, log: LogRead, token: Token): Promise<string> {
  const { derivedFields = [] } = await jsonData<{ derivedFields?: DerivedField[] }>(options, 'loki');
  if (derivedFields.length === 0) throw new Error('the datasource loki has no derived fields');
  const links = derive(log, derivedFields);
  const link = links.find((one) => one.value === token.traceId);
  if (!link)
    throw new Error(
      links.length
        ? `the derived field ${links[0]?.field} yields ${links[0]?.value} instead of the trace ID`
        : `none of ${plural(derivedFields.length, 'derived field')} matches the log line or its labels`,
    );
  const found = await poll(
    seekTrace(throughGrafana(options, link.uid), token),
    Math.min(5_000, options.deadline ?? 5_000),
    options.signal,
  );
  if (!found.value)
    throw new Error(
      `the derived field ${link.field} points to datasource ${link.uid}, which does not have the trace: ${found.error}`,
    );
  return `derived field ${link.field} opens the trace in datasource ${link.uid}`;
}

interface TracesToLogs {
  datasourceUid?: string;
  customQuery?: boolean;
  query?: string;
  tags?: { key: string; value?: string }[];
}

/** Runs the query that Grafana offers on a span ("logs for this span"). @throws Error with the broken part */
export async function followTrace(options: ProbeOptions, token: Token): Promise<string> {
  const uid = traceStore(options.config) ?? 'tempo';
  const { tracesToLogsV2: link } = await jsonData<{ tracesToLogsV2?: TracesToLogs }>(options, uid);
  if (!link?.datasourceUid) throw new Error(`the datasource ${uid} has no tracesToLogsV2 link`);
  const expr = expand(link, token, uid);
  const found = await poll(
    seekLog(throughGrafana(options, link.datasourceUid), token, expr),
    Math.min(5_000, options.deadline ?? 5_000),
    options.signal,
  );
  if (!found.value) throw new Error(`${expr} finds nothing in datasource ${link.datasourceUid}: ${found.error}`);
  return `${expr} finds the log line`;
}

function expand(link: TracesToLogs, token: Token, uid: string): string {
  const tag = (link.tags ?? []).find(({ key }) => key === 'service.name');
  // The only tag of the probe's spans; Jaeger does not return service.name as a tag.
  const tags = uid === 'jaeger' ? '' : `${tag?.value ?? 'service_name'}="${PROBE_SERVICE}"`;
  if (!link.customQuery || !link.query) return `{${tags}} |= "${token.traceId}"`;
  return link.query
    .replaceAll(/\$\{__tags\}|\$__tags/g, tags)
    .replaceAll(/\$\{__(trace|span)\.traceId\}/g, token.traceId)
    .replaceAll(/\$\{__span\.spanId\}/g, token.chatSpanId);
}
