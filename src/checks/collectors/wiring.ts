import { type Verdict, type Check, checksOf, ok, warn, fail, skip } from '../lib/check.ts';
import { fact, type Facts } from '../lib/facts.ts';
import { workloadOf } from '../lib/objects.ts';
import { at, listAt, textAt, textsAt, numberAt } from '../../core/json.ts';
import { list, percent } from '../../core/text.ts';
import { parseQuantity, formatBytes } from '../../core/quantity.ts';
import {
  AGAIN,
  type CollectorId,
  configReads,
  eachCollector,
  enabledCollectors,
  expectedTarget,
  firstContainer,
  GATEWAY,
  gatewayTarget,
  has,
  limiterBytes,
  pipelinesOf,
  type Target,
  targetsOf,
  typeOf,
} from '../lib/collectors.ts';
import { configObject, meansService, resourceOf, serviceAt } from '../lib/place.ts';

const col = checksOf('COL');

function limiters(facts: Facts): Verdict {
  const seen: string[] = [];
  let late: Verdict | undefined;
  for (const { id, config } of eachCollector(facts)) {
    const who = facts.place(id).workload.name;
    const limit = parseQuantity(textAt(firstContainer(workloadOf(facts, id)), 'resources', 'limits', 'memory'));
    const settings = at(config, 'processors', 'memory_limiter');
    const object = configObject(facts, id);
    const missing = pipelinesOf(config).filter(
      ({ receivers, processors }) =>
        !receivers.some((name) => has(config, 'connectors', name)) && typeOf(processors[0] ?? '') !== 'memory_limiter',
    );
    if (!settings || missing.length)
      return fail(
        settings
          ? `${who}: memory_limiter is not the first processor of ${list(missing.map(({ name }) => name))}`
          : `${who}: no memory_limiter`,
        {
          cause: 'the configuration was changed',
          fix: AGAIN,
          object,
        },
      );
    const hard = limiterBytes(settings, limit);
    if (hard === undefined)
      return fail(
        `${who}: memory_limiter has no computable limit, container limit ${limit ? formatBytes(limit) : 'absent'}`,
        {
          cause: 'a percentage needs a memory limit of the container',
          fix: AGAIN,
          object,
        },
      );
    const share = limit ? hard / limit : 0;
    const text = `${who} ${formatBytes(hard)}${limit ? ` of ${formatBytes(limit)} (${percent(share)})` : ''}`;
    const more = {
      cause: 'the limiter acts after the kernel has killed the process',
      fix: 'lower limit_percentage to 75, or raise the memory limit of the container: genai-obs install',
      object,
    };
    if (share > 1.0001) return fail(`memory_limiter above the container's limit: ${text}`, more);
    if (share > 0.8001) late ??= warn(`memory_limiter close to the container's limit: ${text}`, more);
    seen.push(text);
  }
  return late ?? ok(`memory_limiter first, at ${seen.join(', ')}`);
}

/** Why a target does not exist; targets outside the stack's namespaces are not checked. */
function deadEnd(facts: Facts, id: CollectorId, target: Target): string | undefined {
  const { namespace, workload } = facts.place(id);
  const at = serviceAt(target.host, namespace);
  if (!at || !facts.namespaces.includes(at.namespace) || target.host.includes('${')) return undefined;
  const name = at.namespace === namespace ? at.name : `${at.namespace}/${at.name}`;
  const service = facts.find('Service', at.name, at.namespace);
  const signals = target.signals.join(' and ');
  const to = `exporter ${target.exporter} of ${workload.name} sends ${signals} to ${target.endpoint}`;
  if (!service) return `${to}, but there is no Service ${name}`;
  const ports = listAt(service, 'spec', 'ports').map((port) => numberAt(port, 'port'));
  return ports.includes(target.port)
    ? undefined
    : `${to}, but Service ${name} has no port ${target.port} (it has ${ports.join(', ')})`;
}

function wired(facts: Facts): Verdict {
  const expected: string[] = [];
  for (const { id, config } of eachCollector(facts)) {
    const targets = targetsOf(config);
    const object = configObject(facts, id);
    const { namespace, workload } = facts.place(id);
    const wanted = (signal: string) => (id === GATEWAY ? expectedTarget(facts, signal) : gatewayTarget(facts, id));
    for (const target of targets) {
      const dead = deadEnd(facts, id, target);
      const should = target.signals.map((signal) => wanted(signal)?.endpoint).find(Boolean);
      if (dead)
        return fail(dead, {
          cause: 'the endpoint in the exporter is wrong',
          fix: `genai-obs install   # sets it back${should ? `; it should be ${should}` : ''}`,
          object,
        });
    }
    const signals =
      id === GATEWAY ? ['traces', 'metrics', 'logs'] : [...new Set(pipelinesOf(config).map(({ signal }) => signal))];
    for (const signal of signals) {
      const want = wanted(signal);
      if (!want) continue;
      const senders = targets.filter((target) => target.signals.includes(signal));
      const right = senders.find(
        (target) =>
          meansService(target.host, facts.place(want.id), namespace) && pathFits(target.endpoint, want.endpoint),
      );
      const instead = senders.map(({ exporter, endpoint }) => `${exporter} → ${endpoint}`);
      if (!right)
        return fail(
          `${workload.name} does not send ${signal} to ${want.endpoint}; it has ` +
            (instead.length ? list(instead) : 'no exporter for it other than debug'),
          {
            cause: `the pipeline of ${signal} lacks the exporter, or its endpoint is wrong`,
            fix: AGAIN,
            object,
          },
        );
      if (id === GATEWAY) expected.push(`${signal} → ${right.endpoint}`);
    }
  }
  return ok(`every exporter leads to a Service; gateway: ${expected.join(', ')}`);
}

/** HTTP backends differ by path (/otlp, /api/v1/otlp); gRPC has none. */
function pathFits(endpoint: string, wanted: string): boolean {
  const path = (text: string) => /^https?:\/\/[^/]+(\/.*)?$/.exec(text)?.[1]?.replace(/\/+$/, '') ?? '';
  return path(endpoint) === path(wanted) || /remote|\/api\/v1\/write$/.test(endpoint);
}

export const wiringChecks: Check[] = [
  col('07', 'Memory limiters act before the kernel', {
    about:
      'The memory_limiter must be the first processor of every pipeline that receives from outside. Ok: ' +
      "its limit is at most 80 % of the container's memory limit. Warning: up to 100 %. Failed: more, or " +
      'no limiter. Refused data stay with the sender, which retries; a killed collector loses what it ' +
      'holds.',
    sources: '000-SCALE-02, 001-CFG-05, 001-COL-04, 003-COL-04, 003-COL-14, 004-TRB-01, 004-TUNE-01',
    dependsOn: ['COL-05'],
    reads: (config) => [...configReads(config), ...enabledCollectors(config).map((id) => fact.workloads(id))],
    run: limiters,
  }),
  col('18', 'Pipelines lead to the backends', {
    about:
      'Compares the endpoint of every exporter with existing Services and ports, and every signal with ' +
      'its backend: traces to Tempo or Jaeger, metrics to Prometheus, logs to Loki, node and cluster ' +
      'collectors to the gateway. Failed: a wrong endpoint, which makes the exporter retry without limit ' +
      'while its queue fills. The finding names the right endpoint.',
    sources: '001-CFG-13, 001-CHK-01, 003-ARCH-02, 003-COL-11',
    dependsOn: ['COL-05', 'COL-09', 'LOKI-05', 'TEMPO-03', 'JAEG-03', 'PROM-02'],
    reads: (config) => [...configReads(config), fact.objects('Service')],
    run: wired,
  }),
  col('19', 'Trace pages are available', {
    about:
      "The zpages extension shows the state of the gateway's pipelines: forward port 55679 of a gateway " +
      'pod and open /debug/pipelinez. Warning: it is defined but not started. Nothing depends on it; ' +
      'without the extension the check is skipped.',
    sources: '001-CFG-12',
    needs: [GATEWAY],
    dependsOn: ['COL-05'],
    reads: [fact.running(GATEWAY)],
    run: (facts) => {
      const config = facts.running(GATEWAY);
      if (!has(config, 'extensions', 'zpages')) return skip('the gateway has no zpages extension');
      const endpoint = textAt(config, 'extensions', 'zpages', 'endpoint') ?? 'localhost:55679';
      if (!textsAt(config, 'service', 'extensions').includes('zpages'))
        return warn('zpages is defined and not in service.extensions', {
          cause: 'the extension is not started',
          fix: AGAIN,
          object: configObject(facts, GATEWAY),
        });
      return ok(`zpages at ${endpoint}: ${facts.kubectlFor(GATEWAY)} port-forward ${resourceOf(facts, GATEWAY)} 55679`);
    },
  }),
];
