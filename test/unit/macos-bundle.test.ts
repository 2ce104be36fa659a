import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { HOME, writeBundles } from '../../src/macos/bundle.ts';
import { type BundleFlags, requestOf } from '../../src/macos/request.ts';
import { certs, noCerts } from './support/certs.ts';
import { modeOf, tree } from './support/tree.ts';

const work = mkdtempSync(join(tmpdir(), 'genai-obs-macos-'));
const at = (...parts: string[]): string => join(work, ...parts);
const TOKEN = 'c2VjcmV0LXRva2Vu.of-the_gateway==';
let count = 0;

beforeAll(() => {
  writeFileSync(at('token'), `${TOKEN}\n`);
  if (noCerts === undefined) certs(at('certs'), ['studio-1', 'other']);
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

const flags = (over: Partial<BundleFlags> = {}): BundleFlags => ({
  host: ['studio-1'],
  endpoint: 'k3s.example:4317',
  interval: '15s',
  out: at(`out-${++count}`),
  ...over,
});

/** Writes the bundle and returns its folder. */
function made(over: Partial<BundleFlags> = {}): string {
  const request = requestOf(flags(over));
  writeBundles(request, request.out);
  return join(request.out, request.hosts[0] ?? '');
}

describe('the flags', () => {
  it.each<[string, Partial<BundleFlags>, RegExp]>([
    ['no host', { host: [] }, /needs the name of a Mac/],
    ['a host with a domain', { host: ['studio.local'] }, /takes a DNS label, not "studio\.local"/],
    ['a path for a host', { host: ['../etc'] }, /takes a DNS label/],
    ['a host twice', { host: ['a', 'b', 'a'] }, /--host a is passed twice/],
    ['no endpoint', { endpoint: undefined }, /needs the address of the gateway/],
    ['an endpoint without a port', { endpoint: 'gateway' }, /--endpoint takes HOST:PORT, not "gateway"/],
    ['an endpoint with a scheme', { endpoint: 'https://gateway:4317' }, /takes HOST:PORT/],
    ['a port out of range', { endpoint: 'gateway:65536' }, /takes HOST:PORT/],
    ['an interval without a unit', { interval: '15' }, /--interval takes 1s to 2m/],
    ['an interval over two minutes', { interval: '3m' }, /--interval takes 1s to 2m/],
    ['both kinds of access', { mtls: 'certs', tokenFile: 'token' }, /exclude each other/],
    ['a CA without a token', { ca: 'ca.crt' }, /--ca requires --token-file/],
    ['a missing token file', { tokenFile: '/nowhere/token' }, /\/nowhere\/token cannot be read/],
    ['missing certificates', { mtls: '/nowhere' }, /\/nowhere\/ca\.crt cannot be read/],
    ['a missing CA', { tokenFile: at('token'), ca: '/nowhere/ca.crt' }, /\/nowhere\/ca\.crt cannot be read/],
    ['no output folder', { out: undefined }, /needs an output folder/],
    ['an output folder that is a file', { out: 'package.json' }, /package\.json is a file/],
    ['an output folder that is not empty', { out: 'src' }, /--out src is not empty/],
  ])('%s is rejected before anything is written', (_name, over, message) => {
    const before = tree(work);
    const asked = flags(over);
    expect(() => requestOf(asked)).toThrow(message);
    expect(tree(work)).toEqual(before);
  });

  it.each(['two words', 'first\nsecond', '', '{"token": 1}'])(
    'a token file that contains %j is rejected, without showing its content',
    (text) => {
      const file = at('wrong-token');
      writeFileSync(file, text);
      expect(() => requestOf(flags({ tokenFile: file }))).toThrow(`${file} does not contain a bearer token`);
    },
  );

  it('accepts an IPv6 address and an empty folder', () => {
    mkdirSync(at('empty'));
    expect(requestOf(flags({ endpoint: '[fd00::1]:4317', out: at('empty') })).endpoint).toBe('[fd00::1]:4317');
  });

  describe.skipIf(noCerts !== undefined)(`certificates${noCerts ? ` (skipped: ${noCerts})` : ''}`, () => {
    const broken = (name: string, file: string, text: string): string => {
      const dir = at(`broken-${name}`);
      mkdirSync(dir);
      for (const other of ['ca.crt', 'tls.crt', 'tls.key'])
        writeFileSync(join(dir, other), readFileSync(at('certs', 'studio-1', other)));
      writeFileSync(join(dir, file), text);
      return dir;
    };

    it.each<[string, string, () => string, RegExp]>([
      [
        'another key',
        'tls.key',
        () => readFileSync(at('certs', 'other', 'tls.key'), 'utf8'),
        /tls\.key is not the key of .*tls\.crt/,
      ],
      [
        'a certificate for a key',
        'tls.key',
        () => readFileSync(at('certs', 'other', 'tls.crt'), 'utf8'),
        /tls\.key contains no readable private key/,
      ],
      [
        'a damaged certificate',
        'tls.crt',
        () => '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
        /tls\.crt contains no readable certificate/,
      ],
      ['not PEM', 'ca.crt', () => 'authority', /ca\.crt is not a PEM file/],
    ])('%s is rejected', (name, file, text, message) => {
      expect(() => requestOf(flags({ mtls: broken(name.replaceAll(' ', '-'), file, text()) }))).toThrow(message);
    });

    it('of one Mac take precedence over those for all Macs', () => {
      const request = requestOf(flags({ host: ['studio-1', 'other'], mtls: at('certs') }));
      for (const host of request.hosts)
        expect(request.credentials.get(host)?.['tls/tls.crt']).toBe(readFileSync(at('certs', host, 'tls.crt'), 'utf8'));
      expect(requestOf(flags({ host: ['studio-9'], mtls: at('certs', 'other') })).access).toBe('mtls');
      rmSync(at('certs', 'other', 'ca.crt'));
      expect(requestOf(flags({ host: ['other'], mtls: at('certs') })).credentials.get('other')?.['tls/ca.crt']).toBe(
        readFileSync(at('certs', 'ca.crt'), 'utf8'),
      );
      expect(() => requestOf(flags({ host: ['studio-9'], mtls: at('certs') }))).toThrow(
        /certs\/tls\.crt cannot be read/,
      );
    });
  });
});

describe('the bundle', () => {
  it('has the same files for every Mac, and secrets that only the owner can read', () => {
    const dir = made({ tokenFile: at('token') });
    expect(tree(dir)).toEqual([
      'README.txt',
      'config.yaml',
      'dev.genai-obs.macmon.plist',
      'dev.genai-obs.otelcol.plist',
      'dev.genai-obs.pressure.plist',
      'install.sh',
      'pressure.sh',
      'token',
      'uninstall.sh',
    ]);
    expect([modeOf(dir), modeOf(join(dir, 'token')), modeOf(join(dir, 'install.sh'))]).toEqual(['700', '600', '755']);
    expect(readFileSync(join(dir, 'token'), 'utf8')).toBe(TOKEN);
  });

  it('contains the secret in no other file', () => {
    const dir = made({ tokenFile: at('token') });
    for (const file of tree(dir).filter((name) => name !== 'token'))
      expect(readFileSync(join(dir, file), 'utf8'), file).not.toContain(TOKEN);
  });

  it('has no placeholder left in its README', () => {
    for (const over of [{}, { tokenFile: at('token') }])
      expect(readFileSync(join(made(over), 'README.txt'), 'utf8')).not.toMatch(/HOST|ENDPOINT|ACCESS|SECRETS/);
  });

  it('deletes what it wrote when it cannot write everything', () => {
    const asked = requestOf(flags({ host: ['first', 'second'] }));
    mkdirSync(asked.out);
    writeFileSync(join(asked.out, 'second'), 'not a folder');
    expect(() => writeBundles(asked, asked.out)).toThrow('the bundle cannot be written');
    expect(existsSync(join(asked.out, 'first'))).toBe(false);
  });

  it('configures host, interval, gateway and authentication', () => {
    interface Collector {
      receivers: { prometheus: { config: { scrape_configs: object[] } }; hostmetrics: object };
      exporters: { otlp_grpc: object };
      processors: { resource: { attributes: object[] } };
      extensions: object;
      service: { extensions: string[] };
    }
    const plain = parse(readFileSync(join(made({ interval: '5s' }), 'config.yaml'), 'utf8')) as Collector;
    for (const job of plain.receivers.prometheus.config.scrape_configs)
      expect(job).toMatchObject({ scrape_interval: '5s', scrape_timeout: '5s' });
    expect(plain.receivers.hostmetrics).toMatchObject({ collection_interval: '5s' });
    expect(plain.processors.resource.attributes).toContainEqual({
      key: 'host.name',
      value: 'studio-1',
      action: 'upsert',
    });
    expect(plain.exporters.otlp_grpc).toMatchObject({
      endpoint: 'k3s.example:4317',
      tls: { insecure: true },
      sending_queue: { storage: 'file_storage' },
    });

    const token = parse(readFileSync(join(made({ tokenFile: at('token') }), 'config.yaml'), 'utf8')) as Collector;
    expect(token.exporters.otlp_grpc).toMatchObject({ tls: {}, auth: { authenticator: 'bearertokenauth' } });
    expect(token.exporters.otlp_grpc).not.toHaveProperty('tls.insecure');
    expect(token.extensions).toMatchObject({ bearertokenauth: { filename: `${HOME}/etc/token` } });
    expect(token.service.extensions).toContain('bearertokenauth');
  });

  it.skipIf(noCerts !== undefined)(
    `configures the paths of certificates${noCerts ? ` (skipped: ${noCerts})` : ''}`,
    () => {
      const dir = made({ mtls: at('certs') });
      const { exporters } = parse(readFileSync(join(dir, 'config.yaml'), 'utf8')) as {
        exporters: { otlp_grpc: object };
      };
      const tls = `${HOME}/etc/tls`;
      expect(exporters.otlp_grpc).toMatchObject({
        tls: { ca_file: `${tls}/ca.crt`, cert_file: `${tls}/tls.crt`, key_file: `${tls}/tls.key` },
      });
      for (const file of ['ca.crt', 'tls.crt', 'tls.key']) expect(modeOf(join(dir, 'tls', file)), file).toBe('600');
    },
  );
});
