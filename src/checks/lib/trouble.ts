import { type FactRef, fact, type Facts, ifAvailable } from './facts.ts';
import { claimNamesOf, condition, eventOf, type ContainerState, containersOf, objectsIn } from './objects.ts';
import { mapAt, textAt } from '../../core/json.ts';
import { oneLine } from '../../core/text.ts';
import { imageOf, type PlacedId } from '../../parts/catalog.ts';
import type { KubeObject } from '../../core/types.ts';
import { resourceOf } from './place.ts';

/** Why a pod is not ready. */
export interface Trouble {
  evidence: string;
  cause: string;
  fix: string;
  object: string;
}

export const TROUBLE_READS: FactRef[] = [
  fact.time(),
  fact.pods(),
  fact.objects('Event'),
  fact.objects('PersistentVolumeClaim'),
  fact.objects('StorageClass'),
];

const PULL =
  /^(ErrImagePull|ImagePullBackOff|InvalidImageName|ErrImageNeverPull|ImageInspectError|RegistryUnavailable)$/;
const CONFIG = /^(CreateContainerConfigError|CreateContainerError|RunContainerError|StartError|PreCreateHookError)$/;

/** Undefined without a visible problem: the pod is starting, or its readiness probe fails. */
export function podTrouble(facts: Facts, id: PlacedId, pod: KubeObject): Trouble | undefined {
  const object = `Pod ${facts.place(id).namespace}/${pod.metadata.name}`;
  const found = pod.metadata.deletionTimestamp
    ? undefined
    : (unscheduled(facts, id, pod) ?? container(facts, id, pod) ?? mount(facts, id, pod));
  return found && { ...found, object };
}

type Found = Omit<Trouble, 'object'>;

function unscheduled(facts: Facts, id: PlacedId, pod: KubeObject): Found | undefined {
  const scheduled = condition(pod, 'PodScheduled');
  const claim = claimNamesOf(pod)
    .map((name) => claimTrouble(facts, id, pod, name))
    .find((one) => one !== undefined);
  if (claim) return claim;
  if (scheduled?.['status'] !== 'False') return undefined;
  const message = oneLine(textAt(scheduled, 'message') ?? 'no node fits');
  const short = /Insufficient (\S+?)[.,]?(\s|$)/.exec(message)?.[1];
  return {
    evidence: `pod ${pod.metadata.name} is Pending, no node fits: ${message}`,
    cause: short
      ? `no node has enough ${short} left for the pod's request`
      : 'no node meets the requirements of the pod',
    fix: short
      ? `${facts.kubectlFor(id)} describe pod ${pod.metadata.name}   # then free ${short}, or add a node`
      : `${facts.kubectlFor(id)} describe pod ${pod.metadata.name}   # taints, selectors and affinities ` +
        'are in its events',
  };
}

/** A claim that the pod waits for; one with late binding is bound when the pod is scheduled. */
function claimTrouble(facts: Facts, id: PlacedId, pod: KubeObject, name: string): Found | undefined {
  if (textAt(pod, 'status', 'phase') !== 'Pending') return undefined;
  const claim = facts.find('PersistentVolumeClaim', name, facts.place(id).namespace);
  if (!claim) {
    return {
      evidence: `pod ${pod.metadata.name} is Pending: the claim ${name} does not exist`,
      cause: `the claim ${name} was deleted or never created`,
      fix: 'genai-obs install   # recreates the claim, empty; restore data from a backup',
    };
  }
  const phase = textAt(claim, 'status', 'phase') ?? 'Pending';
  if (phase === 'Bound') return undefined;
  const wanted = textAt(claim, 'spec', 'storageClassName') ?? '';
  const size = textAt(claim, 'spec', 'resources', 'requests', 'storage') ?? '?';
  const classes = facts.objects('StorageClass');
  const names = classes.map((one) => one.metadata.name);
  const head =
    `pod ${pod.metadata.name} is Pending: claim ${name} (class ${wanted || 'none'}, ${size}) is ` +
    `${phase}, not bound`;
  const choice = names.join(', ') || 'none';
  if (!wanted || !names.includes(wanted)) {
    return {
      evidence: `${head}; StorageClasses of the cluster: ${choice}`,
      cause: wanted
        ? `StorageClass ${wanted} does not exist`
        : 'the claim names no StorageClass and the cluster had no default one when it was created',
      fix:
        `${facts.kubectlFor(id)} delete pvc ${name} && genai-obs install   # with storage.storageClass ` +
        `set to one that exists (${choice}); an unbound claim holds no data`,
    };
  }
  const event = eventOf(
    objectsIn(facts, 'Event', facts.place(id).namespace),
    'PersistentVolumeClaim',
    name,
    /Provisioning|FailedBinding/,
  );
  const first = classes.find((one) => one.metadata.name === wanted)?.['volumeBindingMode'] === 'WaitForFirstConsumer';
  // The claim waits for the pod, and the scheduler's message says what the pod waits for.
  if (first && !/Fail/.test(event?.reason ?? '') && condition(pod, 'PodScheduled')?.['status'] === 'False')
    return undefined;
  return {
    evidence: `${head}${event ? `: ${oneLine(event.message)}` : ''}`,
    cause: `the provisioner of StorageClass ${wanted} has not created a volume`,
    fix: `${facts.kubectlFor(id)} describe pvc ${name}   # then check the pods of the provisioner of ${wanted}`,
  };
}

function container(facts: Facts, id: PlacedId, pod: KubeObject): Found | undefined {
  for (const state of containersOf(pod)) {
    const found = pull(facts, id, pod, state) ?? config(facts, id, pod, state) ?? crash(facts, id, pod, state);
    if (found) return found;
  }
  return undefined;
}

function pull(
  facts: Facts,
  id: PlacedId,
  pod: KubeObject,
  { image, waiting, name }: ContainerState,
): Found | undefined {
  if (!PULL.test(waiting.reason)) return undefined;
  const event = ifAvailable(
    () => eventOf(objectsIn(facts, 'Event', facts.place(id).namespace), 'Pod', pod.metadata.name, /^Failed$/),
    undefined,
  );
  const detail = oneLine(
    (/ImagePullBackOff/.test(waiting.reason) ? event?.message : waiting.message) || waiting.message,
    200,
  );
  const { image: upstream, chart } = facts.place(id);
  const planned = imageOf(upstream, facts.config.global.imageRegistry);
  // Upstream charts add containers with images of their own.
  const asPlanned = image === planned || (chart !== 'genai-obs' && repositoryOf(image) !== repositoryOf(planned));
  return {
    evidence:
      `image ${image} of pod ${pod.metadata.name} (container ${name}) cannot be pulled: ` +
      `${waiting.reason}${detail ? `, ${detail}` : ''}`,
    cause: asPlanned
      ? `the node cannot pull ${image}: registry unreachable, tag absent or no credentials`
      : `the workload uses ${image} instead of the planned ${planned}`,
    fix: asPlanned
      ? `make ${image} reachable from the nodes, or set global.imageRegistry to a mirror that has it, ` +
        'then: genai-obs install'
      : 'genai-obs install   # restores the planned image',
  };
}

/** Without tag and digest. */
function repositoryOf(image: string): string {
  return image.replace(/@.*$/, '').replace(/:[^:/]*$/, '');
}

function config(facts: Facts, id: PlacedId, pod: KubeObject, { waiting, name }: ContainerState): Found | undefined {
  if (!CONFIG.test(waiting.reason)) return undefined;
  return {
    evidence:
      `container ${name} of pod ${pod.metadata.name} cannot be created: ${waiting.reason}, ` + oneLine(waiting.message),
    cause: 'a Secret, ConfigMap or key that the container needs is missing, or its command cannot run',
    fix: `genai-obs install   # restores it; details: ${facts.kubectlFor(id)} describe pod ${pod.metadata.name}`,
  };
}

function crash(facts: Facts, id: PlacedId, pod: KubeObject, state: ContainerState): Found | undefined {
  const { name, ended, waiting, restarts, memoryLimit, ready } = state;
  // An exit of long ago does not explain why the container is not ready now.
  if (ready || !(waiting.reason === 'CrashLoopBackOff' || (ended.reason && facts.now() - ended.at < 900_000)))
    return undefined;
  const times = `${restarts} restart${restarts === 1 ? '' : 's'}`;
  if (ended.reason === 'OOMKilled' || (ended.exitCode === 137 && /oom/i.test(ended.message)))
    return oomKilled(facts, id, pod.metadata.name, name, memoryLimit, times);
  if (ended.reason === 'Completed' && waiting.reason !== 'CrashLoopBackOff') return undefined;
  const last = ended.message.trim() || lastError(facts, id, pod.metadata.name);
  return {
    evidence:
      `container ${name} of pod ${pod.metadata.name} ` +
      `crashes${waiting.reason === 'CrashLoopBackOff' ? ' (CrashLoopBackOff)' : ''}, exit code ` +
      `${ended.exitCode ?? '?'}, ${times}${last ? `: ${oneLine(last, 320)}` : ''}`,
    cause: last ? `the program exits; its last message: ${oneLine(last, 200)}` : 'the program exits without a message',
    fix:
      `${facts.kubectlFor(id)} logs ${pod.metadata.name} -c ${name} --previous   # to restore manual ` +
      'changes: genai-obs install',
  };
}

export function oomKilled(
  facts: Facts,
  id: PlacedId,
  pod: string,
  name: string,
  limit: string | undefined,
  times: string,
): Found {
  return {
    evidence: `container ${name} of pod ${pod} was OOMKilled at its memory limit ${limit ?? '(none)'}, ${times}`,
    cause: limit ? `the container needs more than its memory limit of ${limit}` : 'the node ran out of memory',
    fix:
      'genai-obs install   # if the limit was lowered manually; otherwise raise it: ' +
      `${facts.kubectlFor(id)} set resources ${resourceOf(facts, id)} -c ${name} ` +
      `--limits=memory=${doubled(limit)}`,
  };
}

/** 192Mi → 384Mi. */
function doubled(quantity: string | undefined): string {
  const parts = /^(\d+)([A-Za-z]*)$/.exec(quantity ?? '');
  return parts ? `${Number(parts[1]) * 2}${parts[2]}` : '512Mi';
}

function mount(facts: Facts, id: PlacedId, pod: KubeObject): Found | undefined {
  if (textAt(pod, 'status', 'phase') !== 'Pending') return undefined;
  const event = ifAvailable(
    () =>
      eventOf(
        objectsIn(facts, 'Event', facts.place(id).namespace),
        'Pod',
        pod.metadata.name,
        /^(FailedMount|FailedAttachVolume|FailedCreatePodSandBox)$/,
      ),
    undefined,
  );
  if (!event) return undefined;
  const missing = /(configmap|secret) "([^"]+)" not found/i.exec(event.message);
  return {
    evidence: `pod ${pod.metadata.name} cannot start: ${event.reason}, ${oneLine(event.message)}`,
    cause: missing
      ? `the ${missing[1]} ${missing[2]} does not exist`
      : 'a volume or the network of the pod cannot be set up',
    fix: missing
      ? `genai-obs install   # recreates ${missing[2]}`
      : `${facts.kubectlFor(id)} describe pod ${pod.metadata.name}`,
  };
}

/** The last error line of a pod's log, or its last line. */
export function lastError(facts: Facts, id: PlacedId, pod: string): string {
  const logs = ifAvailable(() => facts.logs(id), {});
  const lines = Object.entries(mapAt(logs)).flatMap(([from, text]) =>
    from.startsWith(`${pod}/`) ? (text as string[]) : [],
  );
  const told =
    lines
      .filter((line) =>
        /level=(error|fatal|critical)|\b(error|fatal|panic)\b|"level":"(error|fatal)"|cannot|failed to/i.test(line),
      )
      .at(-1) ??
    lines.at(-1) ??
    '';
  return essence(told);
}

/** Message and error of a logfmt line; other lines as they are, without their time. */
export function essence(line: string): string {
  const field = (name: string) =>
    new RegExp(`\\b${name}=("(?:\\\\.|[^"\\\\])*"|\\S+)`)
      .exec(line)?.[1]
      ?.replace(/^"|"$/g, '')
      .replace(/\\n/g, ' ')
      .replace(/\\"/g, '"');
  const [message, error] = [field('msg'), field('err') ?? field('error')];
  if (message || error) return [message, error].filter(Boolean).join(': ');
  return line.replace(/^\S*\d{4}-\d\d-\d\d[T ]\S+\s*/, '');
}
