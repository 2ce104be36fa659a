import type { KubeObject } from '../../core/types.ts';
import { claimsOf, type ClaimNeed } from '../../doctor/budget.ts';
import { age, bytes, count, names, quantity } from '../../doctor/quantity.ts';
import { ageMs, className, conditions, containers, eventsOf, phaseOf, specOf } from '../../doctor/shapes.ts';
import type { Check, Look, Verdict } from '../../doctor/types.ts';
import { fail, ok, skip, warn } from '../../doctor/types.ts';
import { listIn } from '../helpers/place.ts';

/** A claim of the profile that is there. */
const claimIn = (look: Look, { name, namespace }: ClaimNeed) => look.find('PersistentVolumeClaim', name, namespace);

const base = { area: 'PRE', stage: 'preflight' } as const;
const off = (config: Look['config']) =>
  config.storage.enabled ? undefined : 'storage.enabled is false: the stack claims no storage';
const DEFAULT = 'storageclass.kubernetes.io/is-default-class';

function defaults(look: Look): KubeObject[] {
  return look.list('StorageClass').filter((one) => one.metadata.annotations?.[DEFAULT] === 'true');
}

/** The class that the claims of the profile get: the named one, or the newest default, as the API server picks. */
export function classOf(look: Look): KubeObject | undefined {
  const wanted = look.config.storage.storageClass;
  if (wanted) return look.list('StorageClass').find((one) => one.metadata.name === wanted);
  return defaults(look).toSorted((a, b) =>
    (b.metadata.creationTimestamp ?? '').localeCompare(a.metadata.creationTimestamp ?? ''),
  )[0];
}

export function provisionerOf(storageClass: KubeObject): string {
  return (storageClass['provisioner'] as string | undefined) ?? '';
}

/** Classes that keep data in a folder of the node and reserve nothing. */
export function isLocal(storageClass: KubeObject): boolean {
  return /local-path|hostpath|host-path/i.test(provisionerOf(storageClass));
}

function exists(look: Look): Verdict {
  const claims = claimsOf(look.config).map((claim) => claimIn(look, claim));
  // A class is asked for once, when a claim is made.
  if (claims.every((claim) => claim && phaseOf(claim) === 'Bound'))
    return ok(
      `all ${claims.length} claims are bound (class ${names([...new Set(claims.map((claim) => (claim && className(claim)) || 'none'))])})`,
    );
  const all = look.list('StorageClass').map((one) => one.metadata.name);
  const wanted = look.config.storage.storageClass;
  const found = classOf(look);
  const choice = 'genai-obs install --storage-class NAME, or without claims: genai-obs install --no-persistence';
  if (found && wanted) return ok(`class ${wanted} (${provisionerOf(found)}) exists`);
  if (wanted)
    return fail(`there is no storage class ${wanted}; there are: ${names(all, 6) || 'none'}`, {
      object: `StorageClass ${wanted}`,
      cause: 'the profile names a class that the cluster does not have',
      fix: choice,
    });
  if (!found)
    return fail(`no storage class is the default; there are: ${names(all, 6) || 'none'}`, {
      cause: 'claims without a class stay Pending for ever',
      fix: choice,
    });
  const several = defaults(look);
  if (several.length > 1)
    return warn(
      `${several.length} classes are the default (${names(several.map((one) => one.metadata.name))}); the newest wins: ${found.metadata.name}`,
      {
        cause: 'more than one class is marked as default',
        fix: `kubectl annotate storageclass NAME ${DEFAULT}-`,
      },
    );
  return ok(`default class ${found.metadata.name} (${provisionerOf(found)})`);
}

/** Claims of ours that a pod waits for, with the newest reason. Before a pod uses it, Pending is how late binding looks. */
function stuckClaim(look: Look): Verdict | undefined {
  const now = look.fact<{ iso: string }>('time:now').iso;
  for (const want of claimsOf(look.config)) {
    const { name, namespace } = want;
    const claim = claimIn(look, want);
    if (!claim || phaseOf(claim) === 'Bound') continue;
    const user = listIn(look, 'Pod', namespace).find((pod) =>
      (specOf<{ volumes: { persistentVolumeClaim?: { claimName: string } }[] }>(pod).volumes ?? []).some(
        (volume) => volume.persistentVolumeClaim?.claimName === name,
      ),
    );
    const waited = user ? Math.min(ageMs(user, now), ageMs(claim, now)) : 0;
    const object = `PersistentVolumeClaim ${namespace}/${name}`;
    const event = eventsOf(listIn(look, 'Event', namespace), 'PersistentVolumeClaim', name)[0];
    const reason = event && event.reason !== 'WaitForFirstConsumer' ? `: ${event.reason} ${event.message}` : '';
    const lacking =
      className(claim) && !look.list('StorageClass').some((one) => one.metadata.name === className(claim));
    const more = {
      object,
      cause: lacking
        ? `its class ${className(claim)} does not exist`
        : 'the provisioner does not answer, has no room, or cannot serve the node of the pod',
      fix: `${look.kubectlIn(namespace)} describe persistentvolumeclaim ${name}`,
    };
    if (phaseOf(claim) === 'Lost') return fail(`claim ${name} has lost its volume`, more);
    if (lacking) return fail(`claim ${name} is Pending: there is no storage class ${className(claim)}`, more);
    const refused = user && event?.reason === 'ProvisioningFailed';
    if (refused || waited > 180_000)
      return fail(
        `claim ${name} is Pending for ${age(waited)} while pod ${user?.metadata.name} waits for it${reason}`,
        more,
      );
    if (waited > 60_000)
      return warn(
        `claim ${name} is Pending for ${age(waited)} while pod ${user?.metadata.name} waits for it${reason}`,
        more,
      );
  }
  return undefined;
}

function provisions(look: Look): Verdict {
  const stuck = stuckClaim(look);
  if (stuck) return stuck;
  const found = classOf(look);
  if (!found) return skip('there is no class to look at (PRE-12)');
  const { name } = found.metadata;
  if (provisionerOf(found) === 'kubernetes.io/no-provisioner') return prepared(look, name);
  const volumes = look.list('PersistentVolume').filter((one) => className(one) === name && phaseOf(one) === 'Bound');
  const word = provisionerOf(found).split('/').at(-1) ?? '';
  const pods = look
    .listAll('Pod')
    .filter(
      (pod) =>
        pod.metadata.name.includes(word) ||
        containers(pod).some((one) =>
          [...(one.args ?? []), ...(one.command ?? []), one.image ?? ''].join(' ').includes(word),
        ),
    );
  const running = pods.filter((pod) => conditions(pod).some((one) => one.type === 'Ready' && one.status === 'True'));
  const dead = pods[0];
  if (dead && running.length === 0)
    return fail(
      `the provisioner of class ${name} is not ready: pod ${dead.metadata.name} is ${phaseOf(dead) || 'unknown'}`,
      {
        object: `Pod ${dead.metadata.namespace}/${dead.metadata.name}`,
        cause: 'claims are not served while the provisioner is down',
        fix: `kubectl -n ${dead.metadata.namespace} describe pod ${dead.metadata.name}`,
      },
    );
  const live = running[0];
  const seen = [
    live ? `its provisioner runs (pod ${live.metadata.namespace}/${live.metadata.name})` : '',
    volumes.length ? `${count(volumes.length, 'volume')} bound` : '',
  ].filter(Boolean);
  if (seen.length === 0)
    return skip(`class ${name}: neither a provisioner pod nor a bound volume can be seen; installing proves it`);
  return ok(`class ${name}: ${seen.join(', ')}; no test claim was made`);
}

/** Volumes made by hand: each claim needs one that is free and large enough. */
function prepared(look: Look, name: string): Verdict {
  const isBound = (claim: KubeObject | undefined) => claim !== undefined && phaseOf(claim) === 'Bound';
  const open = claimsOf(look.config)
    .filter((claim) => !isBound(claimIn(look, claim)))
    .toSorted((a, b) => b.bytes - a.bytes);
  const free = look
    .list('PersistentVolume')
    .filter((one) => className(one) === name && phaseOf(one) === 'Available')
    .map((one) => quantity(specOf<{ capacity: { storage?: string } }>(one).capacity?.storage))
    .toSorted((a, b) => b - a);
  const missing = open.find((claim, i) => (free[i] ?? 0) < claim.bytes);
  if (!missing)
    return ok(
      `class ${name} is served by hand: ${count(free.length, 'volume')} free for ${count(open.length, 'claim')}`,
    );
  return fail(`class ${name} has no free volume of ${bytes(missing.bytes)} for claim ${missing.name}`, {
    object: `StorageClass ${name}`,
    cause: 'the class has no provisioner: volumes must be made by hand',
    fix: 'create the volumes, or choose another class: genai-obs install --storage-class NAME',
  });
}

function nfs(look: Look): Verdict {
  const found = classOf(look);
  if (!found || !/nfs/i.test(provisionerOf(found))) return skip(`class ${found?.metadata.name ?? '(none)'} is not NFS`);
  const events = look.list('Event') as unknown as { reason?: string; message?: string }[];
  const broken = events.find((event) => event.reason === 'FailedMount');
  if (!broken) return ok(`no mount of class ${found.metadata.name} has failed; nothing was mounted to try`);
  return fail(`a mount failed: ${(broken.message ?? '').replace(/\s+/g, ' ').slice(0, 160)}`, {
    object: `StorageClass ${found.metadata.name}`,
    cause: 'the NFS client is not installed on the node, or export or firewall refuse it',
    fix: 'install nfs-common or nfs-utils on every node; check the export and port 2049',
  });
}

export const storageChecks: Check[] = [
  {
    ...base,
    id: 'PRE-12',
    title: 'The storage class exists',
    about:
      'Claims need a class: the one that the profile names, or the cluster’s default. Failed: neither, unless all claims are bound already. Choose one with --storage-class, or run without claims with --no-persistence.',
    sources: '000-PRE-03, 003-PRE-06, 004-P1-05, 004-PRE-02, 004-PRE-09',
    reads: () => ['k8s:StorageClass', 'k8s:PersistentVolumeClaim'],
    skipIf: off,
    run: exists,
  },
  {
    ...base,
    id: 'PRE-13',
    title: 'The storage class is served',
    about:
      'A claim of ours that a pod waits for and that stays Pending: a warning after 60 s, failed after 180 s, with the provisioner’s own message. Else: the provisioner of the class runs, or volumes of it are bound. The doctor makes no test claim, because it changes nothing.',
    sources: '000-PRE-03, 003-PRE-06',
    reads: () => [
      'k8s:StorageClass',
      'k8s:PersistentVolume',
      'k8s:PersistentVolumeClaim',
      'k8s:Pod',
      'k8s:Pod@all',
      'k8s:Event',
      'time:now',
    ],
    dependsOn: ['PRE-12'],
    skipIf: off,
    run: provisions,
  },
  {
    ...base,
    id: 'PRE-14',
    title: 'NFS mounts work',
    about:
      'Only when the class of the claims is NFS: no event of the namespace tells of a failed mount. Nothing is mounted to try.',
    sources: '004-PRE-02',
    reads: () => ['k8s:StorageClass', 'k8s:Event'],
    dependsOn: ['PRE-12'],
    skipIf: off,
    run: nfs,
  },
];
