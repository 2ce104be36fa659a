import { setTimeout as sleep } from 'node:timers/promises';
import { restPath } from '../../adapters/kinds.ts';
import { imageOf, type Place, placeOf } from '../../parts/catalog.ts';
import { ObsError } from '../../core/errors.ts';
import { ownLabels } from '../../core/labels.ts';
import type { KubeObject, ObjectRef } from '../../core/types.ts';
import type { ComponentId } from '../../profile/schema.ts';
import type { PodRef } from '../../adapters/podExec.ts';
import { type Source, download, upload } from './transfer.ts';
import { type BackupContext, type Context, checkpoint } from '../types.ts';
import { type Live, withRetry, mustLive } from './workload.ts';

const IMAGE = 'docker.io/library/busybox:1.36';
/** Seconds after which the cluster stops a helper that a killed run left. */
const DEADLINE = 6 * 3600;
export const HELPER_SELECTOR = 'app.kubernetes.io/part-of=genai-obs,app.kubernetes.io/component=backup';
/** Annotation on the helper of Prometheus: the snapshot that the next run deletes if this one is killed. */
export const SNAPSHOT = 'genai-obs/snapshot';

/** A shell in a pod that mounts a component's claim at /data, and an emptyDir at /tmp. */
export interface Helper {
  pod: PodRef;
  text: (script: string) => Promise<string>;
  /** Archives a folder of the pod into a file of the backup. `complete` is false when single files were unreadable. */
  download: (folder: string, path: string, ctx: BackupContext) => Promise<{ complete: boolean }>;
  /** Feeds a stream to a script, which must read it to its end and may run again. @throws ObsError on lost data */
  upload: (source: () => Source, script: string) => Promise<void>;
  annotate: (key: string, value: string) => Promise<void>;
}

/** The claim that the workload mounts or that its StatefulSet creates. Undefined when it stores data in an emptyDir. */
export function claimOf(live: Live, planned: Place['claim']): string | undefined {
  const mounted = (live.pod.volumes ?? []).flatMap((volume) => volume.persistentVolumeClaim?.claimName ?? []);
  return mounted.find((name) => name === planned?.name) ?? mounted[0] ?? (live.makesClaims ? planned?.name : undefined);
}

/** Runs `use` with a helper on the component's claim. Always deletes the pod. */
export async function withHelper<T>(
  ctx: Context,
  component: ComponentId,
  write: boolean,
  use: (helper: Helper) => Promise<T>,
): Promise<T> {
  checkpoint(ctx);
  const { title, namespace, claim: planned } = placeOf(ctx.config, component);
  const live = await mustLive(ctx, component);
  const claim = claimOf(live, planned);
  if (!claim)
    throw new ObsError({
      what: `${title} has no claim: its data is lost when its pod is deleted (emptyDir)`,
      object: `${live.object.kind} ${namespace}/${live.object.metadata.name}`,
      next: 'install with storage.enabled: true',
    });
  const running = (await ctx.kube.list('Pod', namespace, live.selector))[0];
  const node = (running?.['spec'] as { nodeName?: string } | undefined)?.nodeName;
  const pod = podFor(ctx, component, live, claim, write, node);
  const ref = { apiVersion: 'v1', kind: 'Pod', namespace, name: pod.metadata.name };
  try {
    await withRetry(() => ctx.kube.create(pod));
    await waitRunning(ctx, ref);
    return await use(helperIn(ctx, ref, component));
  } finally {
    await removePod(ctx, ref);
  }
}

function podFor(
  ctx: Context,
  component: ComponentId,
  live: Live,
  claim: string,
  write: boolean,
  node: string | undefined,
): KubeObject {
  const { runAsUser = 65534, runAsGroup = runAsUser, fsGroup = runAsGroup } = live.pod.securityContext ?? {};
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `backup-${component}`,
      namespace: placeOf(ctx.config, component).namespace,
      labels: { ...ownLabels(`backup-${component}`), 'app.kubernetes.io/component': 'backup' },
    },
    spec: {
      restartPolicy: 'Never',
      activeDeadlineSeconds: DEADLINE,
      terminationGracePeriodSeconds: 1,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      // Two pods can mount a ReadWriteOnce claim only on the same node.
      ...(node ? { nodeName: node } : {}),
      ...(live.pod.tolerations ? { tolerations: live.pod.tolerations } : {}),
      ...(live.pod.imagePullSecrets ? { imagePullSecrets: live.pod.imagePullSecrets } : {}),
      securityContext: {
        runAsNonRoot: true,
        runAsUser,
        runAsGroup,
        fsGroup,
        fsGroupChangePolicy: 'OnRootMismatch',
        seccompProfile: { type: 'RuntimeDefault' },
      },
      containers: [
        {
          name: 'helper',
          image: imageOf(IMAGE, ctx.config.global.imageRegistry),
          imagePullPolicy: 'IfNotPresent',
          command: ['sh', '-c', `trap 'exit 0' TERM INT; sleep ${DEADLINE} & wait`],
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          },
          resources: { requests: { cpu: '1m', memory: '16Mi' }, limits: { cpu: '1', memory: '512Mi' } },
          volumeMounts: [
            { name: 'data', mountPath: '/data', readOnly: !write },
            { name: 'tmp', mountPath: '/tmp' },
          ],
        },
      ],
      volumes: [
        { name: 'data', persistentVolumeClaim: { claimName: claim } },
        { name: 'tmp', emptyDir: {} },
      ],
    },
  };
}

interface PodStatus {
  phase?: string;
  reason?: string;
  message?: string;
  containerStatuses?: { ready: boolean; state?: { waiting?: { reason?: string; message?: string } } }[];
}

async function waitRunning(ctx: Context, ref: ObjectRef & PodRef): Promise<void> {
  const until = Date.now() + 180_000;
  let stuckSince: number | undefined;
  for (;;) {
    const pod = await withRetry(() => ctx.kube.read(ref));
    const status = (pod?.['status'] ?? {}) as PodStatus;
    const container = status.containerStatuses?.[0];
    if (status.phase === 'Running' && container?.ready) return;
    checkpoint(ctx);
    const waiting = container?.state?.waiting;
    const isStuck = /ErrImage|ImagePull|InvalidImage|CreateContainer|RunContainer/.test(waiting?.reason ?? '');
    stuckSince = isStuck ? (stuckSince ?? Date.now()) : undefined;
    const stuckTooLong = stuckSince !== undefined && Date.now() - stuckSince > 20_000;
    if (!pod || status.phase === 'Failed' || Date.now() > until || stuckTooLong)
      throw new ObsError({
        what: 'the helper pod did not start',
        object: `Pod ${ref.namespace}/${ref.name}`,
        cause:
          [waiting?.reason, waiting?.message, status.reason, status.message].filter(Boolean).join(': ') ||
          `phase ${status.phase ?? 'unknown'}`,
        next:
          `kubectl --context ${ctx.kube.context} -n ${ref.namespace} get events ` +
          `--field-selector involvedObject.name=${ref.name}`,
      });
    await sleep(200);
  }
}

/** Deletes a helper pod and waits until it no longer exists, so that its name and its claim can be used again. */
export async function removePod(ctx: Pick<Context, 'kube' | 'report'>, ref: ObjectRef): Promise<void> {
  try {
    const until = Date.now() + 60_000;
    if (!(await withRetry(() => ctx.kube.remove(ref)))) return;
    while (Date.now() < until && (await withRetry(() => ctx.kube.read(ref)))) await sleep(200);
  } catch {
    ctx.report(`the helper pod ${ref.name} could not be deleted: the next run deletes it`);
  }
}

function helperIn(ctx: Context, ref: PodRef, component: ComponentId): Helper {
  return {
    pod: ref,
    text: (script) => ctx.exec.text(ref, script),
    download: (folder, path, backup) => download(backup, ref, component, folder, path),
    upload: (source, script) => upload(ctx, ref, source, script),
    async annotate(key, value) {
      const body = JSON.stringify({ metadata: { annotations: { [key]: value } } });
      await ctx.kube.request('PATCH', restPath('Pod', ref.namespace, ref.name), {
        body,
        contentType: 'application/merge-patch+json',
      });
    },
  };
}
