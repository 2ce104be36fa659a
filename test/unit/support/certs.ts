import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Why tests cannot create certificates; undefined if they can. */
export const noCerts: string | undefined = (() => {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'no openssl on the PATH';
  }
})();

/**
 * Creates a CA in DIR/ca.crt and certificates signed by it: DIR/<name>/{ca.crt,tls.crt,tls.key}.
 * They are valid for localhost, 127.0.0.1 and the names in `also`.
 */
export function certs(dir: string, names: string[], also: string[] = []): void {
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' });
  mkdirSync(dir, { recursive: true });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl('req', '-x509', ...key, '-days', '2', '-subj', '/CN=test authority', '-keyout', 'ca.key', '-out', 'ca.crt');
  writeFileSync(join(dir, 'ext'), `subjectAltName=${['DNS:localhost', 'IP:127.0.0.1', ...also].join(',')}\n`);
  for (const name of names) {
    mkdirSync(join(dir, name));
    openssl('req', ...key, '-subj', `/CN=${name}`, '-keyout', `${name}/tls.key`, '-out', `${name}/csr`);
    const ca = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'ext'];
    openssl('x509', '-req', '-in', `${name}/csr`, ...ca, '-out', `${name}/tls.crt`);
    openssl('x509', '-in', 'ca.crt', '-out', `${name}/ca.crt`);
  }
}
