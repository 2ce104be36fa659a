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
  const told = Object.keys(wanted).filter((flag) => flags[flag] !== undefined);
  if (!told.length) throw new FactUnavailable('Prometheus does not list the receivers among its flags');
  const off = Object.entries(wanted).filter(([flag]) => flags[flag] !== 'true');
  if (!off.length) return ok('remote write and OTLP receivers are on');
  return fail(
    `${off.map(([flag]) => `--${flag} is ${textAt(flags, flag) ?? 'absent'}`).join(', ')}: ${off.map(([, what]) => what).join(' and ')} answers 404`,
    {
      cause: 'the flag was removed from the arguments of the server',
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
  if (!lines.length) return ok('no warning about writes or storage in the last 200 lines and 60 min');
  const hard = lines.filter(
    ({ text }) => /level=(ERROR|error)/.test(text) && !/out of order|out-of-order|duplicate sample|too old/i.test(text),
  );
  const last = (hard.length ? hard : lines).at(-1);
  const evidence = `${plural(lines.length, 'line')} about writes or storage in 60 min, the last: ${essence(last?.text ?? '').slice(0, 220)}`;
  const more = {
    cause: hard.length ? 'storage or a writer fails' : 'samples come too late, twice or out of order',
    fix: `${facts.kubectlFor('prometheus')} logs ${resourceOf(facts, 'prometheus')} --since=1h | grep -i -e warn -e error`,
    object: workloadObject(facts, 'prometheus'),
  };
  return hard.length ? fail(evidence, more) : warn(evidence, more);
}

function retention(facts: Facts): Verdict {
  const told = textAt(bodyOf(facts, 'prometheus', RUNTIME), 'data', 'storageRetention') ?? '';
  const time = told.split(' or ').find((part) => parseDuration(part) !== undefined);
  const wanted = facts.config.prometheus.server.retention;
  if (time === undefined)
    return warn(`retention is ${told || 'unlimited'}, the profile says ${wanted}`, {
      cause: 'the flag --storage.tsdb.retention.time is missing',
      fix: 'genai-obs install',
      object: workloadObject(facts, 'prometheus'),
    });
  // Prometheus tells the cap as 50GiB.
  const cap = told.split(' or ').find((part) => parseDuration(part) === undefined) ?? '';
  const { retentionSize } = facts.config.prometheus.server;
  if (parseDuration(time) !== parseDuration(wanted) || (retentionSize && mebibytes(cap) !== mebibytes(retentionSize)))
    return warn(`retention is ${told}, the profile says ${[wanted, retentionSize].filter(Boolean).join(' or ')}`, {
      cause: 'the profile was changed and not applied, or the flag by hand',
      fix: 'genai-obs install',
      object: workloadObject(facts, 'prometheus'),
    });
  return ok(`retention ${told}, as the profile says`);
}

function networkFileSystem(facts: Facts): Verdict {
  const { namespace, claim: planned } = facts.place('prometheus');
  const name = planned?.name ?? '';
  const claim = facts.find('PersistentVolumeClaim', name, namespace);
  const volume = facts
    .objects('PersistentVolume', 'all')
    .find((one) => one.metadata.name === textAt(claim, 'spec', 'volumeName'));
  if (!claim || !volume) throw new FactUnavailable(`claim ${name} has no volume`);
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
    return warn(`claim ${name} lies on a network file system (${kind}, ${driver})`, {
      cause: 'Prometheus does not support network file systems: its blocks and its log can be damaged',
      fix: 'set storage.storageClass to a block or local class in the profile, back up, and install again: genai-obs backup',
      object: `PersistentVolumeClaim ${namespace}/${name}`,
    });
  }
  return ok(`claim ${name}: ${kind}, class ${className || 'none'} (${driver || 'no provisioner'})`);
}

export const serverChecks: Check[] = [
  prom('01', 'Prometheus is ready', {
    about:
      'The workload of Prometheus (quickstart: StatefulSet prometheus-server) must have its pod ready. Without it there are no metrics, no rules and no alerts, and the gateway keeps metrics in its queue. The finding names the cause: an unbound claim, an image, memory, or the line with which Prometheus ended, such as a rule file that does not parse.',
    sources: '004-P3-01',
    needs: ['prometheus'],
    reads: workloadReads('prometheus'),
    run: (facts) => workloadVerdict(facts, 'prometheus'),
  }),
  prom('02', "Prometheus' Service is as planned", {
    about:
      'Grafana, the collectors and Tempo know Prometheus by its Service (quickstart: prometheus-server, port 80). It must exist, have that port, and lead to the pods and to one of their container ports. `genai-obs install` puts it back.',
    sources: '001-PROM-05, 004-P3-01',
    needs: ['prometheus'],
    reads: serviceReads('prometheus'),
    run: (facts) => serviceVerdict(facts, 'prometheus'),
  }),
  prom('03', 'Prometheus answers ready and healthy', {
    about:
      'Asks /-/ready and /-/healthy through the API server. While Prometheus replays its log after a start it is healthy and not ready, which warns; this can take minutes when much is to be replayed.',
    sources: '001-PORT-02, 004-P3-02',
    needs: ['prometheus'],
    dependsOn: ['PROM-01', 'PROM-02'],
    reads: ['/-/ready', '/-/healthy'].map((path) => fact.http('prometheus', path)),
    run: (facts) => readyVerdict(facts, 'prometheus', ['/-/healthy', '/-/ready'], /Service Unavailable|replay/i),
  }),
  prom('07', 'Prometheus takes remote write and OTLP', {
    about:
      'The gateway sends metrics by OTLP and Tempo sends its service graph by remote write. Both receivers are off by default and answer 404 then. The check reads the flags that Prometheus runs with; `genai-obs install` sets them.',
    sources: '001-CFG-08, 001-CHK-02, 001-PROM-02, 003-COL-09, 004-TRB-05',
    needs: ['prometheus'],
    dependsOn: ['PROM-01', 'PROM-02', 'PROM-03'],
    reads: [fact.http('prometheus', FLAGS)],
    run: receivers,
  }),
  prom('08', 'Nothing is in the way to Prometheus', {
    about:
      'The gateway and Tempo write to port 9090 of Prometheus, Grafana reads there. This reads the NetworkPolicies of the namespace as a network plugin does and names one that lets one of them not through. It works also where policies are not enforced yet.',
    sources: '001-CFG-08, 003-COL-09, 004-TRB-05',
    needs: ['prometheus'],
    dependsOn: [POLICIES],
    reads: REACH_READS,
    run: (facts) => reachVerdict(facts, 'prometheus', [9090]),
  }),
  prom('09', "Prometheus' log tells of no failed writes", {
    about:
      'Warnings and errors about writes, storage and compaction in the last 200 log lines of the last hour, without those of the first five minutes after a start. Samples out of order warn, errors of storage or access fail. Out-of-order samples mean that two senders write the same series or that clocks differ.',
    sources: '004-TRB-04',
    needs: ['prometheus'],
    dependsOn: ['PROM-01', 'PROM-12', 'PROM-14'],
    reads: [...CLOCK_READS, fact.logs('prometheus')],
    run: writeLog,
  }),
  prom('11', 'Retention is that of the profile', {
    about:
      'How long Prometheus keeps samples, as it says itself, against prometheus.server.retention and retentionSize. A difference means that the profile was changed and not applied, or a flag by hand; the disk then fills later or history ends earlier than planned.',
    sources: '000-CFG-02, 001-PROM-02, 003-QS-01, 004-MNT-03, 004-P1-04, 004-TUNE-03',
    needs: ['prometheus'],
    dependsOn: ['PROM-01', 'PROM-03'],
    reads: [fact.http('prometheus', RUNTIME)],
    run: retention,
  }),
  prom('12', 'The volume of Prometheus is bound and has room', {
    about:
      "The claim prometheus-data must be bound and less than 70 % full; from 85 % it fails, because a full volume stops all writes. Volumes that are folders of a node have no figures of their own: then the files that Prometheus reports and the node's disk count. Shorten the retention or grow the volume.",
    sources: '000-CFG-02, 001-PROM-04, 004-P1-03',
    needs: ['prometheus'],
    skipIf: (config) => (config.storage.enabled ? undefined : 'storage.enabled is false: data lives with the pod'),
    dependsOn: ['PROM-01'],
    reads: [...CLAIM_READS, fact.promql(FILES)],
    run: (facts) => claimVerdict(facts, 'prometheus', () => facts.promql(FILES)[0]?.value),
  }),
  prom('20', 'Prometheus does not lie on a network file system', {
    about:
      'Prometheus needs a POSIX file system with reliable locks and mmap; upstream does not support NFS and its like, where blocks get damaged. Use a block or local StorageClass such as local-path.',
    sources: '004-OPEN-04, 004-P1-05',
    needs: ['prometheus'],
    skipIf: (config) => (config.storage.enabled ? undefined : 'storage.enabled is false: data lives with the pod'),
    dependsOn: ['PROM-12', 'PROM-01'],
    reads: [
      fact.objects('PersistentVolumeClaim'),
      fact.objects('PersistentVolume', 'all'),
      fact.objects('StorageClass'),
    ],
    run: networkFileSystem,
  }),
  prom('21', 'Prometheus knows an Alertmanager', {
    about:
      'Alerts that fire go to the Alertmanagers that Prometheus has discovered. With none, nobody is told of anything. The address stands in the section alerting of its configuration; a dropped one is named.',
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
        cause: 'the section alerting of the configuration names none',
        fix: 'genai-obs install',
        object: configObject(facts, 'prometheus'),
      });
    },
  }),
];
