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
    return warn(`traces are kept ${period ?? '336h (the default)'}, the profile says ${wanted}`, {
      cause: 'the profile was changed and not applied',
      fix: 'genai-obs install',
      object: configObject(facts, 'tempo'),
    });
  return volume.status === 'ok' ? ok(`traces are kept ${wanted}; ${volume.evidence}`) : volume;
}

function claim(facts: Facts): Verdict {
  if (hasVolume(facts, 'tempo')) return claimVerdict(facts, 'tempo');
  return warn('traces lie in an emptyDir: they are gone with the pod', {
    cause: 'storage.enabled is false, or the volume was changed',
    fix: 'set storage.enabled to true in the profile, then: genai-obs install',
    object: workloadObject(facts, 'tempo'),
  });
}

function overrides(facts: Facts): Verdict {
  const config = facts.running('tempo');
  const files = leaves(mapAt(config, 'overrides'))
    .filter(({ path }) => path.endsWith('per_tenant_override_config'))
    .map(({ text }) => text);
  if (!files[0]) return ok('no file of overrides is referenced');
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
    cause: 'Tempo does not start without a file that its configuration names',
    fix: 'remove overrides.per_tenant_override_config: genai-obs install',
    object: configObject(facts, 'tempo'),
  });
}

export const serverChecks: Check[] = [
  tempo('01', 'Tempo is ready', {
    about:
      'The workload of Tempo must have its pod ready; without it no traces are stored or shown, and the gateway keeps them in its queue until that is full. The finding names the cause: an unbound claim, an image, memory, or the line with which Tempo ended.',
    sources: '003-TEMPO-01, 004-P3-04',
    needs: ['tempo'],
    dependsOn: ['TEMPO-07'],
    reads: workloadReads('tempo'),
    run: (facts) => workloadVerdict(facts, 'tempo'),
  }),
  tempo('02', 'Tempo answers ready', {
    about:
      'Asks /ready through the API server: it answers 200 when all modules of Tempo run. Shortly after a start it says what it waits for, which only warns.',
    sources: '001-CHK-04, 001-PORT-04, 004-P3-04',
    needs: ['tempo'],
    dependsOn: ['TEMPO-01', 'TEMPO-03'],
    reads: [fact.http('tempo', '/ready')],
    run: (facts) => readyVerdict(facts, 'tempo', ['/ready'], /not ready: waiting|Some services are not Running/i),
  }),
  tempo('03', 'Nothing is in the way to Tempo', {
    about:
      'The Service tempo must have ports 3200, 4317 and 4318 that lead to the pods, and no NetworkPolicy may keep the gateway from 4317 or Grafana from 3200. Policies are read and judged as a network plugin does; the finding names the one that blocks.',
    sources: '001-CFG-10, 001-TEMPO-02, 003-TEMPO-01',
    needs: ['tempo'],
    dependsOn: [POLICIES],
    reads: [...serviceReads('tempo'), REACH_READS],
    run: (facts) => {
      const service = serviceVerdict(facts, 'tempo', [3200, 4317, 4318]);
      return service.status === 'ok' ? reachVerdict(facts, 'tempo', [4317, 3200]) : service;
    },
  }),
  tempo('06', 'Traces are kept as planned, on a durable volume', {
    about:
      "Retention of Tempo's blocks against tempo.retention, and where they lie: the claim tempo-data must be bound and less than 70 % full, from 85 % it fails; an emptyDir warns, since traces go with the pod. Re-apply the profile, shorten the retention or grow the volume.",
    sources: '001-TEMPO-04, 001-TEMPO-05, 003-TEMPO-02, 003-TEMPO-04, 004-MNT-03, 004-P1-03, 004-P1-04',
    needs: ['tempo'],
    dependsOn: ['TEMPO-01'],
    reads: [...CLAIM_READS, fact.running('tempo'), fact.workloads('tempo')],
    run: retention,
  }),
  tempo('07', 'Files that the configuration of Tempo names exist', {
    about:
      'Tempo ends at start when overrides name a file that is not mounted. The check looks for such a reference and for the ConfigMap and mount behind it; without a reference nothing is needed.',
    sources: '003-TEMPO-03',
    needs: ['tempo'],
    reads: [fact.running('tempo'), fact.objects('ConfigMap'), fact.pods(), fact.workloads('tempo')],
    run: overrides,
  }),
  tempo('08', 'The object storage of traces answers', {
    about:
      'With a backend such as S3 Tempo needs bucket, region and credentials, and says so in its log when they do not work. With local storage, as in quickstart, there is nothing to reach.',
    sources: '000-HA-02, 000-INST-10',
    needs: ['tempo'],
    dependsOn: ['TEMPO-01', 'TEMPO-02'],
    reads: [fact.running('tempo'), fact.logs('tempo')],
    run: (facts) => {
      const backend = textAt(facts.running('tempo'), 'storage', 'trace', 'backend');
      if (!backend) throw new FactUnavailable('the configuration of Tempo names no backend');
      if (backend === 'local') return skip('traces lie on a volume (backend local), not in object storage');
      const bad = Object.values(facts.logs('tempo'))
        .flat()
        .filter(
          (line) => /level=error/.test(line) && /bucket|AccessDenied|SignatureDoesNotMatch|backend|s3|gcs/i.test(line),
        );
      if (bad[0])
        return fail(`${plural(bad.length, 'line')} about ${backend}: ${oneLine(bad.at(-1) ?? '', 200)}`, {
          cause: 'bucket, region or credentials',
          fix: `${facts.kubectlFor('tempo')} logs ${resourceOf(facts, 'tempo')} | grep level=error`,
          object: workloadObject(facts, 'tempo'),
        });
      return ok(`no error about ${backend} in the last 200 lines`);
    },
  }),
];
