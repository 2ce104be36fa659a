import { textAt, mapAt } from '../../core/json.ts';
import { formatDuration } from '../../core/quantity.ts';
import { checksOf, type Verdict, type Check, ok, warn, fail, skip } from '../lib/check.ts';
import { fact, type Facts } from '../lib/facts.ts';
import { type KubeletStats, type FileSystem, PROBE_METRIC } from '../lib/values.ts';
import { ageOf, isOurs, phaseOf, workloadOf } from '../lib/objects.ts';
import { plural, list, percent } from '../../core/text.ts';
import { BACKUP_RECORD } from '../../core/labels.ts';
import type { KubeObject } from '../../core/types.ts';
import { claimsOf, type ClaimNeed } from '../lib/budget.ts';
import { COMPONENT_IDS } from '../../profile/schema.ts';
import { namespaceIn } from '../lib/place.ts';

const mnt = checksOf('MNT');

const DAY = 86_400;

const WORKLOADS = ['StatefulSet', 'Deployment', 'DaemonSet'];

const share = ({ availableBytes = 0, usedBytes = 0 }: FileSystem) => usedBytes / (usedBytes + availableBytes || 1);

/** Use of a claim from the kubelet, or the node's disk for folders of a node, which have no figures. */
function useOf(
  facts: Facts,
  { name: claim, namespace }: ClaimNeed,
  stats: KubeletStats[],
): { share: number; shared: boolean } | undefined {
  const own = stats
    .flatMap((one) => (one.pods ?? []).flatMap((pod) => pod.volume ?? []))
    .find((volume) => volume.pvcRef?.name === claim && volume.pvcRef.namespace === namespace);
  const live = facts.find('PersistentVolumeClaim', claim, namespace);
  const volumeName = textAt(live, 'spec', 'volumeName');
  const volume = volumeName ? facts.find('PersistentVolume', volumeName) : undefined;
  const folder = Object.keys(mapAt(volume, 'spec')).some((key) => key === 'hostPath' || key === 'local');
  if (own && !folder) return { share: share(own), shared: false };
  const disks = stats.flatMap((one) => one.node?.fs ?? []);
  return folder && disks.length ? { share: Math.max(...disks.map(share)), shared: true } : undefined;
}

function storage(facts: Facts): Verdict {
  const claims = claimsOf(facts.config).filter(({ name, namespace }) =>
    facts.find('PersistentVolumeClaim', name, namespace),
  );
  const stats = Object.values(facts.kubeletStats());
  const used = claims.flatMap((claim) => {
    const use = useOf(facts, claim, stats);
    return use ? [{ name: claim.name, namespace: claim.namespace, ...use }] : [];
  });
  if (used.length === 0) return skip(`kubelets report no figures for ${plural(claims.length, 'claim')}`);
  const worst = used.toSorted((a, b) => b.share - a.share)[0];
  if (!worst) return skip('there are no claims');
  const fullest = used.some((one) => one.shared)
    ? `disk of the node, which the claims share: ${percent(worst.share)} used`
    : `fullest is ${worst.name} with ${percent(worst.share)}`;
  const evidence = `${fullest} of ${plural(used.length, 'claim')}`;
  const more = {
    object: `PersistentVolumeClaim ${worst.namespace}/${worst.name}`,
    cause: 'data grow faster than the retention removes them',
    fix: 'shorten the retention (genai-obs install --retention 7d), or grow the volume',
  };
  // Other data share the disk: there the limits of PRE-09 count.
  const [soft, hard] = worst.shared ? [0.85, 0.9] : [0.7, 0.85];
  if (worst.share >= hard) return fail(evidence, more);
  return worst.share >= soft ? warn(evidence, more) : ok(evidence);
}

/** Older than ten minutes, so that a running probe does not count. */
const OLD_SERIES = `count(last_over_time(${PROBE_METRIC}[7d] offset 10m)) or vector(0)`;

const LEFT_OVERS = ['Pod', ...WORKLOADS, 'Service', 'ConfigMap'];
const TEST_NAMES = /^(test-metrics|test-logs|traced-app|genai-obs-(probe|test)|restore-check)/;

function leftOvers(facts: Facts): Verdict {
  const objects = LEFT_OVERS.flatMap((kind) => facts.objects(kind)).filter((one) => TEST_NAMES.test(one.metadata.name));
  const series = facts.promql(OLD_SERIES)[0]?.value ?? 0;
  const first = objects[0];
  if (first)
    return warn(`left over from tests: ${list(objects.map((one) => `${one.kind} ${one.metadata.name}`))}`, {
      object: `${first.kind} ${namespaceIn(facts, first)}/${first.metadata.name}`,
      cause: 'a test was interrupted before it cleaned up',
      fix: `${facts.kubectlIn(namespaceIn(facts, first))} delete ${first.kind.toLowerCase()} ${first.metadata.name}`,
    });
  if (series > 0)
    return warn(`${plural(series, 'series')} of an earlier probe in Prometheus`, {
      cause: 'a probe was killed before it cleaned up, or Prometheus’ admin API is off',
      fix: 'genai-obs doctor --probe removes them; otherwise they expire with the retention',
    });
  return ok('no test objects and no series of earlier probes');
}

function backups(facts: Facts): Verdict {
  const last = textAt(facts.find('ConfigMap', BACKUP_RECORD), 'data', 'last');
  const fix = 'genai-obs backup --output DIR';
  if (last) {
    const old = (facts.now() - Date.parse(last)) / 1000;
    const evidence = `the last backup is ${formatDuration(old)} old`;
    if (old < 7 * DAY) return ok(evidence);
    const more = { cause: 'backups are not made regularly', fix };
    return old < 30 * DAY ? warn(evidence, more) : fail(evidence, more);
  }
  const installed = Math.max(
    0,
    ...COMPONENT_IDS.filter((id) => facts.config[id].enabled).map((id) => {
      const workload = workloadOf(facts, id);
      return workload ? ageOf(facts, workload) : 0;
    }),
  );
  if (installed < 7 * DAY)
    return ok(`no backup yet; the installation is ${formatDuration(installed)} old, one is due within 7 days`);
  const more = { cause: 'no backup has been recorded for this installation', fix };
  const evidence = `no backup in ${formatDuration(installed)}`;
  return facts.config.global.environment === 'production' && installed >= 30 * DAY
    ? fail(evidence, more)
    : warn(evidence, more);
}

/** By Helm's annotation; objects that we apply ourselves start with the name of the home namespace. */
function belongsTo({ metadata }: KubeObject, namespaces: Set<string>): boolean {
  const owner = metadata.annotations?.['meta.helm.sh/release-namespace'];
  return owner === undefined
    ? [...namespaces].some((name) => metadata.name.startsWith(`${name}-`))
    : namespaces.has(owner);
}

function orphans(facts: Facts): Verdict {
  const namespaces = new Set(facts.objects('Namespace').map((one) => one.metadata.name));
  const claims = new Set(claimsOf(facts.config).map(({ namespace, name }) => `${namespace}/${name}`));
  const lost = facts.objects('PersistentVolume').filter((one) => {
    const claim = mapAt(one, 'spec', 'claimRef');
    return (
      phaseOf(one) === 'Released' &&
      facts.namespaces.includes(textAt(claim, 'namespace') ?? '') &&
      textAt(claim, 'name')?.endsWith('-data')
    );
  });
  const stray = (['ClusterRole', 'ClusterRoleBinding'] as const)
    .flatMap((kind) => facts.objects(kind))
    .filter((one) => isOurs(one) && !belongsTo(one, namespaces));
  const unused = facts
    .objects('PersistentVolumeClaim')
    .filter(
      (one) =>
        isOurs(one) && facts.config.storage.enabled && !claims.has(`${namespaceIn(facts, one)}/${one.metadata.name}`),
    );
  const all = [...lost, ...stray, ...unused];
  const first = all[0];
  if (!first) return ok('no volume, claim or cluster role is left over from an earlier installation');
  return warn(`left over from an earlier installation: ${list(all.map((one) => `${one.kind} ${one.metadata.name}`))}`, {
    object: `${first.kind} ${first.metadata.name}`,
    cause: 'an installation was removed manually, or a component was disabled',
    fix:
      `check it, then: ${facts.kubectlIn(namespaceIn(facts, first))} delete ${first.kind.toLowerCase()} ` +
      first.metadata.name,
  });
}

export const dataChecks: Check[] = [
  mnt('01', 'Volumes have room', {
    about:
      "Fill level of the stack's claims from kubelet statistics. Ok: under 70 %. Warning: under 85 %. " +
      'Failed: 85 % or more. Kubelets report nothing for folders of a node (local-path, hostpath): ' +
      "there the node's disk counts, with a warning at 85 % and a failure at 90 %.",
    sources: '004-MNT-01',
    reads: [fact.objects('PersistentVolumeClaim'), fact.objects('PersistentVolume'), fact.kubeletStats()],
    dependsOn: ['PRE-09'],
    skipIf: (config) => (config.storage.enabled ? undefined : 'storage.enabled is false: the stack has no volumes'),
    run: storage,
  }),
  mnt('02', 'Nothing is left over from tests', {
    about:
      "Looks for test pods, workloads, Services and ConfigMaps in the stack's namespaces, and for " +
      'series of earlier probes in Prometheus. Warning: found; delete them.',
    sources: '004-MNT-02',
    reads: [...LEFT_OVERS.map((kind) => fact.objects(kind)), fact.promql(OLD_SERIES)],
    dependsOn: ['PROM-01', 'PROM-03'],
    skipIf: (config) => (config.prometheus.enabled ? undefined : 'Prometheus is not part of this profile'),
    run: leftOvers,
  }),
  mnt('03', 'A recent backup exists', {
    about:
      `Age of the last backup that genai-obs recorded (ConfigMap ${BACKUP_RECORD}). Ok: under 7 days, or ` +
      'none while the installation itself is younger than that. Warning: under 30 days. Failed: older, ' +
      'or none after 30 days in production.',
    sources: 'genai-obs',
    reads: [fact.objects('ConfigMap'), fact.time(), ...WORKLOADS.map((kind) => fact.objects(kind))],
    run: backups,
  }),
  mnt('07', 'Nothing is left over from earlier installations', {
    about:
      'Looks for released volumes, claims of disabled components, and our cluster roles whose ' +
      'namespace was deleted. Warning: found; check and delete them.',
    sources: '000-UNI-03',
    reads: () =>
      ['Namespace', 'PersistentVolume', 'PersistentVolumeClaim', 'ClusterRole', 'ClusterRoleBinding'].map((kind) =>
        fact.objects(kind),
      ),
    run: orphans,
  }),
];
