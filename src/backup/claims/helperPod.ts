import { createHash } from 'node:crypto';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { restPath } from '../../adapters/kinds.ts';
import { imageOf, type Place, placeOf } from '../../parts/catalog.ts';
import { ObsError, messageOf } from '../../core/errors.ts';
import { ownLabels } from '../../core/labels.ts';
import type { KubeObject, ObjectRef } from '../../core/types.ts';
import type { ComponentId } from '../../profile/schema.ts';
import { type PodRef, type Running, failed } from '../../adapters/podExec.ts';
import { receiving, sending, sumIn } from './scripts.ts';
import { type BackupContext, type Context, checkpoint } from '../types.ts';
import { type Live, insist, mustLive } from './workload.ts';

const IMAGE = 'docker.io/library/busybox:1.36';
/** Seconds after which the cluster ends a helper that everybody has forgotten. */
const DEADLINE = 6 * 3600;
export const HELPER_SELECTOR = 'app.kubernetes.io/part-of=genai-obs,app.kubernetes.io/component=backup';
/** On Prometheus' helper: the snapshot to delete, should the run be killed. */
export const SNAPSHOT = 'genai-obs/snapshot';

type Source = [Readable, ...Transform[]];

/** Times that what was lost on the way is sent. */
const UPLOADS = 3;

/** A shell beside a component's data, mounted at /data; /tmp is its own. */
export interface Helper {
  pod: PodRef;
  text: (script: string) => Promise<string>;
  /** Archives a folder of the pod (symlinks followed) into a file of the backup; `complete` is false when single files could not be read. */
  download: (folder: string, path: string, ctx: BackupContext) => Promise<{ complete: boolean }>;
  /** Feeds a stream, through transforms, to a script, which must read it to its end and may be run again. @throws ObsError unless all has arrived */
  upload: (source: () => Source, script: string) => Promise<void>;
  annotate: (key: string, value: string) => Promise<void>;
}

/** The claim that the live workload mounts, or that its StatefulSet makes; undefined when its data live in the pod only. */
export function claimOf(live: Live, planned: Place['claim']): string | undefined {
  const mounted = (live.pod.volumes ?? []).flatMap((volume) => volume.persistentVolumeClaim?.claimName ?? []);
  return mounted.find((name) => name === planned?.name) ?? mounted[0] ?? (live.makesClaims ? planned?.name : undefined);
}

/** Runs `use` with a helper on the component's claim. The pod is deleted whatever happens. */
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
      what: `${title} has no claim: its data live and die with its pod`,
      object: `${live.object.kind} ${namespace}/${live.object.metadata.name}`,
      next: 'install with storage.enabled: true',
    });
  const running = (await ctx.kube.list('Pod', namespace, live.selector))[0];
  const node = (running?.['spec'] as { nodeName?: string } | undefined)?.nodeName;
  const pod = podFor(ctx, component, live, claim, write, node);
  const ref = { apiVersion: 'v1', kind: 'Pod', namespace, name: pod.metadata.name };
  try {
    await insist(() => ctx.kube.create(pod));
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
      // A ReadWriteOnce claim can be mounted twice on one node only.
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
  let badSince: number | undefined;
  for (;;) {
    const pod = await insist(() => ctx.kube.read(ref));
    const status = (pod?.['status'] ?? {}) as PodStatus;
    const container = status.containerStatuses?.[0];
    if (status.phase === 'Running' && container?.ready) return;
    checkpoint(ctx);
    const waiting = container?.state?.waiting;
    const bad = /ErrImage|ImagePull|InvalidImage|CreateContainer|RunContainer/.test(waiting?.reason ?? '');
    badSince = bad ? (badSince ?? Date.now()) : undefined;
    const over =
      !pod ||
      status.phase === 'Failed' ||
      Date.now() > until ||
      (badSince !== undefined && Date.now() - badSince > 20_000);
    if (over)
      throw new ObsError({
        what: 'the helper pod does not start',
        object: `Pod ${ref.namespace}/${ref.name}`,
        cause:
          [waiting?.reason, waiting?.message, status.reason, status.message].filter(Boolean).join(': ') ||
          `phase ${status.phase ?? 'unknown'}`,
        next: `kubectl --context ${ctx.kube.context} -n ${ref.namespace} get events --field-selector involvedObject.name=${ref.name}`,
      });
    await sleep(200);
  }
}

/** Deletes a helper and waits until it is gone, so that its name and its claim are free. */
export async function removePod(ctx: Pick<Context, 'kube' | 'report'>, ref: ObjectRef): Promise<void> {
  try {
    const until = Date.now() + 60_000;
    if (!(await insist(() => ctx.kube.remove(ref)))) return;
    while (Date.now() < until && (await insist(() => ctx.kube.read(ref)))) await sleep(200);
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

async function download(
  ctx: BackupContext,
  pod: PodRef,
  component: ComponentId,
  folder: string,
  path: string,
): Promise<{ complete: boolean }> {
  const run = ctx.exec.start(pod, sending(folder), false);
  return killedBy(ctx, run, async () => {
    // Both are awaited to their end: nothing may be written any more when the caller cleans up.
    const [written, ended] = await Promise.allSettled([ctx.out.gzip(path, component, run.stdout), run.done]);
    checkpoint(ctx);
    if (ended.status === 'rejected') throw ended.reason;
    if (written.status === 'rejected') throw written.reason;
    const { stderr, code } = ended.value;
    // kubectl exec may lose the end of a stream without a word: the pod says what it has sent.
    const sum = sumIn(stderr);
    if (sum !== written.value.sha256)
      throw failed(pod, sum ? 'the connection lost data on the way' : stderr || `exit code ${code}`);
    return { complete: code === 0 };
  });
}

/** kubectl exec may lose what it is to send, too, and says nothing: the pod tells what has arrived. */
async function upload(ctx: Context, pod: PodRef, source: () => Source, script: string): Promise<void> {
  for (let attempt = 1; attempt <= UPLOADS; attempt += 1) {
    const { sent, got, stderr, code } = await uploadOnce(ctx, pod, source(), script);
    if (got === sent && code === 0) return;
    if (got === sent || (!got && code !== 0))
      throw failed(pod, stderr.replace(/^sum .*\n/m, '') || `exit code ${code}`);
    ctx.report(
      `the connection to Pod ${pod.namespace}/${pod.name} lost data on the way${attempt < UPLOADS ? ': sending them again' : ''}`,
    );
  }
  throw failed(pod, `the connection lost data on the way, ${UPLOADS} times`);
}

async function uploadOnce(
  ctx: Context,
  pod: PodRef,
  source: Source,
  script: string,
): Promise<{ sent: string; got: string | undefined; stderr: string; code: number | null }> {
  const hash = createHash('sha256');
  const tap = new Transform({ transform: (chunk: Buffer, _encoding, next) => (hash.update(chunk), next(null, chunk)) });
  const run = ctx.exec.start(pod, receiving(script), true);
  return killedBy(ctx, run, async () => {
    run.stdout.resume();
    const sent = pipeline([...source, tap, run.stdin]).then(
      () => undefined,
      (error: unknown) => error,
    );
    const { stderr, code } = await run.done;
    checkpoint(ctx);
    const broken = await sent;
    if (code === 0 && broken) throw failed(pod, messageOf(broken));
    return { sent: hash.digest('hex'), got: sumIn(stderr), stderr, code };
  });
}

/** Ctrl-C ends what runs in the pod. */
async function killedBy<T>(ctx: Context, run: Running, use: () => Promise<T>): Promise<T> {
  ctx.signal.addEventListener('abort', run.kill, { once: true });
  try {
    return await use();
  } finally {
    ctx.signal.removeEventListener('abort', run.kill);
    run.kill();
  }
}
