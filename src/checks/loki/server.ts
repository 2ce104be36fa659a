import { type Verdict, type Check, checksOf, ok, warn, fail } from '../lib/check.ts';
import { FactUnavailable, fact, type Facts } from '../lib/facts.ts';
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

/** Keys that Loki 3 no longer knows; its YAML is strict, so one of them keeps it from starting. */
const REMOVED = [
  'enforce_metric_name',
  'shared_store',
  'shared_store_key_prefix',
  'max_transfer_retries',
  'max_look_back_period',
];

/** JSON where Loki is asked for it, else its HTML page. */
function ring(facts: Facts): Verdict {
  const found = bodyOf(facts, 'loki', RING);
  const shards = listAt(found, 'shards');
  const states = shards.length
    ? shards.map((one) => `${textAt(one, 'id') ?? '?'} ${textAt(one, 'state') ?? '?'}`)
    : [...String(found).matchAll(/<td[^>]*>\s*(ACTIVE|JOINING|PENDING|LEAVING|Unhealthy|UNHEALTHY)\s*<\/td>/g)].map(
        (match) => match[1] ?? '',
      );
  if (!states.length) throw new FactUnavailable('/ring of Loki names no ingester');
  const text = list(states);
  const more = {
    cause: 'the ingester has not joined its ring, or one that died has not been forgotten',
    fix: `${facts.kubectlFor('loki')} rollout restart ${resourceOf(facts, 'loki')}`,
    object: workloadObject(facts, 'loki'),
  };
  if (states.every((state) => state.endsWith('ACTIVE'))) return ok(`ingester ring: ${text}`);
  return states.some((state) => /unhealthy|leaving/i.test(state))
    ? fail(`ingester ring: ${text}`, more)
    : warn(`ingester ring: ${text}`, { ...more, cause: 'the ingester is joining its ring' });
}

/** Redaction may have put a mark where YAML wants a key: what can be read is enough, as long as the sections are there. */
function config(facts: Facts): unknown {
  const text = bodyOf(facts, 'loki', CONFIG);
  const found: unknown = typeof text === 'string' ? parseDocument(text, { logLevel: 'silent' }).toJS() : text;
  if (!at(found, 'compactor') || !at(found, 'limits_config'))
    throw new FactUnavailable('/config of Loki shows no compactor and limits');
  return found;
}

function retention(facts: Facts): Verdict {
  const running = config(facts);
  const wanted = facts.config.loki.retention;
  const period = textAt(running, 'limits_config', 'retention_period') ?? '';
  const fix = { fix: 'genai-obs install', object: configObject(facts, 'loki') };
  if (at(running, 'compactor', 'retention_enabled') !== true)
    return warn('compactor.retention_enabled is false: logs are kept for ever', {
      cause: 'without the compactor nothing is deleted',
      ...fix,
    });
  if (!parseDuration(period))
    return warn(`retention_period is ${period || 'absent'}: logs are kept for ever`, {
      cause: 'limits_config.retention_period is 0',
      ...fix,
    });
  if (!textAt(running, 'compactor', 'delete_request_store'))
    return warn('compactor.delete_request_store is not set: retention does not work', {
      cause: 'the compactor has no place for its deletions',
      ...fix,
    });
  if (parseDuration(period) !== parseDuration(wanted))
    return warn(`logs are kept ${period}, the profile says ${wanted}`, {
      cause: 'the profile was changed and not applied',
      ...fix,
    });
  return ok(`logs are kept ${wanted}, the compactor deletes older ones`);
}

function removedKeys(facts: Facts): Verdict {
  const bad = [...new Set(keysOf(facts.running('loki')).filter((key) => REMOVED.includes(key)))];
  const version = textAt(tryBuild(facts), 'version');
  if (bad.length)
    return fail(`${bad.join(', ')}: unknown to Loki ${version ?? '3'}`, {
      cause: 'keys that Loki 3 removed; its configuration is strict and it does not start',
      fix: 'genai-obs install   # writes the configuration again',
      object: configObject(facts, 'loki'),
    });
  const schema = listAt(facts.running('loki'), 'schema_config', 'configs').at(-1);
  if (textAt(schema, 'store') !== 'tsdb' || textAt(schema, 'schema') !== 'v13')
    return fail(`the newest schema is ${textAt(schema, 'store') ?? '?'} ${textAt(schema, 'schema') ?? '?'}`, {
      cause: 'OTLP and structured metadata need tsdb with v13',
      fix: 'genai-obs install',
      object: configObject(facts, 'loki'),
    });
  return ok(`no removed key, schema tsdb v13${version ? `, Loki ${version}` : ''}`);
}

/** The version only adorns the verdict: it must be there while Loki does not run. */
function tryBuild(facts: Facts): unknown {
  try {
    return facts.http('loki', '/loki/api/v1/status/buildinfo').body;
  } catch (error) {
    if (error instanceof FactUnavailable) return undefined;
    throw error;
  }
}

export const serverChecks: Check[] = [
  loki('01', 'Loki is ready', {
    about:
      'The workload of Loki must have its pod ready; without it no logs are stored or shown, and the gateway keeps them in its queue until that is full. The finding names the cause: an unbound claim, an image, memory, or the line with which Loki ended.',
    sources: '003-LOKI-01, 003-LOKI-02, 004-P3-03',
    needs: ['loki'],
    dependsOn: ['LOKI-07'],
    reads: workloadReads('loki'),
    run: (facts) => workloadVerdict(facts, 'loki'),
  }),
  loki('02', 'Loki answers ready', {
    about:
      'Asks /ready through the API server. Loki is ready when its ingester has joined the ring and everything it needs is started; shortly after a start it says what it waits for, which only warns.',
    sources: '001-CHK-03, 001-PORT-03',
    needs: ['loki'],
    dependsOn: ['LOKI-01', 'LOKI-05'],
    reads: [fact.http('loki', '/ready')],
    run: (facts) =>
      readyVerdict(facts, 'loki', ['/ready'], /Ingester not ready|waiting for|Some services are not Running/i),
  }),
  loki('03', "Loki's ingester is active", {
    about:
      'Lines are taken only by ingesters that are ACTIVE in the ring. JOINING passes by itself; an unhealthy or leaving one that stays keeps writes from succeeding. A restart of the StatefulSet clears a ring that is kept in memory.',
    sources: '004-P3-03',
    needs: ['loki'],
    dependsOn: ['LOKI-01', 'LOKI-02'],
    reads: [fact.http('loki', RING)],
    run: ring,
  }),
  loki('05', 'Nothing is in the way to Loki', {
    about:
      'The Service loki must lead to port 3100 of the pods, and no NetworkPolicy may keep the gateway, which writes, or Grafana, which reads, from it. Policies are read and judged as a network plugin does; the finding names the one that blocks.',
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
      'Keys that Loki 3 has removed, such as enforce_metric_name or shared_store, keep it from starting; OTLP needs a tsdb schema v13. Looks at the ConfigMap, so that it explains why Loki does not come up.',
    sources: '001-LOKI-03, 001-LOKI-05, 004-TUNE-04',
    needs: ['loki'],
    reads: [fact.running('loki'), fact.http('loki', '/loki/api/v1/status/buildinfo')],
    run: removedKeys,
  }),
  loki('08', 'Old logs are deleted as planned', {
    about:
      'Loki deletes only when the compactor does retention; otherwise the volume fills up. The running configuration must have it on, with a place for deletions and the period of loki.retention. A difference means that the profile was changed and not applied.',
    sources: '001-LOKI-06, 004-MNT-03, 004-P1-04, 004-TUNE-04',
    needs: ['loki'],
    dependsOn: ['LOKI-01', 'LOKI-02'],
    reads: [fact.http('loki', CONFIG)],
    run: retention,
  }),
  loki('10', 'The volume of Loki is bound and has room', {
    about:
      'The claim loki-data must be bound and less than 70 % full; from 85 % it fails. A full volume stops Loki from taking lines. Volumes that are folders of a node have no figures of their own: then the disk of the node counts. Shorten loki.retention or grow the volume.',
    sources: '000-INST-11, 004-P1-03',
    needs: ['loki'],
    skipIf: (c) => (c.storage.enabled ? undefined : 'storage.enabled is false: data lives with the pod'),
    dependsOn: ['LOKI-01'],
    reads: CLAIM_READS,
    run: (facts) => claimVerdict(facts, 'loki'),
  }),
];
