import { gunzipSync, gzipSync } from 'node:zlib';
import { type KubeItem, get, kubectl } from './cluster.ts';

interface Payload {
  version: number;
  info: { status: string };
}

/** The encoding of helm: JSON, gzip, base64, and base64 again in the Secret. */
const decode = (data: string): Payload =>
  JSON.parse(gunzipSync(Buffer.from(Buffer.from(data, 'base64').toString(), 'base64')).toString()) as Payload;
const encode = (payload: Payload): string =>
  Buffer.from(gzipSync(JSON.stringify(payload)).toString('base64')).toString('base64');

/** Simulates a crash: copies helm's record of revision `from` to revision `to` with this status. */
export async function craftRecord(
  namespace: string,
  release: string,
  from: number,
  to: number,
  status: string,
): Promise<void> {
  const record = await get<KubeItem & { data: { release: string } }>(
    'secret',
    `sh.helm.release.v1.${release}.v${from}`,
    '-n',
    namespace,
  );
  const payload = decode(record.data.release);
  const crafted = {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'helm.sh/release.v1',
    metadata: {
      name: `sh.helm.release.v1.${release}.v${to}`,
      namespace,
      labels: { ...record.metadata.labels, status, version: String(to) },
    },
    data: { release: encode({ ...payload, version: to, info: { ...payload.info, status } }) },
  };
  await kubectl(from === to ? ['replace', '-f', '-'] : ['create', '-f', '-'], JSON.stringify(crafted));
}

/** The decoded release records of a namespace, as text: values, rendered objects, notes. */
export async function records(namespace: string): Promise<string> {
  const { items } = await get<{ items: (KubeItem & { data: { release: string } })[] }>(
    'secret',
    '-n',
    namespace,
    '-l',
    'owner=helm',
  );
  return items.map(({ data }) => JSON.stringify(decode(data.release))).join('\n');
}
