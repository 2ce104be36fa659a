import { type Verdict, type Check, checksOf, ok, warn, fail, skip } from '../lib/check.ts';
import { fact, type Facts } from '../lib/facts.ts';
import { workloadOf } from '../lib/objects.ts';
import { at, mapAt, listAt, textAt, textsAt, numberAt, leaves } from '../../core/json.ts';
import { oneLine, list } from '../../core/text.ts';
import { parse } from 'yaml';
import {
  AGAIN,
  configReads,
  eachCollector,
  enabledCollectors,
  firstContainer,
  has,
  pipelinesOf,
  typeOf,
  variablesIn,
} from '../lib/collectors.ts';
import { configObject } from '../lib/place.ts';
import { configKeyOf, configMapOf } from '../lib/place.ts';

const col = checksOf('COL');

/** Component types that upstream removed: a collector with one of them does not start. */
const REMOVED: Record<string, string> = {
  logging: 'removed in 0.111, use debug',
  loki: 'removed in 0.131, use otlp_http with endpoint …/otlp',
  jaeger: 'removed, use otlp_grpc',
  opencensus: 'removed',
  memory_ballast: 'removed, use GOMEMLIMIT',
  spanmetricsprocessor: 'removed, use the spanmetrics connector',
};

/** What is wrong in one configuration, or nothing. */
function problems(config: unknown): string[] {
  const pipelines = pipelinesOf(config);
  const sections = ['receivers', 'processors', 'exporters', 'connectors', 'extensions'];
  const removed = sections.flatMap((section) =>
    Object.keys(mapAt(config, section)).flatMap((name) => {
      const why = section === 'receivers' && typeOf(name) === 'jaeger' ? undefined : REMOVED[typeOf(name)];
      return why ? [`${section.slice(0, -1)} ${name}: ${why}`] : [];
    }),
  );
  if (!pipelines.length) return [...removed, 'service.pipelines is empty'];
  const undefinedParts = pipelines.flatMap(({ name, ...parts }) =>
    (['receivers', 'processors', 'exporters'] as const).flatMap((section) =>
      parts[section]
        .filter((part) => !has(config, section, part) && (section === 'processors' || !has(config, 'connectors', part)))
        .map((part) => `pipeline ${name} uses the ${section.slice(0, -1)} ${part}, which is not defined`),
    ),
  );
  const empty = pipelines.flatMap(({ name, receivers, exporters }) => [
    ...(receivers.length ? [] : [`pipeline ${name} has no receiver`]),
    ...(exporters.length ? [] : [`pipeline ${name} has no exporter`]),
  ]);
  const halves = Object.keys(mapAt(config, 'connectors')).filter(
    (name) =>
      pipelines.some((one) => one.exporters.includes(name)) !== pipelines.some((one) => one.receivers.includes(name)),
  );
  const extensions = textsAt(config, 'service', 'extensions')
    .filter((name) => !has(config, 'extensions', name))
    .map((name) => `the extension ${name} is used and not defined`);
  return [
    ...removed,
    ...undefinedParts,
    ...empty,
    ...halves.map((name) => `the connector ${name} is used on one side only`),
    ...extensions,
  ];
}

function configsAreValid(facts: Facts): Verdict {
  for (const id of enabledCollectors(facts.config)) {
    const place = facts.place(id);
    const map = configMapOf(place, facts.objects('ConfigMap'));
    const name = map?.metadata.name ?? place.configMap?.name ?? place.workload.name;
    const object = configObject(facts, id);
    if (!map)
      return fail(`ConfigMap ${name} does not exist`, { cause: 'it was deleted', fix: 'genai-obs install', object });
    const data = mapAt(map, 'data');
    const key = configKeyOf(place, data) ?? '';
    const text = data[key];
    if (typeof text !== 'string')
      return fail(`ConfigMap ${name} holds no YAML file`, { cause: 'its key was removed', fix: AGAIN, object });
    let config: unknown;
    try {
      config = parse(text, { logLevel: 'error' });
    } catch (error) {
      return fail(
        `${key} of ConfigMap ${name} is not YAML: ` +
          oneLine(error instanceof Error ? error.message : String(error), 160),
        {
          cause: 'it was edited manually',
          fix: AGAIN,
          object,
        },
      );
    }
    const found = problems(config);
    if (found.length)
      return fail(`${place.workload.name}: ${list(found, 3)}`, {
        cause: 'a collector with this configuration does not start',
        fix: AGAIN,
        object,
      });
  }
  return ok(`${enabledCollectors(facts.config).length} configurations parse; all components are defined and supported`);
}

/** Variables that expand to an empty text. */
function emptyValues(facts: Facts): Verdict {
  const bad: string[] = [];
  let count = 0;
  for (const { id, config } of eachCollector(facts)) {
    const { namespace, workload } = facts.place(id);
    const who = workload.name;
    const env = new Map(
      listAt(firstContainer(workloadOf(facts, id)), 'env').map((one) => [textAt(one, 'name') ?? '', one]),
    );
    for (const name of new Set(leaves(config).flatMap(({ text }) => variablesIn(text)))) {
      count++;
      const set = env.get(name);
      if (!set) bad.push(`${who}: ${name} is not set`);
      else if (!at(set, 'valueFrom') && !(textAt(set, 'value') ?? '').trim()) bad.push(`${who}: ${name} is empty`);
      const secret = textAt(set, 'valueFrom', 'secretKeyRef', 'name');
      if (
        secret &&
        !numberAt(
          facts.find('Secret', secret, namespace),
          'keys',
          textAt(set, 'valueFrom', 'secretKeyRef', 'key') ?? '',
        )
      )
        bad.push(`${who}: ${name} comes from Secret ${secret}, which lacks the key`);
    }
  }
  if (bad.length)
    return warn(list(bad), {
      cause: 'the variable expands to an empty text, so telemetry lacks the attribute',
      fix: 'set global.clusterName and global.environment in the profile, then: genai-obs install',
    });
  return ok(`${count} variables of the configurations have a value`);
}

const ORDER = [
  ['memory_limiter'],
  ['k8s_attributes', 'k8sattributes'],
  ['resource', 'resource_detection', 'resourcedetection', 'transform'],
  ['probabilistic_sampler', 'tail_sampling'],
  ['batch'],
];

function order(facts: Facts): Verdict {
  const wrong = eachCollector(facts).flatMap(({ id, config }) =>
    pipelinesOf(config).flatMap(({ name, processors }) => {
      const ranks = processors
        .map((processor) => ORDER.findIndex((types) => types.includes(typeOf(processor))))
        .filter((rank) => rank >= 0);
      // resource comes after k8s_attributes because it may use the attributes found there.
      const sorted = ranks.every((rank, i) => i === 0 || rank >= (ranks[i - 1] ?? 0));
      return sorted ? [] : [`${facts.place(id).workload.name} ${name}: ${processors.join(', ')}`];
    }),
  );
  if (wrong.length)
    return warn(list(wrong, 2), {
      cause: 'batch before k8s_attributes loses the sender; resource before it finds no attributes',
      fix: AGAIN,
    });
  return ok('memory_limiter first, k8s_attributes before resource, batch last in every pipeline');
}

export const configurationChecks: Check[] = [
  col('05', 'Collector configurations are valid', {
    about:
      'Parses the ConfigMap of every collector. Failed: a component that upstream removed, a pipeline ' +
      'that uses an undefined component or lacks receiver or exporter, or a connector used on one side ' +
      'only; such a collector does not start. `genai-obs install` restores the configuration; settings ' +
      'belong in the profile.',
    sources: '000-CFG-01, 001-CFG-01, 001-OPEN-02, 004-MNT-03, 004-TRB-01',
    reads: [fact.objects('ConfigMap')],
    run: configsAreValid,
  }),
  col('20', 'No variable of the configurations is empty', {
    about:
      "Resolves the environment variables in the collectors' configurations: cluster name, environment " +
      'and node name come from them. Warning: one is unset, empty, or refers to a missing key of a ' +
      'Secret; it expands to an empty text without an error, and dashboards that filter by it stay ' +
      'empty. Set it in the profile and run install.',
    sources: '001-CFG-06, 003-COL-05',
    dependsOn: ['COL-05'],
    reads: (config) => [
      ...configReads(config),
      ...enabledCollectors(config).map((id) => fact.workloads(id)),
      fact.objects('Secret'),
    ],
    run: emptyValues,
  }),
  col('23', 'Processors are in the right order', {
    about:
      'Checks the order of processors in every pipeline: memory_limiter first, k8s_attributes before ' +
      'resource, batch last. Warning: another order; attributes get lost without an error message, ' +
      'because batch drops the connection and later processors use what k8s_attributes found.',
    sources: '001-CFG-13',
    dependsOn: ['COL-05'],
    reads: configReads,
    run: (facts) => {
      if (!eachCollector(facts).length) return skip('no collector is part of this profile');
      return order(facts);
    },
  }),
];
