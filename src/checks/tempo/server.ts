import { type Verdict, type Check, checksOf, ok, warn, fail, skip } from '../lib/check.ts';
import { FactUnavailable, fact, type Facts } from '../lib/facts.ts';
import { objectsIn, workloadOf, podsOf } from '../lib/objects.ts';
import { at, mapAt, listAt, textAt, leaves } from '../../core/json.ts';
import { oneLine, plural } from '../../core/text.ts';
import { parseDuration } from '../../core/quantity.ts';
import { configObject, resourceOf, workloadObject } from '../lib/place.ts';
import { POLICIES, REACH_READS, reachVerdict } from '../lib/network.ts';
import { readyVerdict, serviceReads, serviceVerdict } from '../lib/service.ts';
import { CLAIM_READS, claimVerdict, hasVolume } from '../lib/storage.ts';
import { workloadReads, workloadVerdict } from '../lib/workload.ts';

const tempo = checksOf('TEMPO');

function retention(facts: Facts): Verdict {
  const config = facts.running('tempo');
  const period = textAt(config, 'compactor', 'compaction', 'block_retention');
  const wanted = facts.config.tempo.retention;
  const backend = textAt(config, 'storage', 'trace', 'backend') ?? 'local';
  const volume = backend === 'local' ? claim(facts) : ok(`storage ${backend}`);
  if (volume.status === 'fail') return volume;
  if (parseDuration(period) !== parseDuration(wanted))
    return warn(`traces are kept for ${period ?? '336h (the default)'}, but the profile says ${wanted}`, {
      cause: 'the profile was changed but not applied',
      fix: 'genai-obs install',
      object: configObject(facts, 'tempo'),
    });
  return volume.status === 'ok' ? ok(`traces are kept for ${wanted}; ${volume.evidence}`) : volume;
}

function claim(facts: Facts): Verdict {
  if (hasVolume(facts, 'tempo')) return claimVerdict(facts, 'tempo');
  return warn('traces are in an emptyDir: deleting the pod loses them', {
    cause: 'storage.enabled is false, or the volume was changed manually',
    fix: 'set storage.enabled to true in the profile, then: genai-obs install',
    object: workloadObject(facts, 'tempo'),
  });
}

function overrides(facts: Facts): Verdict {
  const config = facts.running('tempo');
  const files = leaves(mapAt(config, 'overrides'))
    .filter(({ path }) => path.endsWith('per_tenant_override_config'))
    .map(({ text }) => text);
  if (!files[0]) return ok('the configuration references no overrides file');
  const name = files[0].split('/').at(-1) ?? '';
  const mounts = listAt(podsOf(facts, 'tempo')[0] ?? workloadOf(facts, 'tempo'), 'spec', 'containers').flatMap(
    (container) => listAt(container, 'volumeMounts'),
  );
  const mounted = mounts.some((mount) => files[0]?.startsWith(textAt(mount, 'mountPath') ?? '\0'));
  const exists = objectsIn(facts, 'ConfigMap', facts.place('tempo').namespace).some(
    (map) => at(map, 'data', name) !== undefined,
  );
  if (mounted && exists) return ok(`${files[0]} is mounted`);
  return fail(`the overrides file ${files[0]} is ${mounted ? 'in no ConfigMap' : 'not mounted'}`, {
    cause: 'Tempo does not start when a file that its configuration names is missing',
    fix: 'genai-obs install   # removes overrides.per_tenant_override_config',
    object: configObject(facts, 'tempo'),
  });
}

export const serverChecks: Check[] = [
  tempo('01', 'Tempo is ready', {
    about:
      'The pod of Tempo must be ready. Failed: it is not; the finding names the cause, such as an ' +
      'unbound claim, an image, memory or the last log line. Without Tempo no traces are stored or ' +
      'shown, and the gateway queues them until its queue is full.',
    sources: '003-TEMPO-01, 004-P3-04',
    needs: ['tempo'],
    dependsOn: ['TEMPO-07'],
    reads: workloadReads('tempo'),
    run: (facts) => workloadVerdict(facts, 'tempo'),
  }),
  tempo('02', 'Tempo reports ready', {
    about:
      'Sends GET /ready through the API server; Tempo returns 200 when all its modules run. ' +
      'Warning: shortly after a start it names what it waits for. Failed: any other response.',
    sources: '001-CHK-04, 001-PORT-04, 004-P3-04',
    needs: ['tempo'],
    dependsOn: ['TEMPO-01', 'TEMPO-03'],
    reads: [fact.http('tempo', '/ready')],
    run: (facts) => readyVerdict(facts, 'tempo', ['/ready'], /not ready: waiting|Some services are not Running/i),
  }),
  tempo('03', 'Tempo can be reached', {
    about:
      'The Service tempo must have ports 3200, 4317 and 4318 that lead to the pods. No ' +
      'NetworkPolicy may block the gateway from 4317 or Grafana from 3200. Policies are evaluated ' +
      'as a network plugin does; the finding names the policy that blocks.',
    sources: '001-CFG-10, 001-TEMPO-02, 003-TEMPO-01',
    needs: ['tempo'],
    dependsOn: [POLICIES],
    reads: [...serviceReads('tempo'), REACH_READS],
    run: (facts) => {
      const service = serviceVerdict(facts, 'tempo', [3200, 4317, 4318]);
      return service.status === 'ok' ? reachVerdict(facts, 'tempo', [4317, 3200]) : service;
    },
  }),
  tempo('06', 'Trace retention is as configured, on a durable volume', {
    about:
      'Compares the block retention of Tempo with tempo.retention; a difference is a warning. The ' +
      'claim tempo-data must be bound. From 70 % full it warns, from 85 % it fails. An emptyDir is ' +
      'a warning, because deleting the pod loses the traces. Run install again, shorten the ' +
      'retention or expand the volume.',
    sources: '001-TEMPO-04, 001-TEMPO-05, 003-TEMPO-02, 003-TEMPO-04, 004-MNT-03, 004-P1-03, 004-P1-04',
    needs: ['tempo'],
    dependsOn: ['TEMPO-01'],
    reads: [...CLAIM_READS, fact.running('tempo'), fact.workloads('tempo')],
    run: retention,
  }),
  tempo('07', 'Files named in the configuration of Tempo exist', {
    about:
      'Tempo exits at start when overrides name a file that is not mounted. Failed: the ' +
      'configuration references such a file, and its ConfigMap or mount is missing. Ok: no ' +
      'reference, or both exist.',
    sources: '003-TEMPO-03',
    needs: ['tempo'],
    reads: [fact.running('tempo'), fact.objects('ConfigMap'), fact.pods(), fact.workloads('tempo')],
    run: overrides,
  }),
  tempo('08', 'The object storage for traces works', {
    about:
      'A backend such as S3 needs a bucket, a region and credentials. Failed: the log of Tempo has ' +
      'errors about the backend. Skipped with local storage, as in quickstart.',
    sources: '000-HA-02, 000-INST-10',
    needs: ['tempo'],
    dependsOn: ['TEMPO-01', 'TEMPO-02'],
    reads: [fact.running('tempo'), fact.logs('tempo')],
    run: (facts) => {
      const backend = textAt(facts.running('tempo'), 'storage', 'trace', 'backend');
      if (!backend) throw new FactUnavailable('the configuration of Tempo names no storage backend');
      if (backend === 'local') return skip('traces are on a volume (backend local), not in object storage');
      const bad = Object.values(facts.logs('tempo'))
        .flat()
        .filter(
          (line) => /level=error/.test(line) && /bucket|AccessDenied|SignatureDoesNotMatch|backend|s3|gcs/i.test(line),
        );
      if (bad[0])
        return fail(`${plural(bad.length, 'error line')} about ${backend}: ${oneLine(bad.at(-1) ?? '', 200)}`, {
          cause: 'the bucket, the region or the credentials are wrong',
          fix: `${facts.kubectlFor('tempo')} logs ${resourceOf(facts, 'tempo')} | grep level=error`,
          object: workloadObject(facts, 'tempo'),
        });
      return ok(`no error about ${backend} in the last 200 log lines`);
    },
  }),
];
