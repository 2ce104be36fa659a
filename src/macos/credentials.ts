import { X509Certificate, createPrivateKey } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, usageError } from '../core/errors.ts';
import type { Credentials } from './types.ts';

/**
 * `--mtls DIR`: tls.crt and tls.key, as cert-manager calls them, of DIR/HOST where that exists, else of DIR for all Macs; ca.crt of either.
 * @throws ObsError (usage) naming the file that is missing, unreadable, expired or does not fit; never its content
 */
export function mtlsOf(dir: string, host: string, now = new Date()): Credentials {
  const from = existsSync(join(dir, host)) ? join(dir, host) : dir;
  const path = (name: string): string => join(from, name);
  const authority = existsSync(path('ca.crt')) ? path('ca.crt') : join(dir, 'ca.crt');
  const ca = pem(authority);
  const text = pem(path('tls.crt'));
  certificate(authority, ca, now);
  const own = certificate(path('tls.crt'), text, now);
  const key = pem(path('tls.key'));
  if (!own.checkPrivateKey(privateKey(path('tls.key'), key)))
    throw usageError(
      `${path('tls.key')} is not the key of ${path('tls.crt')}`,
      'hand over the pair that was issued together',
    );
  return { 'tls/ca.crt': ca, 'tls/tls.crt': text, 'tls/tls.key': key };
}

/**
 * `--token-file FILE`, and the authority that signed the gateway's certificate if the Mac does not know it.
 * @throws ObsError (usage)
 */
export function tokenOf(file: string, ca: string | undefined, now = new Date()): Credentials {
  const token = read(file).trim();
  // What is not a token68 could end the header, or the line.
  if (!/^[\w.~+/=:-]+$/.test(token))
    throw usageError(`${file} does not hold a bearer token`, 'one line of letters, digits and -._~+/=:, nothing else');
  if (ca === undefined) return { token };
  const text = pem(ca);
  certificate(ca, text, now);
  return { token, 'tls/ca.crt': text };
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw usageError(`${path} cannot be read`, 'genai-obs macos bundle --help', messageOf(error));
  }
}

function pem(path: string): string {
  const text = read(path);
  if (!text.includes('-----BEGIN '))
    throw usageError(`${path} is no PEM file`, 'openssl x509 -in FILE -inform der writes PEM');
  return text;
}

function certificate(path: string, text: string, now: Date): X509Certificate {
  let found: X509Certificate;
  try {
    found = new X509Certificate(text);
  } catch {
    throw usageError(`${path} holds no certificate that can be read`, `openssl x509 -in ${path} -noout -text`);
  }
  if (new Date(found.validTo) < now) throw usageError(`${path} expired on ${found.validTo}`, 'issue it again');
  return found;
}

function privateKey(path: string, text: string): ReturnType<typeof createPrivateKey> {
  try {
    return createPrivateKey(text);
  } catch {
    throw usageError(
      `${path} holds no private key that can be read`,
      'a PEM key without a passphrase: nobody could type it when the Mac starts',
    );
  }
}
