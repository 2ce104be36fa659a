import { createCipheriv, createDecipheriv, randomBytes, scryptSync } from 'node:crypto';
import { ObsError } from '../../core/errors.ts';

/** AES-256-GCM with a key that scrypt derives from a passphrase. One guess costs about a second of CPU. */
const COST = { N: 2 ** 17, r: 8, p: 1 };
const MEMORY = 256 * 1024 * 1024;

interface Box {
  format: 1;
  cipher: 'aes-256-gcm';
  kdf: 'scrypt';
  N: number;
  r: number;
  p: number;
  salt: string;
  iv: string;
  tag: string;
  data: string;
}

export function encrypt(plain: string, passphrase: string): string {
  const salt = randomBytes(16);
  const iv = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', scryptSync(passphrase, salt, 32, { ...COST, maxmem: MEMORY }), iv);
  const data = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()]);
  const box: Box = {
    format: 1,
    cipher: 'aes-256-gcm',
    kdf: 'scrypt',
    ...COST,
    salt: salt.toString('base64'),
    iv: iv.toString('base64'),
    tag: cipher.getAuthTag().toString('base64'),
    data: data.toString('base64'),
  };
  return `${JSON.stringify(box, null, 1)}\n`;
}

/** @throws ObsError when the passphrase is wrong */
export function decrypt(text: string, passphrase: string, shown: string): string {
  const box = JSON.parse(text) as Box;
  const bytes = (key: 'salt' | 'iv' | 'tag' | 'data'): Buffer => Buffer.from(box[key], 'base64');
  // Limits the memory and CPU that a manipulated file can demand.
  if (box.format !== 1 || box.N > 2 ** 20 || box.r > 16 || box.p > 4)
    throw new ObsError({
      what: 'the secrets of the backup are in an unknown format',
      object: shown,
      next: 'npm install -g genai-obs@latest',
    });
  const key = scryptSync(passphrase, bytes('salt'), 32, {
    N: box.N,
    r: box.r,
    p: box.p,
    maxmem: 2 * 1024 * 1024 * 1024 - 1,
  });
  const decipher = createDecipheriv('aes-256-gcm', key, bytes('iv'), { authTagLength: 16 });
  decipher.setAuthTag(bytes('tag'));
  try {
    return Buffer.concat([decipher.update(bytes('data')), decipher.final()]).toString('utf8');
  } catch {
    throw new ObsError({
      what: 'the secrets cannot be decrypted: the passphrase is wrong',
      object: shown,
      next: 'pass the right one in GENAI_OBS_PASSPHRASE or --passphrase-file, or restore without --include-secrets',
    });
  }
}
