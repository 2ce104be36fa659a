import { X509Certificate } from 'node:crypto';
import type { Kube } from '../../adapters/kube.ts';
import type { KubeObject } from '../../core/types.ts';
import type { Collector } from './context.ts';
import { isWeak, scrub } from './scrub.ts';

/** `Kind` in the namespaces of the installation, `Kind@all` in all. */
export const objects: Collector = (rest, context) => {
  const all = rest.endsWith('@all');
  return context.objects(all ? rest.slice(0, -4) : rest, all);
};

/** Objects without secrets and without fields that no check reads. */
export async function listObjects(kube: Kube, kind: string, namespace?: string): Promise<KubeObject[]> {
  const items = await kube.list(kind, namespace);
  return items.map((item) => (kind === 'Secret' ? secretShape(item) : pruned(item)));
}

const NOISY_ANNOTATIONS = [
  'kubectl.kubernetes.io/last-applied-configuration',
  'control-plane.alpha.kubernetes.io/leader',
];

function pruned(object: KubeObject): KubeObject {
  const { metadata, ...rest } = object;
  const copy: KubeObject = {
    ...rest,
    apiVersion: object.apiVersion,
    kind: object.kind,
    metadata: metadataOf(metadata),
  };
  const status = copy['status'];
  // The list of images takes many kilobytes.
  if (object.kind === 'Node' && status && typeof status === 'object') {
    const { images: _images, nodeInfo, ...others } = status as Record<string, unknown>;
    copy['status'] = {
      ...others,
      ...(nodeInfo && typeof nodeInfo === 'object'
        ? { nodeInfo: versionsOf(nodeInfo as Record<string, unknown>) }
        : {}),
    };
  }
  return scrub(copy);
}

/** Without machine and boot ids, which identify a host. */
function versionsOf(info: Record<string, unknown>): Record<string, unknown> {
  const { machineID: _machine, systemUUID: _system, bootID: _boot, ...rest } = info;
  return rest;
}

function metadataOf(metadata: KubeObject['metadata']): KubeObject['metadata'] {
  const {
    managedFields: _fields,
    selfLink: _link,
    ...rest
  } = metadata as KubeObject['metadata'] & { managedFields?: unknown; selfLink?: unknown };
  if (!rest.annotations) return rest;
  const annotations = Object.fromEntries(
    Object.entries(rest.annotations).filter(([key]) => !NOISY_ANNOTATIONS.includes(key)),
  );
  return { ...rest, annotations };
}

/** Names and lengths of keys, and which values are well-known defaults; never a value. */
function secretShape(secret: KubeObject): KubeObject {
  const data = (secret['data'] ?? {}) as Record<string, string>;
  const entries = Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64')] as const);
  const confidential = (key: string) => /pass|token|key|secret|webhook|url/i.test(key);
  return {
    apiVersion: secret.apiVersion,
    kind: 'Secret',
    metadata: metadataOf(secret.metadata),
    type: secret['type'],
    keys: Object.fromEntries(entries.map(([key, value]) => [key, value.length])),
    ...expiryOf(data['tls.crt']),
    weak: entries
      .filter(([key, value]) => confidential(key) && value.length < 500 && isWeak(value.toString()))
      .map(([key]) => key),
  };
}

/** When a certificate expires; nothing for other data. */
function expiryOf(encoded: string | undefined): { notAfter?: string } {
  if (!encoded) return {};
  try {
    return { notAfter: new Date(new X509Certificate(Buffer.from(encoded, 'base64')).validTo).toISOString() };
  } catch {
    return {};
  }
}
