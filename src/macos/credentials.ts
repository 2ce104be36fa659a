import { X509Certificate, createPrivateKey } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, usageError } from '../core/errors.ts';

/** Files with the credentials of a Mac, by path in the bundle. All have mode 0600. */
export type Credentials = Record<string, string>;

/**
 * Files for `--mtls DIR`: tls.crt and tls.key from DIR/HOST if it exists, otherwise from DIR; ca.crt from either.
 * @throws ObsError (usage) naming the file that is missing, unreadable, expired or does not match; never its content
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
      'use the key that was issued with the certificate',
    );
  return { 'tls/ca.crt': ca, 'tls/tls.crt': text, 'tls/tls.key': key };
}

/** Files for `--token-file FILE`, with the CA of the gateway if the Macs do not trust it. @throws ObsError (usage) */
export function tokenOf(file: string, ca: string | undefined, now = new Date()): Credentials {
  const token = read(file).trim();
  // Other characters could break the HTTP header.
  if (!/^[\w.~+/=:-]+$/.test(token))
    throw usageError(
      `${file} does not contain a bearer token`,
      'write one line with only letters, digits and -._~+/=:',
    );
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
    throw usageError(`${path} is not a PEM file`, 'convert it: openssl x509 -in FILE -inform der');
  return text;
}

function certificate(path: string, text: string, now: Date): X509Certificate {
  let found: X509Certificate;
  try {
    found = new X509Certificate(text);
  } catch {
    throw usageError(`${path} contains no readable certificate`, `openssl x509 -in ${path} -noout -text`);
  }
  if (new Date(found.validTo) < now) throw usageError(`${path} expired on ${found.validTo}`, 'issue a new certificate');
  return found;
}

function privateKey(path: string, text: string): ReturnType<typeof createPrivateKey> {
  try {
    return createPrivateKey(text);
  } catch {
    throw usageError(
      `${path} contains no readable private key`,
      'use a PEM key without a passphrase: the service starts at boot, without a user',
    );
  }
}
