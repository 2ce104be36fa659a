import type { PlacedId } from '../../parts/catalog.ts';
import type { KubeObject } from '../../core/types.ts';
import { fail, type Look, ok, type Verdict, warn } from '../../doctor/types.ts';
import { oneLine, plural, type Read, tryLook } from './define.ts';
import { at, num, str } from './json.ts';
import { listIn, resourceOf, workloadObject } from './place.ts';
import { condition, containersOf, eventOf, isReady, podsOf, workloadKey, workloadOf } from './pods.ts';
import { ago, now, startOf, STARTUP_S } from './time.ts';
import { lastError, oomKilled, podTrouble, type Trouble, TROUBLE_READS } from './trouble.ts';

export function workloadReads(id: PlacedId): Read[] {
  return [workloadKey(id), ...TROUBLE_READS, `logs:${id}`];
}

/** How many of the wanted pods are ready and, if not all are, the concrete reason. `enough`: with so many it is a warning only. */
export function workloadVerdict(
  look: Look,
  id: PlacedId,
  enough: (ready: number, wanted: number) => boolean = () => false,
): Verdict {
  const {
    title,
    namespace,
    workload: { kind, name },
  } = look.place(id);
  const object = workloadObject(look, id);
  const workload = workloadOf(look, id);
  if (!workload) {
    return fail(`${kind} ${name} does not exist in namespace ${namespace}`, {
      cause: `${title} is not installed, or it was deleted`,
      fix: 'genai-obs install',
      object,
    });
  }
  const wanted =
    kind === 'DaemonSet'
      ? (num(workload, 'status', 'desiredNumberScheduled') ?? 0)
      : (num(workload, 'spec', 'replicas') ?? 1);
  const pods = podsOf(look, id);
  const ready = pods.filter(isReady).length;
  if (wanted === 0) return nothingWanted(look, id, object);
  const trouble = pods
    .filter((pod) => !isReady(pod))
    .map((pod) => podTrouble(look, id, pod))
    .find((one) => one !== undefined);
  if (ready >= wanted) {
    // The old pods hold out while the new ones cannot start.
    if (trouble)
      return warn(`${ready} of ${wanted} ready, but an update is stuck: ${trouble.evidence}`, {
        cause: trouble.cause,
        fix: trouble.fix,
        object: trouble.object,
      });
    return killedLately(look, id, pods) ?? ok(`${ready} of ${plural(wanted, 'pod')} ready`);
  }
  const why =
    trouble ??
    refused(look, id, workload, pods.length) ??
    unready(
      look,
      id,
      pods.find((pod) => !isReady(pod)),
    );
  const evidence = `${ready} of ${wanted} ready: ${why.evidence}`;
  const more = { cause: why.cause, fix: why.fix, object: why.object || object };
  return ready > 0 && enough(ready, wanted) ? warn(evidence, more) : fail(evidence, more);
}

/** Ready again, until the next time. */
function killedLately(look: Look, id: PlacedId, pods: KubeObject[]): Verdict | undefined {
  for (const pod of pods) {
    for (const { name, ended, memoryLimit, restarts } of containersOf(pod)) {
      const age = (now(look) - ended.at) / 1000;
      if (ended.reason !== 'OOMKilled' || age > 3600) continue;
      const { evidence, cause, fix } = oomKilled(
        look,
        id,
        pod.metadata.name,
        name,
        memoryLimit,
        `${plural(restarts, 'restart')}, last ${ago(age)} ago`,
      );
      return warn(`ready again, but ${evidence}`, {
        cause,
        fix,
        object: `Pod ${look.place(id).namespace}/${pod.metadata.name}`,
      });
    }
  }
  return undefined;
}

function nothingWanted(look: Look, id: PlacedId, object: string): Verdict {
  if (look.place(id).workload.kind === 'DaemonSet') {
    return fail('no node is wanted', {
      cause: "no node matches the DaemonSet's selector and tolerations",
      fix: `${look.kubectlFor(id)} describe ${resourceOf(look, id)}`,
      object,
    });
  }
  return fail('scaled to 0 replicas', {
    cause: 'somebody scaled it to 0',
    fix: `${look.kubectlFor(id)} scale ${resourceOf(look, id)} --replicas=${id === 'opentelemetry-collector' ? look.config[id].replicaCount : 1}`,
    object,
  });
}

/** Pods that the API server would not create: quota, admission, a missing service account. */
function refused(look: Look, id: PlacedId, workload: KubeObject, pods: number): Trouble | undefined {
  const {
    namespace,
    workload: { kind, name },
  } = look.place(id);
  const events = tryLook(() => listIn(look, 'Event', namespace), []);
  const failure = condition(workload, 'ReplicaFailure');
  const wanted = num(workload, 'spec', 'replicas') ?? 1;
  if (pods >= wanted) return undefined;
  const event =
    eventOf(events, kind, name, /^FailedCreate$/) ??
    eventOf(events, 'ReplicaSet', new RegExp(`^${name}-[^-]+$`), /^FailedCreate$/);
  const message = failure?.['status'] === 'True' ? (str(failure, 'message') ?? '') : (event?.message ?? '');
  const object = workloadObject(look, id);
  if (!message) return undefined;
  const quota = /exceeded quota: ([^,\s]+)/.exec(message)?.[1];
  return {
    evidence: `its pods are refused: ${oneLine(message)}`,
    cause: quota
      ? `the ResourceQuota ${quota} leaves no room for the pod`
      : 'the API server refuses the pod (admission, policy or a missing service account)',
    fix: quota
      ? `raise the quota: ${look.kubectlFor(id)} edit resourcequota ${quota}`
      : `${look.kubectlFor(id)} describe ${resourceOf(look, id)}   # what is missing is made again by: genai-obs install`,
    object,
  };
}

/** It runs (or was just made) and does not say that it is ready. */
function unready(look: Look, id: PlacedId, pod: KubeObject | undefined): Trouble {
  const object = pod ? `Pod ${look.place(id).namespace}/${pod.metadata.name}` : '';
  if (!pod)
    return {
      evidence: 'it has no pods yet',
      cause: 'the controller has not made them',
      fix: `${look.kubectlFor(id)} describe ${resourceOf(look, id)}`,
      object,
    };
  const name = pod.metadata.name;
  if (pod.metadata.deletionTimestamp)
    return {
      evidence: `pod ${name} is ending since ${pod.metadata.deletionTimestamp}`,
      cause: 'the pod is being deleted',
      fix: `${look.kubectlFor(id)} get pod ${name} --watch`,
      object,
    };
  const age = (now(look) - (startOf(pod) || Date.parse(pod.metadata.creationTimestamp ?? ''))) / 1000;
  if (
    age < STARTUP_S &&
    at(pod, 'status', 'phase') !== 'Failed' &&
    at(pod, 'status', 'containerStatuses', 0, 'restartCount') === 0
  ) {
    return {
      evidence: `pod ${name} is starting since ${ago(age)}`,
      cause: 'it has just been started',
      fix: `${look.kubectlFor(id)} rollout status ${resourceOf(look, id)} --timeout=5m`,
      object,
    };
  }
  const probe = tryLook(
    () => eventOf(listIn(look, 'Event', look.place(id).namespace), 'Pod', name, /^(Unhealthy|NodeNotReady|Evicted)$/),
    undefined,
  );
  const said = lastError(look, id, name);
  return {
    evidence: `pod ${name} runs and is not ready${probe ? `: ${oneLine(probe.message, 160)}` : ''}${said ? `; its log says: ${oneLine(said, 160)}` : ''}`,
    cause: probe ? 'its readiness probe fails' : 'it is not ready',
    fix: `${look.kubectlFor(id)} describe pod ${name} && ${look.kubectlFor(id)} logs ${name} --tail=50`,
    object,
  };
}
