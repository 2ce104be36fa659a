import { type Verdict, type Check, checksOf, ok, warn, fail } from '../lib/check.ts';
import { FactUnavailable, fact, type Facts, ifAvailable } from '../lib/facts.ts';
import { at, listAt, textAt, keysOf } from '../../core/json.ts';
import { list } from '../../core/text.ts';
import { parseDuration } from '../../core/quantity.ts';
import { parseDocument } from 'yaml';
import { configObject, resourceOf, workloadObject } from '../lib/place.ts';
import { POLICIES, REACH_READS, reachVerdict } from '../lib/network.ts';
import { bodyOf, readyVerdict, serviceReads, serviceVerdict } from '../lib/service.ts';
import { CLAIM_READS, claimVerdict } from '../lib/storage.ts';
import { workloadReads, workloadVerdict } from '../lib/workload.ts';

const loki = checksOf('LOKI');

const RING = '/ring';
const CONFIG = '/config';

/** Keys that Loki 3 removed. Its YAML parser is strict: Loki does not start with any of them. */
const REMOVED = [
  'enforce_metric_name',
  'shared_store',
  'shared_store_key_prefix',
  'max_transfer_retries',
  'max_look_back_period',
];

/** Loki returns JSON or, without an Accept header, an HTML page. */
function ring(facts: Facts): Verdict {
  const found = bodyOf(facts, 'loki', RING);
  const shards = listAt(found, 'shards');
  const states = shards.length
    ? shards.map((one) => `${textAt(one, 'id') ?? '?'} ${textAt(one, 'state') ?? '?'}`)
    : [...String(found).matchAll(/<td[^>]*>\s*(ACTIVE|JOINING|PENDING|LEAVING|Unhealthy|UNHEALTHY)\s*<\/td>/g)].map(
        (match) => match[1] ?? '',
      );
  if (!states.length) throw new FactUnavailable('/ring of Loki lists no ingester');
  const text = list(states);
  const more = {
    cause: 'the ingester has not joined the ring, or a dead ingester is still listed',
    fix: `${facts.kubectlFor('loki')} rollout restart ${resourceOf(facts, 'loki')}`,
    object: workloadObject(facts, 'loki'),
  };
  if (states.every((state) => state.endsWith('ACTIVE'))) return ok(`ingester ring: ${text}`);
  return states.some((state) => /unhealthy|leaving/i.test(state))
    ? fail(`ingester ring: ${text}`, more)
    : warn(`ingester ring: ${text}`, { ...more, cause: 'the ingester is joining its ring' });
}

/** Redaction can make the YAML invalid, so parse errors are ignored as long as the needed sections exist. */
function config(facts: Facts): unknown {
  const text = bodyOf(facts, 'loki', CONFIG);
  const found: unknown = typeof text === 'string' ? parseDocument(text, { logLevel: 'silent' }).toJS() : text;
  if (!at(found, 'compactor') || !at(found, 'limits_config'))
    throw new FactUnavailable('/config of Loki has no compactor or limits_config section');
  return found;
}

function retention(facts: Facts): Verdict {
  const running = config(facts);
  const wanted = facts.config.loki.retention;
  const period = textAt(running, 'limits_config', 'retention_period') ?? '';
  const fix = { fix: 'genai-obs install', object: configObject(facts, 'loki') };
  if (at(running, 'compactor', 'retention_enabled') !== true)
    return warn('compactor.retention_enabled is false: logs are never deleted', {
      cause: 'only the compactor deletes logs, and its retention is off',
      ...fix,
    });
  if (!parseDuration(period))
    return warn(`retention_period is ${period || 'absent'}: logs are never deleted`, {
      cause: 'limits_config.retention_period is 0 or invalid',
      ...fix,
    });
  if (!textAt(running, 'compactor', 'delete_request_store'))
    return warn('compactor.delete_request_store is not set: retention does not work', {
      cause: 'the compactor has no store for delete requests',
      ...fix,
    });
  if (parseDuration(period) !== parseDuration(wanted))
    return warn(`logs are kept for ${period}, but the profile says ${wanted}`, {
      cause: 'the profile was changed but not applied',
      ...fix,
    });
  return ok(`logs are kept for ${wanted}; the compactor deletes older ones`);
}

function removedKeys(facts: Facts): Verdict {
  // Optional: the check must also work while Loki is down.
  const bad = [...new Set(keysOf(facts.running('loki')).filter((key) => REMOVED.includes(key)))];
  const version = textAt(
    ifAvailable(() => facts.http('loki', '/loki/api/v1/status/buildinfo').body, undefined),
    'version',
  );
  if (bad.length)
    return fail(`${bad.join(', ')}: unknown to Loki ${version ?? '3'}`, {
      cause: 'Loki 3 removed these keys, and does not start with unknown keys',
      fix: 'genai-obs install   # restores the configuration',
      object: configObject(facts, 'loki'),
    });
  const schema = listAt(facts.running('loki'), 'schema_config', 'configs').at(-1);
  if (textAt(schema, 'store') !== 'tsdb' || textAt(schema, 'schema') !== 'v13')
    return fail(`the newest schema is ${textAt(schema, 'store') ?? '?'} ${textAt(schema, 'schema') ?? '?'}`, {
      cause: 'OTLP and structured metadata need schema v13 with tsdb',
      fix: 'genai-obs install',
      object: configObject(facts, 'loki'),
    });
  return ok(`no removed key, schema tsdb v13${version ? `, Loki ${version}` : ''}`);
}

export const serverChecks: Check[] = [
  loki('01', 'Loki is ready', {
    about:
      'The pod of Loki must be ready. Failed: it is not; the finding names the cause, such as an ' +
      'unbound claim, an image, memory or the last log line. Without Loki no logs are stored or ' +
      'shown, and the gateway queues them until its queue is full.',
    sources: '003-LOKI-01, 003-LOKI-02, 004-P3-03',
    needs: ['loki'],
    dependsOn: ['LOKI-07'],
    reads: workloadReads('loki'),
    run: (facts) => workloadVerdict(facts, 'loki'),
  }),
  loki('02', 'Loki reports ready', {
    about:
      'Sends GET /ready through the API server. Loki is ready when its ingester has joined the ' +
      'ring and all its services run. Warning: shortly after a start it names what it waits for. ' +
      'Failed: any other response.',
    sources: '001-CHK-03, 001-PORT-03',
    needs: ['loki'],
    dependsOn: ['LOKI-01', 'LOKI-05'],
    reads: [fact.http('loki', '/ready')],
    run: (facts) =>
      readyVerdict(facts, 'loki', ['/ready'], /Ingester not ready|waiting for|Some services are not Running/i),
  }),
  loki('03', "Loki's ingester is active", {
    about:
      'Only ingesters that are ACTIVE in the ring accept lines. Warning: JOINING, which ends by ' +
      'itself. Failed: UNHEALTHY or LEAVING; such an ingester can make writes fail. Restart the ' +
      'StatefulSet to reset the ring, which is in memory.',
    sources: '004-P3-03',
    needs: ['loki'],
    dependsOn: ['LOKI-01', 'LOKI-02'],
    reads: [fact.http('loki', RING)],
    run: ring,
  }),
  loki('05', 'Loki can be reached', {
    about:
      'The Service loki must lead to port 3100 of the pods. No NetworkPolicy may block the ' +
      'gateway, which writes, or Grafana, which reads. Policies are evaluated as a network plugin ' +
      'does; the finding names the policy that blocks.',
    sources: '001-CFG-09, 003-LOKI-03, 004-TRB-07',
    needs: ['loki'],
    reads: [...serviceReads('loki'), REACH_READS],
    dependsOn: [POLICIES],
    run: (facts) => {
      const service = serviceVerdict(facts, 'loki');
      return service.status === 'ok' ? reachVerdict(facts, 'loki', [3100]) : service;
    },
  }),
  loki('07', "Loki's configuration fits its version", {
    about:
      'Loki 3 does not start with keys that it removed, such as enforce_metric_name or ' +
      'shared_store. OTLP needs schema v13 with tsdb. The check reads the ConfigMap, so it also ' +
      'explains why Loki does not start.',
    sources: '001-LOKI-03, 001-LOKI-05, 004-TUNE-04',
    needs: ['loki'],
    reads: [fact.running('loki'), fact.http('loki', '/loki/api/v1/status/buildinfo')],
    run: removedKeys,
  }),
  loki('08', 'Log retention is as configured', {
    about:
      'Loki deletes logs only when retention is on in the compactor; otherwise the volume fills ' +
      'up. Warning: retention is off, has no delete_request_store, or its period differs from ' +
      'loki.retention. A different period means that the profile was changed but not applied.',
    sources: '001-LOKI-06, 004-MNT-03, 004-P1-04, 004-TUNE-04',
    needs: ['loki'],
    dependsOn: ['LOKI-01', 'LOKI-02'],
    reads: [fact.http('loki', CONFIG)],
    run: retention,
  }),
  loki('10', 'The volume of Loki is bound and has space', {
    about:
      'The claim loki-data must be bound. From 70 % full it warns, from 85 % it fails; a full ' +
      'volume stops Loki. For volumes that are folders of a node (local-path) the disk of the node ' +
      'counts. Shorten loki.retention or expand the volume.',
    sources: '000-INST-11, 004-P1-03',
    needs: ['loki'],
    skipIf: (c) => (c.storage.enabled ? undefined : 'storage.enabled is false: data is in an emptyDir'),
    dependsOn: ['LOKI-01'],
    reads: CLAIM_READS,
    run: (facts) => claimVerdict(facts, 'loki'),
  }),
];
