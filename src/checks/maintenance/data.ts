import { BACKUP_RECORD } from '../../core/labels.ts';
import type { KubeObject } from '../../core/types.ts';
import { claimsOf, type ClaimNeed } from '../../doctor/budget.ts';
import { PROBE_METRIC } from '../../doctor/probe/payload.ts';
import { age, count, names, percent } from '../../doctor/quantity.ts';
import { ageMs, isOurs, phaseOf, specOf } from '../../doctor/shapes.ts';
import type { Check, Look, Verdict } from '../../doctor/types.ts';
import { fail, ok, skip, warn } from '../../doctor/types.ts';
import { COMPONENT_IDS } from '../../profile/schema.ts';
import { namespaceIn } from '../helpers/place.ts';
import { workloadOf } from '../helpers/pods.ts';

const base = { area: 'MNT', stage: 'stack' } as const;

const DAY = 86_400_000;

const WORKLOADS = ['StatefulSet', 'Deployment', 'DaemonSet'];

interface Fs {
  availableBytes?: number;
  usedBytes?: number;
}

interface Stats {
  node?: { fs?: Fs };
  pods?: { volume?: (Fs & { pvcRef?: { name: string; namespace: string } })[] }[];
}

const share = ({ availableBytes = 0, usedBytes = 0 }: Fs) => usedBytes / (usedBytes + availableBytes || 1);

/** Use of a claim: the kubelet's figures, or for a folder of the node, for which there are none, the node's disk. */
function useOf(
  look: Look,
  { name: claim, namespace }: ClaimNeed,
  stats: Stats[],
): { share: number; shared: boolean } | undefined {
  const own = stats
    .flatMap((one) => (one.pods ?? []).flatMap((pod) => pod.volume ?? []))
    .find((volume) => volume.pvcRef?.name === claim && volume.pvcRef.namespace === namespace);
  const live = look.find('PersistentVolumeClaim', claim, namespace);
  const volumeName = live && specOf<{ volumeName: string }>(live).volumeName;
  const volume = volumeName ? look.find('PersistentVolume', volumeName) : undefined;
  const folder = volume
    ? Object.keys(volume['spec'] ?? {}).some((key) => key === 'hostPath' || key === 'local')
    : false;
  if (own && !folder) return { share: share(own), shared: false };
  const disks = stats.flatMap((one) => one.node?.fs ?? []);
  return folder && disks.length ? { share: Math.max(...disks.map(share)), shared: true } : undefined;
}

function storage(look: Look): Verdict {
  const claims = claimsOf(look.config).filter(({ name, namespace }) =>
    look.find('PersistentVolumeClaim', name, namespace),
  );
  const stats = Object.values(look.fact<Record<string, Stats>>('kubelet:stats'));
  const used = claims.flatMap((claim) => {
    const use = useOf(look, claim, stats);
    return use ? [{ name: claim.name, namespace: claim.namespace, ...use }] : [];
  });
  if (used.length === 0) return skip(`kubelets report no figures for ${count(claims.length, 'claim')}`);
  const worst = used.toSorted((a, b) => b.share - a.share)[0];
  if (!worst) return skip('there are no claims');
  const shared = used.some((one) => one.shared);
  const evidence = `${shared ? `disk of the node, which the claims share (kubelets report nothing for folders of a node): ${percent(worst.share)} used` : `fullest is ${worst.name} with ${percent(worst.share)}`} of ${count(used.length, 'claim')}`;
  const more = {
    object: `PersistentVolumeClaim ${worst.namespace}/${worst.name}`,
    cause: 'data grow faster than the retention removes them',
    fix: 'shorten the retention (genai-obs install --retention 7d), or grow the volume',
  };
  // A shared disk is full of other things as well: there the limits of PRE-09 count.
  const [soft, hard] = worst.shared ? [0.85, 0.9] : [0.7, 0.85];
  if (worst.share >= hard) return fail(evidence, more);
  return worst.share >= soft ? warn(evidence, more) : ok(evidence);
}

/** Older than ten minutes: a probe that runs at this moment is not a left-over. */
const OLD_SERIES = `count(last_over_time(${PROBE_METRIC}[7d] offset 10m)) or vector(0)`;

const TEST_NAMES = /^(test-metrics|test-logs|traced-app|genai-obs-(probe|test)|restore-check)/;

function leftOvers(look: Look): Verdict {
  const objects = ['Pod', ...WORKLOADS, 'Service', 'ConfigMap']
    .flatMap((kind) => look.list(kind))
    .filter((one) => TEST_NAMES.test(one.metadata.name));
  const series = look.promql(OLD_SERIES)[0]?.value ?? 0;
  const first = objects[0];
  if (first)
    return warn(`left behind by tests: ${names(objects.map((one) => `${one.kind} ${one.metadata.name}`))}`, {
      object: `${first.kind} ${namespaceIn(look, first)}/${first.metadata.name}`,
      cause: 'a test was broken off before it cleaned up',
      fix: `${look.kubectlIn(namespaceIn(look, first))} delete ${first.kind.toLowerCase()} ${first.metadata.name}`,
    });
  if (series > 0)
    return warn(`${count(series, 'series')} of an earlier probe in Prometheus`, {
      cause: 'a probe was killed before it cleaned up, or Prometheus’ admin API is off',
      fix: 'genai-obs doctor --probe removes them; else they end with the retention',
    });
  return ok('no test objects and no series of earlier probes');
}

function backups(look: Look): Verdict {
  const now = look.fact<{ iso: string }>('time:now').iso;
  const last = ((look.find('ConfigMap', BACKUP_RECORD)?.['data'] ?? {}) as Record<string, string>)['last'];
  const fix = 'genai-obs backup --output DIR';
  if (last) {
    const old = Date.parse(now) - Date.parse(last);
    const evidence = `the last backup is ${age(old)} old`;
    if (old < 7 * DAY) return ok(evidence);
    const more = { cause: 'backups are not made regularly', fix };
    return old < 30 * DAY ? warn(evidence, more) : fail(evidence, more);
  }
  const installed = Math.max(
    0,
    ...COMPONENT_IDS.filter((id) => look.config[id].enabled).map((id) => {
      const workload = workloadOf(look, id);
      return workload ? ageMs(workload, now) : 0;
    }),
  );
  if (installed < 7 * DAY)
    return ok(`no backup yet; the installation is ${age(installed)} old, one is due within 7 days`);
  const more = { cause: 'no backup has been recorded for this installation', fix };
  const evidence = `no backup in ${age(installed)}`;
  return look.config.global.environment === 'production' && installed >= 30 * DAY
    ? fail(evidence, more)
    : warn(evidence, more);
}

/** helm's own word first; what we apply ourselves is named after the home. */
function belongsTo({ metadata }: KubeObject, namespaces: Set<string>): boolean {
  const owner = metadata.annotations?.['meta.helm.sh/release-namespace'];
  return owner === undefined
    ? [...namespaces].some((name) => metadata.name.startsWith(`${name}-`))
    : namespaces.has(owner);
}

function orphans(look: Look): Verdict {
  const namespaces = new Set(look.list('Namespace').map((one) => one.metadata.name));
  const claims = new Set(claimsOf(look.config).map(({ namespace, name }) => `${namespace}/${name}`));
  const lost = look.list('PersistentVolume').filter((one) => {
    const ref = specOf<{ claimRef: { name: string; namespace: string } }>(one).claimRef;
    return (
      phaseOf(one) === 'Released' &&
      ref !== undefined &&
      look.namespaces.includes(ref.namespace) &&
      ref.name.endsWith('-data')
    );
  });
  const stray = (['ClusterRole', 'ClusterRoleBinding'] as const)
    .flatMap((kind) => look.list(kind))
    .filter((one) => isOurs(one) && !belongsTo(one, namespaces));
  const unused = look
    .list('PersistentVolumeClaim')
    .filter(
      (one) =>
        isOurs(one) && look.config.storage.enabled && !claims.has(`${namespaceIn(look, one)}/${one.metadata.name}`),
    );
  const all = [...lost, ...stray, ...unused];
  const first = all[0];
  if (!first) return ok('no volume, claim or cluster role is left of an earlier installation');
  return warn(`left of an earlier installation: ${names(all.map((one) => `${one.kind} ${one.metadata.name}`))}`, {
    object: `${first.kind} ${first.metadata.name}`,
    cause: 'an installation was removed by hand, or a component was switched off',
    fix: `look at it, then: ${look.kubectlIn(namespaceIn(look, first))} delete ${first.kind.toLowerCase()} ${first.metadata.name}`,
  });
}

export const dataChecks: Check[] = [
  {
    ...base,
    id: 'MNT-01',
    title: 'Volumes have room',
    about:
      'Fill of all claims of the stack from kubelet statistics. Ok: under 70 %. Warning: under 85 %. For folders of a node (local-path, hostpath) kubelets report nothing: there the node’s disk counts, with a warning at 85 % and a failure at 90 %.',
    sources: '004-MNT-01',
    reads: () => ['k8s:PersistentVolumeClaim', 'k8s:PersistentVolume', 'kubelet:stats'],
    dependsOn: ['PRE-09'],
    skipIf: (config) => (config.storage.enabled ? undefined : 'storage.enabled is false: the stack has no volumes'),
    run: storage,
  },
  {
    ...base,
    id: 'MNT-02',
    title: 'Nothing is left of tests',
    about: 'No test pods, workloads or Services in the namespace and no series of earlier probes in Prometheus.',
    sources: '004-MNT-02',
    reads: () =>
      ['Pod', ...WORKLOADS, 'Service', 'ConfigMap'].map((kind) => `k8s:${kind}`).concat(`promql:${OLD_SERIES}`),
    dependsOn: ['PROM-01', 'PROM-03'],
    skipIf: (config) => (config.prometheus.enabled ? undefined : 'Prometheus is not part of this profile'),
    run: leftOvers,
  },
  {
    ...base,
    id: 'MNT-03',
    title: 'A recent backup exists',
    about: `Age of the last backup that genai-obs recorded (ConfigMap ${BACKUP_RECORD}). Ok: under 7 days, or none while the installation itself is younger than that. Warning: under 30 days. Failed: older, or none after 30 days in production.`,
    sources: 'derived',
    reads: () => ['k8s:ConfigMap', 'time:now', ...WORKLOADS.map((kind) => `k8s:${kind}`)],
    run: backups,
  },
  {
    ...base,
    id: 'MNT-07',
    title: 'Nothing is left of earlier installations',
    about:
      'Released volumes, claims of components that are switched off, and cluster roles of ours whose namespace is gone.',
    sources: '000-UNI-03',
    reads: () =>
      ['Namespace', 'PersistentVolume', 'PersistentVolumeClaim', 'ClusterRole', 'ClusterRoleBinding'].map(
        (kind) => `k8s:${kind}`,
      ),
    run: orphans,
  },
];
