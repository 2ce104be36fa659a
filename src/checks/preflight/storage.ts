import { textAt } from '../../core/json.ts';
import { checksOf, type Verdict, type Check, ok, warn, fail, skip } from '../lib/check.ts';
import { fact, type Facts } from '../lib/facts.ts';
import {
  imagesOf,
  eventOf,
  condition,
  commandLines,
  claimNamesOf,
  ageOf,
  objectsIn,
  phaseOf,
  storageClassOf,
} from '../lib/objects.ts';
import { plural, list } from '../../core/text.ts';
import { formatDuration, formatBytes, quantity } from '../../core/quantity.ts';
import type { KubeObject } from '../../core/types.ts';
import { claimsOf, type ClaimNeed } from '../lib/budget.ts';

/** A claim of the profile that is there. */
const claimIn = (facts: Facts, { name, namespace }: ClaimNeed) => facts.find('PersistentVolumeClaim', name, namespace);

const pre = checksOf('PRE', 'preflight');
const off = (config: Facts['config']) =>
  config.storage.enabled ? undefined : 'storage.enabled is false: the stack claims no storage';
const DEFAULT = 'storageclass.kubernetes.io/is-default-class';

function defaults(facts: Facts): KubeObject[] {
  return facts.objects('StorageClass').filter((one) => one.metadata.annotations?.[DEFAULT] === 'true');
}

/** StorageClass of the claims: the named one, or the newest default, as the API server chooses. */
export function classOf(facts: Facts): KubeObject | undefined {
  const wanted = facts.config.storage.storageClass;
  if (wanted) return facts.objects('StorageClass').find((one) => one.metadata.name === wanted);
  return defaults(facts).toSorted((a, b) =>
    (b.metadata.creationTimestamp ?? '').localeCompare(a.metadata.creationTimestamp ?? ''),
  )[0];
}

export function provisionerOf(storageClass: KubeObject): string {
  return (storageClass['provisioner'] as string | undefined) ?? '';
}

/** Classes that keep data in a directory of the node and reserve nothing. */
export function isLocal(storageClass: KubeObject): boolean {
  return /local-path|hostpath|host-path/i.test(provisionerOf(storageClass));
}

function exists(facts: Facts): Verdict {
  const claims = claimsOf(facts.config).map((claim) => claimIn(facts, claim));
  // A class matters only when a claim is created.
  if (claims.every((claim) => claim && phaseOf(claim) === 'Bound'))
    return ok(
      `all ${claims.length} claims are bound (class ` +
        `${list([...new Set(claims.map((claim) => (claim && storageClassOf(claim)) || 'none'))])})`,
    );
  const all = facts.objects('StorageClass').map((one) => one.metadata.name);
  const wanted = facts.config.storage.storageClass;
  const found = classOf(facts);
  const choice = 'genai-obs install --storage-class NAME, or without claims: genai-obs install --no-persistence';
  if (found && wanted) return ok(`class ${wanted} (${provisionerOf(found)}) exists`);
  if (wanted)
    return fail(`there is no StorageClass ${wanted}; existing classes: ${list(all, 6) || 'none'}`, {
      object: `StorageClass ${wanted}`,
      cause: 'the profile names a class that the cluster does not have',
      fix: choice,
    });
  if (!found)
    return fail(`no StorageClass is the default; existing classes: ${list(all, 6) || 'none'}`, {
      cause: 'claims without a class stay Pending permanently',
      fix: choice,
    });
  const several = defaults(facts);
  if (several.length > 1)
    return warn(
      `${several.length} classes are the default (${list(several.map((one) => one.metadata.name))}); ` +
        `the newest wins: ${found.metadata.name}`,
      {
        cause: 'more than one class is marked as default',
        fix: `kubectl annotate storageclass NAME ${DEFAULT}-`,
      },
    );
  return ok(`default class ${found.metadata.name} (${provisionerOf(found)})`);
}

/** The first claim that a pod waits for. Without a pod, Pending is normal with late binding. */
function stuckClaim(facts: Facts): Verdict | undefined {
  for (const want of claimsOf(facts.config)) {
    const claim = claimIn(facts, want);
    const verdict = claim && phaseOf(claim) !== 'Bound' ? unbound(facts, want, claim) : undefined;
    if (verdict) return verdict;
  }
  return undefined;
}

function unbound(facts: Facts, { name, namespace }: ClaimNeed, claim: KubeObject): Verdict | undefined {
  const user = objectsIn(facts, 'Pod', namespace).find((pod) => claimNamesOf(pod).includes(name));
  const waited = user ? Math.min(ageOf(facts, user), ageOf(facts, claim)) : 0;
  const event = eventOf(objectsIn(facts, 'Event', namespace), 'PersistentVolumeClaim', name);
  const wanted = storageClassOf(claim);
  const lacking = wanted && !facts.objects('StorageClass').some((one) => one.metadata.name === wanted);
  const more = {
    object: `PersistentVolumeClaim ${namespace}/${name}`,
    cause: lacking
      ? `its class ${wanted} does not exist`
      : 'the provisioner does not answer, has no room, or cannot serve the node of the pod',
    fix: `${facts.kubectlIn(namespace)} describe persistentvolumeclaim ${name}`,
  };
  if (phaseOf(claim) === 'Lost') return fail(`claim ${name} has lost its volume`, more);
  if (lacking) return fail(`claim ${name} is Pending: there is no StorageClass ${wanted}`, more);
  const reason = event && event.reason !== 'WaitForFirstConsumer' ? `: ${event.reason} ${event.message}` : '';
  const evidence =
    `claim ${name} is Pending for ${formatDuration(waited)} while pod ${user?.metadata.name} waits for it` + reason;
  if (waited > 180 || (user && event?.reason === 'ProvisioningFailed')) return fail(evidence, more);
  return waited > 60 ? warn(evidence, more) : undefined;
}

function provisions(facts: Facts): Verdict {
  const stuck = stuckClaim(facts);
  if (stuck) return stuck;
  const found = classOf(facts);
  if (!found) return skip('there is no StorageClass to check (PRE-12)');
  const { name } = found.metadata;
  if (provisionerOf(found) === 'kubernetes.io/no-provisioner') return prepared(facts, name);
  const volumes = facts
    .objects('PersistentVolume')
    .filter((one) => storageClassOf(one) === name && phaseOf(one) === 'Bound');
  const word = provisionerOf(found).split('/').at(-1) ?? '';
  const pods = facts
    .pods('all')
    .filter((pod) =>
      [pod.metadata.name, ...imagesOf(pod), ...commandLines(pod).flat()].some((one) => one.includes(word)),
    );
  const running = pods.filter((pod) => condition(pod, 'Ready')?.['status'] === 'True');
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
    volumes.length ? `${plural(volumes.length, 'volume')} bound` : '',
  ].filter(Boolean);
  if (seen.length === 0)
    return skip(`class ${name}: neither a provisioner pod nor a bound volume is visible; install tests it`);
  return ok(`class ${name}: ${seen.join(', ')}; no test claim was created`);
}

/** Manual provisioning: each claim needs a free volume that is large enough. */
function prepared(facts: Facts, name: string): Verdict {
  const isBound = (claim: KubeObject | undefined) => claim !== undefined && phaseOf(claim) === 'Bound';
  const open = claimsOf(facts.config)
    .filter((claim) => !isBound(claimIn(facts, claim)))
    .toSorted((a, b) => b.bytes - a.bytes);
  const free = facts
    .objects('PersistentVolume')
    .filter((one) => storageClassOf(one) === name && phaseOf(one) === 'Available')
    .map((one) => quantity(textAt(one, 'spec', 'capacity', 'storage')))
    .toSorted((a, b) => b - a);
  const missing = open.find((claim, i) => (free[i] ?? 0) < claim.bytes);
  if (!missing)
    return ok(
      `class ${name} is provisioned manually: ${plural(free.length, 'volume')} free for ` +
        plural(open.length, 'claim'),
    );
  return fail(`class ${name} has no free volume of ${formatBytes(missing.bytes)} for claim ${missing.name}`, {
    object: `StorageClass ${name}`,
    cause: 'the class has no provisioner: volumes must be created manually',
    fix: 'create the volumes, or choose another class: genai-obs install --storage-class NAME',
  });
}

function nfs(facts: Facts): Verdict {
  const found = classOf(facts);
  if (!found || !/nfs/i.test(provisionerOf(found))) return skip(`class ${found?.metadata.name ?? '(none)'} is not NFS`);
  const events = facts.objects('Event') as unknown as { reason?: string; message?: string }[];
  const broken = events.find((event) => event.reason === 'FailedMount');
  if (!broken) return ok(`no mount of class ${found.metadata.name} has failed; nothing was mounted to test it`);
  return fail(`a mount failed: ${(broken.message ?? '').replace(/\s+/g, ' ').slice(0, 160)}`, {
    object: `StorageClass ${found.metadata.name}`,
    cause: 'the NFS client is not installed on the node, or export or firewall refuse it',
    fix: 'install nfs-common or nfs-utils on every node; check the export and port 2049',
  });
}

export const storageChecks: Check[] = [
  pre('12', 'The StorageClass exists', {
    about:
      "Checks the StorageClass of the claims: the one in the profile, or the cluster's default. Failed: " +
      'there is none, unless all claims are bound already. Warning: several defaults. Choose one with ' +
      '--storage-class, or install without claims with --no-persistence.',
    sources: '000-PRE-03, 003-PRE-06, 004-P1-05, 004-PRE-02, 004-PRE-09',
    reads: [fact.objects('StorageClass'), fact.objects('PersistentVolumeClaim')],
    skipIf: off,
    run: exists,
  }),
  pre('13', 'The StorageClass provisions volumes', {
    about:
      'Looks for a claim of the stack that stays Pending while a pod waits for it, with the message of ' +
      'the provisioner. Warning: more than 60 s. Failed: more than 180 s, a refusal, or no ready ' +
      'provisioner. Otherwise a running provisioner or bound volumes of the class are ok. The doctor ' +
      'creates no test claim, because it changes nothing.',
    sources: '000-PRE-03, 003-PRE-06',
    reads: [
      fact.objects('StorageClass'),
      fact.objects('PersistentVolume'),
      fact.objects('PersistentVolumeClaim'),
      fact.pods(),
      fact.pods('all'),
      fact.objects('Event'),
      fact.time(),
    ],
    dependsOn: ['PRE-12'],
    skipIf: off,
    run: provisions,
  }),
  pre('14', 'NFS mounts work', {
    about:
      'Only when the StorageClass of the claims is NFS. Failed: an event reports a failed mount. Nothing ' +
      'is mounted to test it. Install the NFS client on every node and check the export.',
    sources: '004-PRE-02',
    reads: [fact.objects('StorageClass'), fact.objects('Event')],
    dependsOn: ['PRE-12'],
    skipIf: off,
    run: nfs,
  }),
];
