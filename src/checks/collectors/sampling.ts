import { type Verdict, type Check, checksOf, noTraces, ok, warn, fail, skip } from '../lib/check.ts';
import { fact, type Facts } from '../lib/facts.ts';
import { workloadOf, podsOf } from '../lib/objects.ts';
import { mapAt, listAt, textAt, numberAt } from '../../core/json.ts';
import { plural, list, percent } from '../../core/text.ts';
import { eachCollector, GATEWAY, pipelinesOf, typeOf } from '../lib/collectors.ts';
import { configObject, resourceOf, workloadObject } from '../lib/place.ts';

const col = checksOf('COL');
const RATE = 'genai-obs install   # with genai.sampling.rate in the profile, for a while 1';

function used(config: unknown, type: string): string[] {
  return [...new Set(pipelinesOf(config).flatMap(({ processors }) => processors))].filter(
    (name) => typeOf(name) === type,
  );
}

function sampling(facts: Facts): Verdict {
  const config = facts.running(GATEWAY);
  const wanted = facts.config.genai.sampling.rate;
  const object = configObject(facts, GATEWAY);
  const policies = used(config, 'tail_sampling').flatMap((name) => listAt(config, 'processors', name, 'policies'));
  const shares = used(config, 'probabilistic_sampler').map(
    (name) => (numberAt(config, 'processors', name, 'sampling_percentage') ?? 0) / 100,
  );
  if (!shares.length && !policies.length) return ok('every trace is stored: no sampler in the pipelines');
  const keepsErrors = policies.some((policy) => textAt(policy, 'type') === 'status_code');
  const tail = policies
    .flatMap((policy) => numberAt(mapAt(policy, 'probabilistic'), 'sampling_percentage') ?? [])
    .map((value) => value / 100);
  const share = [...shares, ...tail].reduce((product, value) => product * value, 1);
  const names = policies.map((policy) => textAt(policy, 'name') ?? '?');
  const how = names.length ? `${plural(names.length, 'policy')}: ${list(names)}` : 'the same share of all traces';
  const text = `${percent(share)} of traces are stored, profile ${percent(wanted)}, ${how}; metrics count all`;
  if (share === 0)
    return fail(
      `no trace is stored: the sampling share is 0${wanted > 0 ? `, the profile says ${percent(wanted)}` : ''}`,
      {
        cause: wanted > 0 ? 'the configuration of the gateway was edited manually' : 'genai.sampling.rate is 0',
        fix:
          wanted > 0
            ? 'genai-obs install   # sets the share back'
            : 'set genai.sampling.rate in the profile, then: genai-obs install',
        object,
      },
    );
  if (share < wanted - 1e-9)
    return warn(text, { cause: 'the running sampler keeps less than the profile says', fix: RATE, object });
  if (share < 0.1 - 1e-9 && !keepsErrors)
    return warn(text, {
      cause: 'a low share without a policy that keeps errors: traces of most failed calls are lost',
      fix: RATE,
      object,
    });
  return ok(text);
}

function tail(facts: Facts): Verdict {
  const samplers = eachCollector(facts).filter(({ config }) => used(config, 'tail_sampling').length);
  if (!samplers.length) return skip('no tail_sampling: every replica samples by trace id');
  for (const { id } of samplers) {
    const replicas = numberAt(workloadOf(facts, id), 'spec', 'replicas') ?? podsOf(facts, id).length;
    const balanced = eachCollector(facts).some(({ config }) =>
      pipelinesOf(config).some(
        ({ signal, exporters }) =>
          signal === 'traces' && exporters.some((name) => ['loadbalancing', 'load_balancing'].includes(typeOf(name))),
      ),
    );
    if (replicas > 1 && !balanced) {
      return fail(
        `tail_sampling in ${plural(replicas, 'replica')} of ${facts.place(id).workload.name} without ` +
          'balancing by trace id',
        {
          cause: 'spans of one trace reach different replicas, and each decides on a part',
          fix:
            `put a tier with the load_balancing exporter in front, or: ${facts.kubectlFor(id)} scale ` +
            `${resourceOf(facts, id)} --replicas=1`,
          object: workloadObject(facts, id),
        },
      );
    }
  }
  return ok('tail sampling sees whole traces: one replica, or balanced by trace id');
}

export const samplingChecks: Check[] = [
  col('21', 'The sampling share is as configured', {
    about:
      "Compares the share of stored traces, by the samplers in the gateway's pipelines, with " +
      'genai.sampling.rate. Warning: less than the profile sets, or under 10 % without a policy that ' +
      'keeps errors. Failed: 0, no trace is stored. Metrics are computed from all spans before sampling ' +
      'and stay correct.',
    sources: '003-SAMP-01, 003-SAMP-09, 003-TRB2-05, 003-TRB2-06, 004-NEXT-04',
    needs: [GATEWAY],
    skipIf: noTraces,
    dependsOn: ['COL-05'],
    reads: [fact.running(GATEWAY)],
    run: sampling,
  }),
  col('22', 'Tail sampling sees whole traces', {
    about:
      'A tail sampler decides on a whole trace, so all its spans must reach one replica. Failed: several ' +
      'replicas without a tier that balances by trace id; traces are stored in part. Profiles that ' +
      'sample by trace id need neither.',
    sources: '003-SAMP-02, 003-SAMP-09',
    needs: [GATEWAY],
    dependsOn: ['COL-05'],
    reads: (config) =>
      [...new Set([GATEWAY, 'opentelemetry-node-collector', 'opentelemetry-cluster-collector'] as const)]
        .filter((id) => config[id].enabled)
        .flatMap((id) => [fact.running(id), fact.workloads(id), fact.pods()]),
    run: tail,
  }),
];
