import type { Kube } from '../adapters/kube.ts';
import { needsCertificate } from '../parts/collectors/endpoint.ts';
import { clientSecret } from '../parts/collectors/mtls.ts';
import { canonical } from '../core/compare.ts';
import { ObsError } from '../core/errors.ts';
import { MANAGED_BY_LABEL, PART_OF } from '../core/labels.ts';
import { type KubeObject, type ObjectRef, refText } from '../core/types.ts';
import { type Config, namespaceOf } from '../profile/schema.ts';

/** A Secret with a client certificate, and the namespace in which cert-manager makes it. */
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

/** Name of the pods' volume with the certificate; no other volume is touched. */
export const VOLUME = 'genai-obs-otlp';
const DIR = '/etc/genai-obs/otlp';
/** Annotation of a Secret that we have copied: where from. Only such a one is changed or removed. */
const COPIED_FROM = 'genai-obs/copied-from';

const FILES = { ca: 'ca.crt', cert: 'tls.crt', key: 'tls.key' } as const;

/**
 * The certificate that an application shows where the gateway lets in nobody without (row 004-SEC-01): that of its namespace, else of its own
 * name, else the first. Undefined where plain OTLP is taken.
 * @throws ObsError when none is made for applications
 */
export function certificateFor(config: Config, app: string, namespace: string): Certificate | undefined {
  if (!needsCertificate(config)) return undefined;
  const { clients } = config.security.mtls;
  const [name] = [...[namespace, app].filter((one) => clients.includes(one)), ...clients];
  if (name) return { secret: clientSecret(name), from: namespaceOf(config, 'opentelemetry-collector') };
  throw new ObsError({
    what: 'the gateway lets in nobody without a client certificate, and none is made for applications',
    object: 'security.mtls.mode: strict',
    cause: 'security.mtls.clients is empty',
    next: `add security.mtls.clients: [${namespace}] to the file given with -f, then: genai-obs install -f FILE`,
  });
}

/** What every SDK reads; the specification's names. */
export function certificateEnvironment(): Record<string, string> {
  return {
    OTEL_EXPORTER_OTLP_CERTIFICATE: `${DIR}/${FILES.ca}`,
    OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: `${DIR}/${FILES.cert}`,
    OTEL_EXPORTER_OTLP_CLIENT_KEY: `${DIR}/${FILES.key}`,
  };
}

/** For the pod, and for each of its containers. */
export function certificateMount(secret: string): { volume: Volume; volumeMount: VolumeMount } {
  return {
    // Whatever account the container runs under has to read them.
    volume: { name: VOLUME, secret: { secretName: secret, defaultMode: 0o444 } },
    volumeMount: { name: VOLUME, mountPath: DIR, readOnly: true },
  };
}

export function certificateNote({ secret, from }: Certificate): string {
  return `The gateway lets in nobody without a client certificate: Secret ${secret} of namespace ${from} must be in the namespace of the application. --apply copies it, and copies it again after a renewal (cert-manager renews it in the eleventh month); then the pods must be made anew.`;
}

const refOfCopy = (secret: string, namespace: string): ObjectRef => ({
  apiVersion: 'v1',
  kind: 'Secret',
  namespace,
  name: secret,
});

/** The copy that the namespace of an application lacks, or has of an older certificate. @throws ObsError, KubeError */
export async function missingCopy(
  kube: Kube,
  { secret, from }: Certificate,
  namespace: string,
): Promise<{ object: KubeObject; isNew: boolean } | undefined> {
  if (namespace === from) return undefined;
  const source = await kube.read(refOfCopy(secret, from));
  if (!source?.['data'])
    throw new ObsError({
      what: 'the client certificate is not there',
      object: refText(refOfCopy(secret, from)),
      cause: 'cert-manager has not made it yet, or it was deleted',
      next: `kubectl --context ${kube.context} -n ${from} describe certificate ${secret}; the same genai-obs install makes the Certificate anew`,
    });
  const data = source['data'] as Record<string, string>;
  const wanted = Object.fromEntries(Object.values(FILES).map((file) => [file, data[file] ?? '']));
  const live = await kube.read(refOfCopy(secret, namespace));
  if (live && !isCopy(live))
    throw new ObsError({
      what: 'there is a Secret of that name already, which genai-obs did not make',
      object: refText(refOfCopy(secret, namespace)),
      cause: 'somebody has copied the certificate by hand, or uses the name for something else',
      next: `rename or delete it, then run the command again`,
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

/** Our copy in a namespace, if it is there. @throws KubeError */
export async function copyIn(kube: Kube, secret: string, namespace: string): Promise<ObjectRef | undefined> {
  const ref = refOfCopy(secret, namespace);
  const live = await kube.read(ref);
  return live && isCopy(live) ? ref : undefined;
}
