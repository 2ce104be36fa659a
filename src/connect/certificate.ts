import type { Kube } from '../adapters/kube.ts';
import { needsCertificate } from '../parts/collectors/endpoint.ts';
import { clientSecret } from '../parts/collectors/mtls.ts';
import { canonical } from '../core/compare.ts';
import { ObsError } from '../core/errors.ts';
import { MANAGED_BY_LABEL, PART_OF } from '../core/labels.ts';
import { type KubeObject, type ObjectRef, refText } from '../core/types.ts';
import { type Config, namespaceOf } from '../profile/schema.ts';

/** A Secret with a client certificate, and the namespace in which cert-manager issues it. */
export interface Certificate {
  secret: string;
  from: string;
}

export interface Volume {
  name: string;
  secret?: { secretName?: string; defaultMode?: number };
  [source: string]: unknown;
}

export interface VolumeMount {
  name: string;
  mountPath: string;
  readOnly?: boolean;
  [option: string]: unknown;
}

/** Name of the volume with the certificate. We change no other volume. */
export const VOLUME = 'genai-obs-otlp';
const DIR = '/etc/genai-obs/otlp';
/** Annotation of a Secret that we copied: its source namespace. We change or delete only such Secrets. */
const COPIED_FROM = 'genai-obs/copied-from';

const FILES = { ca: 'ca.crt', cert: 'tls.crt', key: 'tls.key' } as const;

/** Named like the namespace, else the app, else the first. Undefined: plain OTLP. @throws ObsError if none is set */
export function certificateFor(config: Config, app: string, namespace: string): Certificate | undefined {
  if (!needsCertificate(config)) return undefined;
  const { clients } = config.security.mtls;
  const [name] = [...[namespace, app].filter((one) => clients.includes(one)), ...clients];
  if (name) return { secret: clientSecret(name), from: namespaceOf(config, 'opentelemetry-collector') };
  throw new ObsError({
    what: 'the gateway requires a client certificate, and none is configured for applications',
    object: 'security.mtls.mode: strict',
    cause: 'security.mtls.clients is empty',
    next: `add security.mtls.clients: [${namespace}] to the file passed with -f, then run genai-obs install -f FILE`,
  });
}

/** Variables of the OpenTelemetry specification, which every SDK reads. */
export function certificateEnvironment(): Record<string, string> {
  return {
    OTEL_EXPORTER_OTLP_CERTIFICATE: `${DIR}/${FILES.ca}`,
    OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: `${DIR}/${FILES.cert}`,
    OTEL_EXPORTER_OTLP_CLIENT_KEY: `${DIR}/${FILES.key}`,
  };
}

/** The volume for the pod, and the mount for each container. */
export function certificateMount(secret: string): { volume: Volume; volumeMount: VolumeMount } {
  return {
    // World-readable: the container may run under any UID.
    volume: { name: VOLUME, secret: { secretName: secret, defaultMode: 0o444 } },
    volumeMount: { name: VOLUME, mountPath: DIR, readOnly: true },
  };
}

export function certificateNote({ secret, from }: Certificate): string {
  return (
    `The gateway requires a client certificate: copy Secret ${secret} from namespace ${from} ` +
    'to the namespace of the application, or use --apply, which copies it. ' +
    'cert-manager renews it in the eleventh month: run --apply again and restart the pods.'
  );
}

const refOfCopy = (secret: string, namespace: string): ObjectRef => ({
  apiVersion: 'v1',
  kind: 'Secret',
  namespace,
  name: secret,
});

/** The copy to create or to update in a namespace. Undefined when it is up to date. @throws ObsError, KubeError */
export async function missingCopy(
  kube: Kube,
  { secret, from }: Certificate,
  namespace: string,
): Promise<{ object: KubeObject; isNew: boolean } | undefined> {
  if (namespace === from) return undefined;
  const source = await kube.read(refOfCopy(secret, from));
  if (!source?.['data'])
    throw new ObsError({
      what: 'the client certificate does not exist',
      object: refText(refOfCopy(secret, from)),
      cause: 'cert-manager has not issued it yet, or it was deleted',
      next:
        `kubectl --context ${kube.context} -n ${from} describe certificate ${secret}; ` +
        'if it is missing, run genai-obs install again',
    });
  const data = source['data'] as Record<string, string>;
  const wanted = Object.fromEntries(Object.values(FILES).map((file) => [file, data[file] ?? '']));
  const live = await kube.read(refOfCopy(secret, namespace));
  if (live && !isCopy(live))
    throw new ObsError({
      what: 'a Secret with this name exists, and genai-obs did not create it',
      object: refText(refOfCopy(secret, namespace)),
      cause: 'the certificate was copied by hand, or the name is used for something else',
      next: 'rename or delete it, then run the command again',
    });
  if (live && canonical(live['data']) === canonical(wanted)) return undefined;
  const metadata = {
    name: secret,
    namespace,
    labels: { [MANAGED_BY_LABEL]: PART_OF },
    annotations: { [COPIED_FROM]: from },
  };
  return {
    object: { apiVersion: 'v1', kind: 'Secret', type: 'kubernetes.io/tls', metadata, data: wanted },
    isNew: !live,
  };
}

const isCopy = ({ metadata }: KubeObject): boolean => metadata.annotations?.[COPIED_FROM] !== undefined;

/** Our copy in a namespace, if it exists. @throws KubeError */
export async function copyIn(kube: Kube, secret: string, namespace: string): Promise<ObjectRef | undefined> {
  const ref = refOfCopy(secret, namespace);
  const live = await kube.read(ref);
  return live && isCopy(live) ? ref : undefined;
}
