import { messageOf } from '../core/errors.ts';

const ACCEPT = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

/** Docker Hub's API has another host than its images. */
const hostOf = (host: string): string => (host === 'docker.io' ? 'registry-1.docker.io' : host);

/** Asks the registry without an account (OCI distribution specification). Never throws. */
export async function digestOf(image: string): Promise<{ digest: string } | { error: string }> {
  const [, host = '', repository = '', tag = 'latest'] = /^([^/]+)\/([^:@]+)(?::([^@]+))?/.exec(image) ?? [];
  const scheme = /^(localhost|127\.0\.0\.1)(:\d+)?$/.test(host) ? 'http' : 'https';
  const url = `${scheme}://${hostOf(host)}/v2/${repository}/manifests/${tag}`;
  const ask = (token?: string): Promise<Response> =>
    fetch(url, {
      method: 'HEAD',
      headers: { accept: ACCEPT, ...(token ? { authorization: `Bearer ${token}` } : {}) },
      signal: AbortSignal.timeout(15_000),
    });
  try {
    const first = await ask();
    const answer =
      first.status === 401 ? await ask(await anonymousToken(first.headers.get('www-authenticate') ?? '')) : first;
    const digest = answer.headers.get('docker-content-digest');
    return answer.ok && digest ? { digest } : { error: `HTTP ${answer.status}` };
  } catch (error) {
    return { error: error instanceof Error && error.cause ? messageOf(error.cause) : messageOf(error) };
  }
}

/** The challenge names who gives tokens, and for what. */
async function anonymousToken(challenge: string): Promise<string> {
  const field = (name: string): string => new RegExp(`${name}="([^"]*)"`).exec(challenge)?.[1] ?? '';
  const realm = field('realm');
  if (!/^https?:\/\//.test(realm)) throw new Error('the registry requires an account');
  const url = new URL(realm);
  for (const name of ['service', 'scope']) if (field(name)) url.searchParams.set(name, field(name));
  const answer = await fetch(url, { signal: AbortSignal.timeout(15_000) });
  const body = (await answer.json()) as { token?: string; access_token?: string };
  const token = body.token ?? body.access_token;
  if (!answer.ok || !token) throw new Error(`no anonymous token (HTTP ${answer.status})`);
  return token;
}
