import { type Verdict, ok, warn, fail } from './check.ts';
import { fact, type Reads, type Facts, ifAvailable } from './facts.ts';
import { condition, isReady, workloadOf, podsOf, eventOf, containersOf, objectsIn } from './objects.ts';
import { at, textAt, numberAt } from '../../core/json.ts';
import { oneLine, plural } from '../../core/text.ts';
import { formatDuration } from '../../core/quantity.ts';
import type { PlacedId } from '../../parts/catalog.ts';
import type { KubeObject } from '../../core/types.ts';
import { resourceOf, workloadObject } from './place.ts';
import { startOf, STARTUP_S } from './time.ts';
import { lastError, oomKilled, podTrouble, type Trouble, TROUBLE_READS } from './trouble.ts';

export function workloadReads(id: PlacedId): Reads[] {
  return [fact.workloads(id), ...TROUBLE_READS, fact.logs(id)];
}

/** Ready pods against wanted ones, with the cause when some are missing; only a warning when `enough` are ready. */
export function workloadVerdict(
  facts: Facts,
  id: PlacedId,
  enough: (ready: number, wanted: number) => boolean = () => false,
): Verdict {
  const {
    title,
    namespace,
    workload: { kind, name },
  } = facts.place(id);
  const object = workloadObject(facts, id);
  const workload = workloadOf(facts, id);
  if (!workload) {
    return fail(`${kind} ${name} does not exist in namespace ${namespace}`, {
      cause: `${title} is not installed, or it was deleted`,
      fix: 'genai-obs install',
      object,
    });
  }
  const wanted =
    kind === 'DaemonSet'
      ? (numberAt(workload, 'status', 'desiredNumberScheduled') ?? 0)
      : (numberAt(workload, 'spec', 'replicas') ?? 1);
  const pods = podsOf(facts, id);
  const ready = pods.filter(isReady).length;
  if (wanted === 0) return nothingWanted(facts, id, object);
  const trouble = pods
    .filter((pod) => !isReady(pod))
    .map((pod) => podTrouble(facts, id, pod))
    .find((one) => one !== undefined);
  if (ready >= wanted) {
    // The old pods still serve while the new ones cannot start.
    if (trouble)
      return warn(`${ready} of ${wanted} ready, but an update is stuck: ${trouble.evidence}`, {
        cause: trouble.cause,
        fix: trouble.fix,
        object: trouble.object,
      });
    return killedLately(facts, id, pods) ?? ok(`${ready} of ${plural(wanted, 'pod')} ready`);
  }
  const why =
    trouble ??
    refused(facts, id, workload, pods.length) ??
    unready(
      facts,
      id,
      pods.find((pod) => !isReady(pod)),
    );
  const evidence = `${ready} of ${wanted} ready: ${why.evidence}`;
  const more = { cause: why.cause, fix: why.fix, object: why.object || object };
  return ready > 0 && enough(ready, wanted) ? warn(evidence, more) : fail(evidence, more);
}

/** A warning for containers that were OOMKilled within an hour and are ready again. */
function killedLately(facts: Facts, id: PlacedId, pods: KubeObject[]): Verdict | undefined {
  for (const pod of pods) {
    for (const { name, ended, memoryLimit, restarts } of containersOf(pod)) {
      const age = (facts.now() - ended.at) / 1000;
      if (ended.reason !== 'OOMKilled' || age > 3600) continue;
      const { evidence, cause, fix } = oomKilled(
        facts,
        id,
        pod.metadata.name,
        name,
        memoryLimit,
        `${plural(restarts, 'restart')}, last ${formatDuration(age)} ago`,
      );
      return warn(`ready again, but ${evidence}`, {
        cause,
        fix,
        object: `Pod ${facts.place(id).namespace}/${pod.metadata.name}`,
      });
    }
  }
  return undefined;
}

function nothingWanted(facts: Facts, id: PlacedId, object: string): Verdict {
  if (facts.place(id).workload.kind === 'DaemonSet') {
    return fail('no node is wanted', {
      cause: "no node matches the DaemonSet's selector and tolerations",
      fix: `${facts.kubectlFor(id)} describe ${resourceOf(facts, id)}`,
      object,
    });
  }
  return fail('scaled to 0 replicas', {
    cause: 'it was scaled to 0 manually',
    fix:
      `${facts.kubectlFor(id)} scale ${resourceOf(facts, id)} ` +
      `--replicas=${id === 'opentelemetry-collector' ? facts.config[id].replicaCount : 1}`,
    object,
  });
}

/** Pods that the API server rejected: quota, admission, a missing service account. */
function refused(facts: Facts, id: PlacedId, workload: KubeObject, pods: number): Trouble | undefined {
  const {
    namespace,
    workload: { kind, name },
  } = facts.place(id);
  const events = ifAvailable(() => objectsIn(facts, 'Event', namespace), []);
  const failure = condition(workload, 'ReplicaFailure');
  const wanted = numberAt(workload, 'spec', 'replicas') ?? 1;
  if (pods >= wanted) return undefined;
  const event =
    eventOf(events, kind, name, /^FailedCreate$/) ??
    eventOf(events, 'ReplicaSet', new RegExp(`^${name}-[^-]+$`), /^FailedCreate$/);
  const message = failure?.['status'] === 'True' ? (textAt(failure, 'message') ?? '') : (event?.message ?? '');
  const object = workloadObject(facts, id);
  if (!message) return undefined;
  const quota = /exceeded quota: ([^,\s]+)/.exec(message)?.[1];
  return {
    evidence: `the API server rejects its pods: ${oneLine(message)}`,
    cause: quota
      ? `the ResourceQuota ${quota} is too small for the pod`
      : 'admission, a policy or a missing service account',
    fix: quota
      ? `raise the quota: ${facts.kubectlFor(id)} edit resourcequota ${quota}`
      : `${facts.kubectlFor(id)} describe ${resourceOf(facts, id)}   # to restore missing objects: genai-obs install`,
    object,
  };
}

/** A pod that runs, or was just created, but is not ready. */
function unready(facts: Facts, id: PlacedId, pod: KubeObject | undefined): Trouble {
  const object = pod ? `Pod ${facts.place(id).namespace}/${pod.metadata.name}` : '';
  if (!pod)
    return {
      evidence: 'it has no pods yet',
      cause: 'the controller has not created them',
      fix: `${facts.kubectlFor(id)} describe ${resourceOf(facts, id)}`,
      object,
    };
  const name = pod.metadata.name;
  if (pod.metadata.deletionTimestamp)
    return {
      evidence: `pod ${name} is terminating since ${pod.metadata.deletionTimestamp}`,
      cause: 'the pod is being deleted',
      fix: `${facts.kubectlFor(id)} get pod ${name} --watch`,
      object,
    };
  const age = (facts.now() - (startOf(pod) || Date.parse(pod.metadata.creationTimestamp ?? ''))) / 1000;
  if (
    age < STARTUP_S &&
    at(pod, 'status', 'phase') !== 'Failed' &&
    at(pod, 'status', 'containerStatuses', 0, 'restartCount') === 0
  ) {
    return {
      evidence: `pod ${name} started ${formatDuration(age)} ago`,
      cause: 'it is still starting',
      fix: `${facts.kubectlFor(id)} rollout status ${resourceOf(facts, id)} --timeout=5m`,
      object,
    };
  }
  const probe = ifAvailable(
    () =>
      eventOf(objectsIn(facts, 'Event', facts.place(id).namespace), 'Pod', name, /^(Unhealthy|NodeNotReady|Evicted)$/),
    undefined,
  );
  const said = lastError(facts, id, name);
  return {
    evidence:
      `pod ${name} runs but is not ` +
      `ready${probe ? `: ${oneLine(probe.message, 160)}` : ''}${said ? `; last log line: ${oneLine(said, 160)}` : ''}`,
    cause: probe ? 'its readiness probe fails' : 'it is not ready',
    fix: `${facts.kubectlFor(id)} describe pod ${name} && ${facts.kubectlFor(id)} logs ${name} --tail=50`,
    object,
  };
}
