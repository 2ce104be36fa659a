import { type Verdict, type Check, checksOf, ok, warn, fail } from '../lib/check.ts';
import { FactUnavailable, fact, type Facts } from '../lib/facts.ts';
import { mapAt, listAt, textAt } from '../../core/json.ts';
import { plural, list } from '../../core/text.ts';
import { parseDuration } from '../../core/quantity.ts';
import { mebibytes } from '../../profile/values.ts';
import { POLICIES, REACH_READS, reachVerdict } from '../lib/network.ts';
import { configObject, resourceOf, workloadObject } from '../lib/place.ts';
import { bodyOf, readyVerdict, serviceReads, serviceVerdict } from '../lib/service.ts';
import { CLAIM_READS, claimVerdict } from '../lib/storage.ts';
import { CLOCK_READS, recentLines, settledFor } from '../lib/time.ts';
import { essence } from '../lib/trouble.ts';
import { workloadReads, workloadVerdict } from '../lib/workload.ts';

const prom = checksOf('PROM');
const FLAGS = '/api/v1/status/flags';
const RUNTIME = '/api/v1/status/runtimeinfo';
const FILES = 'sum(prometheus_tsdb_storage_blocks_bytes) + sum(prometheus_tsdb_wal_storage_size_bytes or vector(0))';

function receivers(facts: Facts): Verdict {
  const flags = mapAt(bodyOf(facts, 'prometheus', FLAGS), 'data');
  const wanted = {
    'web.enable-remote-write-receiver': 'remote write (/api/v1/write)',
    'web.enable-otlp-receiver': 'OTLP (/api/v1/otlp)',
  };
  if (!Object.keys(wanted).some((flag) => flags[flag] !== undefined))
    throw new FactUnavailable('the flags of Prometheus do not list the receivers');
  const off = Object.entries(wanted).filter(([flag]) => flags[flag] !== 'true');
  if (!off.length) return ok('the remote write and OTLP receivers are on');
  return fail(
    `${off.map(([flag]) => `--${flag} is ${textAt(flags, flag) ?? 'absent'}`).join(', ')}: ` +
      `${off.map(([, what]) => what).join(' and ')} returns 404`,
    {
      cause: 'the flag was removed from the arguments of Prometheus',
      fix: 'genai-obs install   # sets the flag and replaces the pod',
      object: workloadObject(facts, 'prometheus'),
    },
  );
}

const WRITE_TROUBLE = /level=(WARN|ERROR)|level=(warn|error)/;

function writeLog(facts: Facts): Verdict {
  const lines = recentLines(facts, 'prometheus', settledFor(facts), WRITE_TROUBLE, 3600).filter(({ text }) =>
    /write|otlp|append|storage|tsdb|disk|compact|wal\b|out.of.order|duplicate/i.test(text),
  );
  if (!lines.length) return ok('no warning about writes or storage in the last 60 min (last 200 log lines)');
  const hard = lines.filter(
    ({ text }) => /level=(ERROR|error)/.test(text) && !/out of order|out-of-order|duplicate sample|too old/i.test(text),
  );
  const last = (hard.length ? hard : lines).at(-1);
  const evidence =
    `${plural(lines.length, 'line')} about writes or storage in 60 min, the last: ` +
    essence(last?.text ?? '').slice(0, 220);
  const more = {
    cause: hard.length ? 'the storage or a sender fails' : 'samples arrive late, twice or out of order',
    fix:
      `${facts.kubectlFor('prometheus')} logs ${resourceOf(facts, 'prometheus')} --since=1h | ` +
      'grep -i -e warn -e error',
    object: workloadObject(facts, 'prometheus'),
  };
  return hard.length ? fail(evidence, more) : warn(evidence, more);
}

function retention(facts: Facts): Verdict {
  const retained = textAt(bodyOf(facts, 'prometheus', RUNTIME), 'data', 'storageRetention') ?? '';
  const time = retained.split(' or ').find((part) => parseDuration(part) !== undefined);
  const wanted = facts.config.prometheus.server.retention;
  if (time === undefined)
    return warn(`retention is ${retained || 'unlimited'}, but the profile says ${wanted}`, {
      cause: 'the flag --storage.tsdb.retention.time is missing',
      fix: 'genai-obs install',
      object: workloadObject(facts, 'prometheus'),
    });
  // Prometheus reports the size limit in binary units, such as 50GiB.
  const cap = retained.split(' or ').find((part) => parseDuration(part) === undefined) ?? '';
  const { retentionSize } = facts.config.prometheus.server;
  if (parseDuration(time) !== parseDuration(wanted) || (retentionSize && mebibytes(cap) !== mebibytes(retentionSize)))
    return warn(
      `retention is ${retained}, but the profile says ${[wanted, retentionSize].filter(Boolean).join(' or ')}`,
      {
        cause: 'the profile was changed but not applied, or the flag was changed manually',
        fix: 'genai-obs install',
        object: workloadObject(facts, 'prometheus'),
      },
    );
  return ok(`retention is ${retained}, as in the profile`);
}

function networkFileSystem(facts: Facts): Verdict {
  const { namespace, claim: planned } = facts.place('prometheus');
  const name = planned?.name ?? '';
  const claim = facts.find('PersistentVolumeClaim', name, namespace);
  const volume = facts
    .objects('PersistentVolume', 'all')
    .find((one) => one.metadata.name === textAt(claim, 'spec', 'volumeName'));
  if (!claim || !volume) throw new FactUnavailable(`the claim ${name} has no volume`);
  const className = textAt(claim, 'spec', 'storageClassName') ?? '';
  const provisioner =
    textAt(
      facts.objects('StorageClass').find((one) => one.metadata.name === className),
      'provisioner',
    ) ?? '';
  const kind =
    Object.keys(mapAt(volume, 'spec')).find((key) =>
      ['nfs', 'cephfs', 'glusterfs', 'azureFile', 'hostPath', 'local', 'csi'].includes(key),
    ) ?? 'a volume';
  const driver = textAt(volume, 'spec', 'csi', 'driver') ?? provisioner;
  if (
    ['nfs', 'cephfs', 'glusterfs', 'azureFile'].includes(kind) ||
    /nfs|efs|smb|azurefile|filestore|cephfs/i.test(driver)
  ) {
    return warn(`the claim ${name} is on a network file system (${kind}, ${driver})`, {
      cause: 'Prometheus does not support network file systems: its blocks and WAL can be corrupted',
      fix: 'genai-obs backup, then set storage.storageClass to a block or local class in the profile and install again',
      object: `PersistentVolumeClaim ${namespace}/${name}`,
    });
  }
  return ok(`claim ${name}: ${kind}, class ${className || 'none'} (${driver || 'no provisioner'})`);
}

export const serverChecks: Check[] = [
  prom('01', 'Prometheus is ready', {
    about:
      'The pod of Prometheus (quickstart: StatefulSet prometheus-server) must be ready. Without it ' +
      'there are no metrics, rules or alerts, and the gateway queues metrics. The finding names ' +
      'the cause: an unbound claim, an image, memory or the last log line, such as a rule file ' +
      'that does not parse.',
    sources: '004-P3-01',
    needs: ['prometheus'],
    reads: workloadReads('prometheus'),
    run: (facts) => workloadVerdict(facts, 'prometheus'),
  }),
  prom('02', 'The Service of Prometheus is as configured', {
    about:
      'Grafana, the collectors and Tempo reach Prometheus through its Service (quickstart: ' +
      'prometheus-server, port 80). It must exist, have that port, select the pods and lead to one ' +
      'of their container ports. `genai-obs install` restores it.',
    sources: '001-PROM-05, 004-P3-01',
    needs: ['prometheus'],
    reads: serviceReads('prometheus'),
    run: (facts) => serviceVerdict(facts, 'prometheus'),
  }),
  prom('03', 'Prometheus reports ready and healthy', {
    about:
      'Sends GET /-/ready and GET /-/healthy through the API server. Warning: Prometheus replays ' +
      'its WAL after a start, which can take minutes; it is healthy but not ready. Failed: any ' +
      'other response.',
    sources: '001-PORT-02, 004-P3-02',
    needs: ['prometheus'],
    dependsOn: ['PROM-01', 'PROM-02'],
    reads: ['/-/ready', '/-/healthy'].map((path) => fact.http('prometheus', path)),
    run: (facts) => readyVerdict(facts, 'prometheus', ['/-/healthy', '/-/ready'], /Service Unavailable|replay/i),
  }),
  prom('07', 'Prometheus accepts remote write and OTLP', {
    about:
      'The gateway sends metrics by OTLP, and Tempo sends its service graph by remote write. Both ' +
      'receivers are off by default and return 404 then. The check reads the flags of the running ' +
      'Prometheus; `genai-obs install` sets them.',
    sources: '001-CFG-08, 001-CHK-02, 001-PROM-02, 003-COL-09, 004-TRB-05',
    needs: ['prometheus'],
    dependsOn: ['PROM-01', 'PROM-02', 'PROM-03'],
    reads: [fact.http('prometheus', FLAGS)],
    run: receivers,
  }),
  prom('08', 'Prometheus can be reached', {
    about:
      'The gateway and Tempo write to port 9090 of Prometheus, and Grafana reads from it. Failed: ' +
      'a NetworkPolicy blocks one of them; the finding names it. Policies are evaluated as a ' +
      'network plugin does, even where the cluster does not enforce them yet.',
    sources: '001-CFG-08, 003-COL-09, 004-TRB-05',
    needs: ['prometheus'],
    dependsOn: [POLICIES],
    reads: REACH_READS,
    run: (facts) => reachVerdict(facts, 'prometheus', [9090]),
  }),
  prom('09', 'Prometheus logs no failed writes', {
    about:
      'Searches the last 200 log lines for warnings and errors about writes, storage and ' +
      'compaction in the last hour. Lines of the first five minutes after a start do not count. ' +
      'Warning: samples out of order, because two senders write the same series or clocks differ. ' +
      'Failed: errors of storage or access.',
    sources: '004-TRB-04',
    needs: ['prometheus'],
    dependsOn: ['PROM-01', 'PROM-12', 'PROM-14'],
    reads: [...CLOCK_READS, fact.logs('prometheus')],
    run: writeLog,
  }),
  prom('11', 'Metric retention is as configured', {
    about:
      'Compares the retention that Prometheus reports with prometheus.server.retention and ' +
      'retentionSize. Warning: they differ, because the profile was not applied or the flag was ' +
      'changed manually. The disk may then fill up, or history may end earlier than planned.',
    sources: '000-CFG-02, 001-PROM-02, 003-QS-01, 004-MNT-03, 004-P1-04, 004-TUNE-03',
    needs: ['prometheus'],
    dependsOn: ['PROM-01', 'PROM-03'],
    reads: [fact.http('prometheus', RUNTIME)],
    run: retention,
  }),
  prom('12', 'The volume of Prometheus is bound and has space', {
    about:
      'The claim prometheus-data must be bound. From 70 % full it warns, from 85 % it fails; a ' +
      'full volume stops all writes. For volumes that are folders of a node, the files of ' +
      'Prometheus and the disk of the node count. Shorten the retention or expand the volume.',
    sources: '000-CFG-02, 001-PROM-04, 004-P1-03',
    needs: ['prometheus'],
    skipIf: (config) => (config.storage.enabled ? undefined : 'storage.enabled is false: data is in an emptyDir'),
    dependsOn: ['PROM-01'],
    reads: [...CLAIM_READS, fact.promql(FILES)],
    run: (facts) => claimVerdict(facts, 'prometheus', () => facts.promql(FILES)[0]?.value),
  }),
  prom('20', 'Prometheus is not on a network file system', {
    about:
      'Prometheus needs a POSIX file system with reliable locks and mmap. Warning: the claim is on ' +
      'NFS or a similar file system, which upstream does not support and where blocks get ' +
      'corrupted. Use a block or local StorageClass such as local-path.',
    sources: '004-OPEN-04, 004-P1-05',
    needs: ['prometheus'],
    skipIf: (config) => (config.storage.enabled ? undefined : 'storage.enabled is false: data is in an emptyDir'),
    dependsOn: ['PROM-12', 'PROM-01'],
    reads: [
      fact.objects('PersistentVolumeClaim'),
      fact.objects('PersistentVolume', 'all'),
      fact.objects('StorageClass'),
    ],
    run: networkFileSystem,
  }),
  prom('21', 'Prometheus has an Alertmanager', {
    about:
      'Prometheus sends alerts to the Alertmanagers that it discovered. Failed: it has none, so ' +
      'alerts fire but no notification is sent. The address is in the alerting section of its ' +
      'configuration; the finding counts dropped Alertmanagers.',
    sources: '004-P4-12',
    needs: ['prometheus', 'alertmanager'],
    dependsOn: ['PROM-01', 'PROM-03', 'ALRT-01'],
    reads: [fact.http('prometheus', '/api/v1/alertmanagers')],
    run: (facts) => {
      const data = mapAt(bodyOf(facts, 'prometheus', '/api/v1/alertmanagers'), 'data');
      const urls = listAt(data, 'activeAlertmanagers').flatMap((one) => textAt(one, 'url') ?? []);
      if (urls.length) return ok(`${urls.length} active: ${list(urls)}`);
      const dropped = listAt(data, 'droppedAlertmanagers').length;
      return fail(`0 active Alertmanagers, ${dropped} dropped`, {
        cause: 'the alerting section of the configuration names no Alertmanager',
        fix: 'genai-obs install',
        object: configObject(facts, 'prometheus'),
      });
    },
  }),
];
