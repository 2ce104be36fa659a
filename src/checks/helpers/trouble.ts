import { imageOf, type PlacedId } from '../../parts/catalog.ts';
import type { KubeObject } from '../../core/types.ts';
import type { FactKey, Look } from '../../doctor/types.ts';
import { oneLine, tryLook } from './define.ts';
import { rec, str } from './json.ts';
import { now } from './time.ts';
import { listIn, resourceOf } from './place.ts';
import { claimsOf, condition, type ContainerState, containersOf, eventOf } from './pods.ts';

/** Why a pod is not ready: what is seen, the cause, the way out. */
export interface Trouble {
  evidence: string;
  cause: string;
  fix: string;
  object: string;
}

export const TROUBLE_READS: FactKey[] = [
  'time:now',
  'k8s:Pod',
  'k8s:Event',
  'k8s:PersistentVolumeClaim',
  'k8s:StorageClass',
];

const PULL =
  /^(ErrImagePull|ImagePullBackOff|InvalidImageName|ErrImageNeverPull|ImageInspectError|RegistryUnavailable)$/;
const CONFIG = /^(CreateContainerConfigError|CreateContainerError|RunContainerError|StartError|PreCreateHookError)$/;

/** Undefined when nothing is wrong that shows: the pod is starting, or its readiness probe fails. */
export function podTrouble(look: Look, id: PlacedId, pod: KubeObject): Trouble | undefined {
  const object = `Pod ${look.place(id).namespace}/${pod.metadata.name}`;
  const found = pod.metadata.deletionTimestamp
    ? undefined
    : (unscheduled(look, id, pod) ?? container(look, id, pod) ?? mount(look, id, pod));
  return found && { ...found, object };
}

type Found = Omit<Trouble, 'object'>;

function unscheduled(look: Look, id: PlacedId, pod: KubeObject): Found | undefined {
  const scheduled = condition(pod, 'PodScheduled');
  const claim = claimsOf(pod)
    .map((name) => claimTrouble(look, id, pod, name))
    .find((one) => one !== undefined);
  if (claim) return claim;
  if (scheduled?.['status'] !== 'False') return undefined;
  const message = oneLine(str(scheduled, 'message') ?? 'no node fits');
  const short = /Insufficient (\S+?)[.,]?(\s|$)/.exec(message)?.[1];
  return {
    evidence: `pod ${pod.metadata.name} is Pending, no node takes it: ${message}`,
    cause: short ? `no node has enough ${short} left for the pod's request` : 'no node satisfies what the pod asks for',
    fix: short
      ? `${look.kubectlFor(id)} describe pod ${pod.metadata.name}   # then free ${short}, or add a node`
      : `${look.kubectlFor(id)} describe pod ${pod.metadata.name}   # taints, selectors and affinities are in its events`,
  };
}

/** A claim that the pod waits for. One that waits for its first consumer is bound when the pod is scheduled. */
function claimTrouble(look: Look, id: PlacedId, pod: KubeObject, name: string): Found | undefined {
  if (str(pod, 'status', 'phase') !== 'Pending') return undefined;
  const claim = look.find('PersistentVolumeClaim', name, look.place(id).namespace);
  if (!claim) {
    return {
      evidence: `pod ${pod.metadata.name} is Pending: the claim ${name} does not exist`,
      cause: `the claim ${name} was deleted or never made`,
      fix: 'genai-obs install   # makes the claim again, empty; data comes from a backup',
    };
  }
  const phase = str(claim, 'status', 'phase') ?? 'Pending';
  if (phase === 'Bound') return undefined;
  const wanted = str(claim, 'spec', 'storageClassName') ?? '';
  const size = str(claim, 'spec', 'resources', 'requests', 'storage') ?? '?';
  const classes = look.list('StorageClass');
  const names = classes.map((one) => one.metadata.name);
  const head = `pod ${pod.metadata.name} is Pending: claim ${name} (class ${wanted || 'none'}, ${size}) is ${phase}, not bound`;
  const choice = names.join(', ') || 'none';
  if (!wanted || !names.includes(wanted)) {
    return {
      evidence: `${head}; StorageClasses of the cluster: ${choice}`,
      cause: wanted
        ? `StorageClass ${wanted} does not exist`
        : 'the claim names no StorageClass and the cluster had no default one when it was made',
      fix: `${look.kubectlFor(id)} delete pvc ${name} && genai-obs install   # with storage.storageClass set to one that exists (${choice}); an unbound claim holds no data`,
    };
  }
  const event = eventOf(
    listIn(look, 'Event', look.place(id).namespace),
    'PersistentVolumeClaim',
    name,
    /Provisioning|FailedBinding/,
  );
  const first = classes.find((one) => one.metadata.name === wanted)?.['volumeBindingMode'] === 'WaitForFirstConsumer';
  // It waits for the pod, and the pod for something else: the scheduler's message says for what.
  if (first && !/Fail/.test(event?.reason ?? '') && condition(pod, 'PodScheduled')?.['status'] === 'False')
    return undefined;
  return {
    evidence: `${head}${event ? `: ${oneLine(event.message)}` : ''}`,
    cause: `the provisioner of StorageClass ${wanted} has not made a volume`,
    fix: `${look.kubectlFor(id)} describe pvc ${name}   # then look at the pods of the provisioner of ${wanted}`,
  };
}

function container(look: Look, id: PlacedId, pod: KubeObject): Found | undefined {
  for (const state of containersOf(pod)) {
    const found = pull(look, id, pod, state) ?? config(look, id, pod, state) ?? crash(look, id, pod, state);
    if (found) return found;
  }
  return undefined;
}

function pull(look: Look, id: PlacedId, pod: KubeObject, { image, waiting, name }: ContainerState): Found | undefined {
  if (!PULL.test(waiting.reason)) return undefined;
  const event = tryLook(
    () => eventOf(listIn(look, 'Event', look.place(id).namespace), 'Pod', pod.metadata.name, /^Failed$/),
    undefined,
  );
  const detail = oneLine(
    (/ImagePullBackOff/.test(waiting.reason) ? event?.message : waiting.message) || waiting.message,
    200,
  );
  const { image: upstream, chart } = look.place(id);
  const planned = imageOf(upstream, look.config.global.imageRegistry);
  // Charts of others add containers with images of their own.
  const asPlanned = image === planned || (chart !== 'genai-obs' && repositoryOf(image) !== repositoryOf(planned));
  return {
    evidence: `image ${image} of pod ${pod.metadata.name} (container ${name}) cannot be pulled: ${waiting.reason}${detail ? `, ${detail}` : ''}`,
    cause: asPlanned
      ? `the node cannot fetch ${image}: registry unreachable, tag absent or no credentials`
      : `the workload asks for ${image}; the plan says ${planned}`,
    fix: asPlanned
      ? `make ${image} reachable from the nodes, or set global.imageRegistry to a mirror that has it, then: genai-obs install`
      : 'genai-obs install   # puts the planned image back',
  };
}

/** Without tag and digest. */
function repositoryOf(image: string): string {
  return image.replace(/@.*$/, '').replace(/:[^:/]*$/, '');
}

function config(look: Look, id: PlacedId, pod: KubeObject, { waiting, name }: ContainerState): Found | undefined {
  if (!CONFIG.test(waiting.reason)) return undefined;
  return {
    evidence: `container ${name} of pod ${pod.metadata.name} cannot be made: ${waiting.reason}, ${oneLine(waiting.message)}`,
    cause: 'a Secret, ConfigMap or key that the container needs is missing, or its command cannot run',
    fix: `genai-obs install   # makes it again; details: ${look.kubectlFor(id)} describe pod ${pod.metadata.name}`,
  };
}

function crash(look: Look, id: PlacedId, pod: KubeObject, state: ContainerState): Found | undefined {
  const { name, ended, waiting, restarts, memoryLimit, ready } = state;
  // An end of long ago does not explain why it is not ready today.
  if (ready || !(waiting.reason === 'CrashLoopBackOff' || (ended.reason && now(look) - ended.at < 900_000)))
    return undefined;
  const times = `${restarts} restart${restarts === 1 ? '' : 's'}`;
  if (ended.reason === 'OOMKilled' || (ended.exitCode === 137 && /oom/i.test(ended.message)))
    return oomKilled(look, id, pod.metadata.name, name, memoryLimit, times);
  if (ended.reason === 'Completed' && waiting.reason !== 'CrashLoopBackOff') return undefined;
  const last = ended.message.trim() || lastError(look, id, pod.metadata.name);
  return {
    evidence: `container ${name} of pod ${pod.metadata.name} crashes${waiting.reason === 'CrashLoopBackOff' ? ' (CrashLoopBackOff)' : ''}, exit code ${ended.exitCode ?? '?'}, ${times}${last ? `: ${oneLine(last, 320)}` : ''}`,
    cause: last
      ? `the program ends by itself and says: ${oneLine(last, 200)}`
      : 'the program ends by itself without a word',
    fix: `${look.kubectlFor(id)} logs ${pod.metadata.name} -c ${name} --previous   # what was changed by hand is put back by: genai-obs install`,
  };
}

export function oomKilled(
  look: Look,
  id: PlacedId,
  pod: string,
  name: string,
  limit: string | undefined,
  times: string,
): Found {
  return {
    evidence: `container ${name} of pod ${pod} was OOMKilled at its memory limit ${limit ?? '(none)'}, ${times}`,
    cause: limit ? `the container needs more than its memory limit of ${limit}` : 'the node ran out of memory',
    fix: `genai-obs install   # if the limit was lowered by hand; else raise it: ${look.kubectlFor(id)} set resources ${resourceOf(look, id)} -c ${name} --limits=memory=${doubled(limit)}`,
  };
}

/** 192Mi → 384Mi. */
function doubled(quantity: string | undefined): string {
  const parts = /^(\d+)([A-Za-z]*)$/.exec(quantity ?? '');
  return parts ? `${Number(parts[1]) * 2}${parts[2]}` : '512Mi';
}

function mount(look: Look, id: PlacedId, pod: KubeObject): Found | undefined {
  if (str(pod, 'status', 'phase') !== 'Pending') return undefined;
  const event = tryLook(
    () =>
      eventOf(
        listIn(look, 'Event', look.place(id).namespace),
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
      ? `genai-obs install   # makes ${missing[2]} again`
      : `${look.kubectlFor(id)} describe pod ${pod.metadata.name}`,
  };
}

/** The line with which a program explained its end; of a crashed container the log of its last life. */
export function lastError(look: Look, id: PlacedId, pod: string): string {
  const logs = tryLook(() => look.fact<Record<string, string[]>>(`logs:${id}`), {});
  const lines = Object.entries(rec(logs)).flatMap(([from, text]) =>
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
