import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { archiveOf, chartsFrom, digestText } from '../../src/charts/source.ts';
import type { ChartRef } from '../../src/charts/pins.ts';
import { assetPath } from '../../src/core/assets.ts';
import { flagLayer } from '../../src/profile/flags.ts';

/** Pins for this test: whether a real pin has a digest depends on upstream. */
const OWN = vi.hoisted(() => ({
  loki: { chart: 'loki', version: '1.0.0', repo: 'https://charts.example' },
  tempo: {
    chart: 'tempo',
    version: '2.0.0',
    repo: 'https://charts.example',
    oci: 'oci://registry.example/charts/tempo',
    digest: '0'.repeat(64),
  },
}));
vi.mock('../../src/charts/pins.ts', () => ({ PINS: OWN }));

const dir = mkdtempSync(join(tmpdir(), 'genai-obs-charts-'));
const LOKI: ChartRef = { source: 'upstream', name: 'loki' };
const TEMPO: ChartRef = { source: 'upstream', name: 'tempo' };
const LOKI_FILE = archiveOf(OWN.loki);
let cache: string;

beforeEach(() => {
  cache = mkdtempSync(join(dir, 'cache-'));
  vi.stubEnv('GENAI_OBS_CACHE', cache);
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true, force: true });
});

const index = (charts: Record<string, string>): string => JSON.stringify({ tool: '0.1.0', charts, images: [] });
const cachedFiles = (): string[] =>
  readdirSync(cache, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.tgz'));

describe('our own charts', () => {
  it('are folders of the package, for every chart source', async () => {
    expect(await chartsFrom('/nowhere').path({ source: 'genai-obs', name: 'loki' })).toBe(
      assetPath('templates', 'loki'),
    );
  });
});

describe('a folder of archives', () => {
  const folder = (files: Record<string, string>): string => {
    const path = mkdtempSync(join(dir, 'folder-'));
    mkdirSync(join(path, 'charts'));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
    return path;
  };

  it.each(['', 'charts/'])('is read in place (subfolder %j), and nothing is copied', async (place) => {
    const path = folder({ [`${place}${LOKI_FILE}`]: 'archive' });
    expect(await chartsFrom(path).path(LOKI)).toBe(join(path, place, LOKI_FILE));
    expect(cachedFiles()).toEqual([]);
  });

  it('reports a missing archive and the number of others', async () => {
    const path = folder({ 'other-1.0.0.tgz': '' });
    await expect(chartsFrom(path).path(LOKI)).rejects.toMatchObject({
      parts: {
        what: 'a chart is missing',
        object: `${LOKI_FILE} in ${path}`,
        cause: 'the folder has 1 archives, but not this one',
      },
    });
    await expect(chartsFrom(join(dir, 'nowhere')).path(LOKI)).rejects.toMatchObject({
      parts: { cause: 'the folder cannot be read' },
    });
  });

  it('is read again after a missing archive was added', async () => {
    const path = folder({});
    const charts = chartsFrom(path);
    await expect(charts.path(LOKI)).rejects.toThrow('a chart is missing');
    writeFileSync(join(path, LOKI_FILE), 'archive');
    expect(await charts.path(LOKI)).toBe(join(path, LOKI_FILE));
  });

  it('is verified against its mirror.json, or else against the pin', async () => {
    expect(
      await chartsFrom(
        folder({ [LOKI_FILE]: 'archive', 'mirror.json': index({ [LOKI_FILE]: digestText('archive') }) }),
      ).path(LOKI),
    ).toContain(LOKI_FILE);
    await expect(
      chartsFrom(
        folder({ [LOKI_FILE]: 'exchanged', 'mirror.json': index({ [LOKI_FILE]: digestText('archive') }) }),
      ).path(LOKI),
    ).rejects.toMatchObject({
      parts: {
        what: 'a chart differs from the pinned one',
        object: `${LOKI_FILE} (9 bytes)`,
        cause: expect.stringContaining(`expected ${digestText('archive')}`) as string,
      },
    });
    await expect(chartsFrom(folder({ 'tempo-2.0.0.tgz': 'exchanged' })).path(TEMPO)).rejects.toMatchObject({
      parts: { cause: expect.stringContaining(`expected ${OWN.tempo.digest}`) as string },
    });
  });

  it.each(['{', 'null', '{"charts": 1}'])('is refused when its mirror.json is invalid: %s', async (text) => {
    const path = folder({ [LOKI_FILE]: 'archive', 'mirror.json': text });
    await expect(chartsFrom(path).path(LOKI)).rejects.toMatchObject({
      parts: { what: 'the mirror’s index cannot be read', object: join(path, 'mirror.json') },
    });
  });

  it('is refused as --charts when it does not exist', () => {
    expect(() => flagLayer({ charts: join(dir, 'nowhere') })).toThrow('this folder does not exist');
    expect(flagLayer({ charts: dir }).data).toEqual({ global: { charts: dir } });
    expect(flagLayer({ charts: 'oci://registry.example/charts' }).data).toEqual({
      global: { charts: 'oci://registry.example/charts' },
    });
  });
});

describe('an HTTP mirror', () => {
  let server: Server;
  let base: string;
  let files: Record<string, string>;
  const asked: string[] = [];

  beforeAll(async () => {
    server = createServer((request, response) => {
      const path = request.url ?? '';
      asked.push(path);
      const text = files[path];
      response.writeHead(text === undefined ? 404 : 200).end(text);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mirror`;
  });
  beforeEach(() => {
    asked.length = 0;
    files = { [`/mirror/charts/${LOKI_FILE}`]: 'archive' };
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  it('serves an archive once; later runs read it from the cache', async () => {
    const charts = chartsFrom(`${base}/`);
    const path = await charts.path(LOKI);
    expect(readFileSync(path, 'utf8')).toBe('archive');
    expect(await charts.path(LOKI)).toBe(path);
    expect(await chartsFrom(base).path(LOKI)).toBe(path);
    expect(asked.filter((one) => one.endsWith('.tgz'))).toHaveLength(1);
    expect(cachedFiles()).toHaveLength(1);
  });

  it('serves an archive again when the cached one is damaged', async () => {
    const path = await chartsFrom(base).path(LOKI);
    writeFileSync(path, 'damaged');
    const again = await chartsFrom(base).path(LOKI);
    expect(readFileSync(again, 'utf8')).toBe('archive');
    expect(asked.filter((one) => one.endsWith('.tgz'))).toHaveLength(2);
  });

  it('reports the address and HTTP status of a missing archive, and leaves nothing in the cache', async () => {
    files = {};
    await expect(chartsFrom(base).path(LOKI)).rejects.toMatchObject({
      parts: {
        what: 'the chart mirror does not serve a file',
        object: `${base}/charts/${LOKI_FILE}`,
        cause: 'HTTP 404',
      },
    });
    expect(
      readdirSync(cache, { recursive: true, encoding: 'utf8' }).filter((name) => name.includes('.fetch-')),
    ).toEqual([]);
    expect(cachedFiles()).toEqual([]);
  });

  it('is refused when an archive differs from its index, and nothing is cached', async () => {
    files['/mirror/mirror.json'] = index({ [LOKI_FILE]: digestText('another') });
    await expect(chartsFrom(base).path(LOKI)).rejects.toMatchObject({
      parts: { what: 'a chart differs from the pinned one' },
    });
    expect(cachedFiles()).toEqual([]);
  });

  it('overrides the pinned digest with the digest in its index', async () => {
    files['/mirror/charts/tempo-2.0.0.tgz'] = 'built by the mirror';
    files['/mirror/mirror.json'] = index({ 'tempo-2.0.0.tgz': digestText('built by the mirror') });
    expect(readFileSync(await chartsFrom(base).path(TEMPO), 'utf8')).toBe('built by the mirror');
  });

  it('serves an archive again when its index lists a new digest', async () => {
    await chartsFrom(base).path(LOKI);
    files = {
      [`/mirror/charts/${LOKI_FILE}`]: 'replaced',
      '/mirror/mirror.json': index({ [LOKI_FILE]: digestText('replaced') }),
    };
    expect(readFileSync(await chartsFrom(base).path(LOKI), 'utf8')).toBe('replaced');
    expect(cachedFiles()).toHaveLength(1);
  });

  it('is refused while its index is broken, and works once the index is fixed', async () => {
    files['/mirror/mirror.json'] = '<html>';
    const charts = chartsFrom(base);
    await expect(charts.path(LOKI)).rejects.toMatchObject({
      parts: { what: 'the mirror’s index cannot be read', object: `${base}/mirror.json` },
    });
    files['/mirror/mirror.json'] = index({ [LOKI_FILE]: digestText('archive') });
    expect(readFileSync(await charts.path(LOKI), 'utf8')).toBe('archive');
  });

  it('reports the cause when it is unreachable', async () => {
    await expect(chartsFrom('http://127.0.0.1:9').path(LOKI)).rejects.toMatchObject({
      parts: { object: 'http://127.0.0.1:9/mirror.json', cause: expect.stringMatching(/\w/) as string },
    });
  });
});

describe('upstream chart repositories', () => {
  /** A fake helm that logs its arguments, then runs the script. */
  const helm = (name: string, script: string): { file: string; calls: () => string } => {
    const [file, log] = [join(dir, name), join(dir, `${name}.log`)];
    writeFileSync(file, `#!/bin/sh\necho "$@" >> ${log}\nfor last in "$@"; do :; done\n${script}\n`);
    chmodSync(file, 0o755);
    return { file, calls: () => (existsSync(log) ? readFileSync(log, 'utf8') : '') };
  };

  it('are read by one helm pull with the pinned version, without adding a repository', async () => {
    const { file, calls } = helm('helm-pull', `printf archive > "$last/${LOKI_FILE}"`);
    const path = await chartsFrom('', file).path(LOKI);
    expect(readFileSync(path, 'utf8')).toBe('archive');
    expect(await chartsFrom('', file).path(LOKI)).toBe(path);
    expect(calls()).toMatch(/^pull loki --repo https:\/\/charts\.example --version 1\.0\.0 --destination \S+\n$/);
  });

  it.each([
    ['', 'oci://registry.example/charts/tempo'],
    ['oci://mirror.example/charts/', 'oci://mirror.example/charts/tempo'],
  ])(
    'are read by address when they are OCI registries (source %j), and the archive is verified against the pin',
    async (source, address) => {
      const { file, calls } = helm(`helm-oci-${source.length}`, 'printf exchanged > "$last/tempo-2.0.0.tgz"');
      await expect(chartsFrom(source, file).path(TEMPO)).rejects.toMatchObject({
        parts: { what: 'a chart differs from the pinned one' },
      });
      expect(calls()).toMatch(new RegExp(`^pull ${address} --version 2.0.0 --destination`));
      expect(cachedFiles()).toEqual([]);
    },
  );

  it('report the error of helm and suggest --charts when they are unreachable', async () => {
    const { file } = helm('helm-no', 'echo "Error: dial tcp: no route to host" >&2; exit 1');
    await expect(chartsFrom('', file).path(LOKI)).rejects.toMatchObject({
      parts: {
        what: 'a chart cannot be downloaded',
        object: 'loki 1.0.0 from https://charts.example',
        cause: 'Error: dial tcp: no route to host',
        next: expect.stringContaining('--charts DIR') as string,
      },
    });
    await expect(chartsFrom('', helm('helm-empty', 'exit 0').file).path(LOKI)).rejects.toMatchObject({
      parts: { cause: 'helm pull wrote no archive' },
    });
  });
});
