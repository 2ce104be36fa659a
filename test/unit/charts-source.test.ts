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

/** Pins of our own: whether upstream's have a digest changes with upstream. */
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
  it('are folders of the package, whatever the source', async () => {
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

  it.each(['', 'charts/'])('is read where the archive lies (%j), and nothing is copied', async (place) => {
    const path = folder({ [`${place}${LOKI_FILE}`]: 'archive' });
    expect(await chartsFrom(path).path(LOKI)).toBe(join(path, place, LOKI_FILE));
    expect(cachedFiles()).toEqual([]);
  });

  it('that lacks one says which, and what else is there', async () => {
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

  it('that is completed meanwhile is looked at again', async () => {
    const path = folder({});
    const charts = chartsFrom(path);
    await expect(charts.path(LOKI)).rejects.toThrow('a chart is missing');
    writeFileSync(join(path, LOKI_FILE), 'archive');
    expect(await charts.path(LOKI)).toBe(join(path, LOKI_FILE));
  });

  it('is held against its mirror.json, else against the pin', async () => {
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

  it.each(['{', 'null', '{"charts": 1}'])('with a mirror.json that is none (%s) is refused', async (text) => {
    const path = folder({ [LOKI_FILE]: 'archive', 'mirror.json': text });
    await expect(chartsFrom(path).path(LOKI)).rejects.toMatchObject({
      parts: { what: 'the mirror’s index cannot be read', object: join(path, 'mirror.json') },
    });
  });

  it('that is not there is refused when --charts is given', () => {
    expect(() => flagLayer({ charts: join(dir, 'nowhere') })).toThrow('this folder does not exist');
    expect(flagLayer({ charts: dir }).data).toEqual({ global: { charts: dir } });
    expect(flagLayer({ charts: 'oci://registry.example/charts' }).data).toEqual({
      global: { charts: 'oci://registry.example/charts' },
    });
  });
});

describe('a mirror by HTTP', () => {
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

  it('is asked once; then the cache serves, also another process', async () => {
    const charts = chartsFrom(`${base}/`);
    const path = await charts.path(LOKI);
    expect(readFileSync(path, 'utf8')).toBe('archive');
    expect(await charts.path(LOKI)).toBe(path);
    expect(await chartsFrom(base).path(LOKI)).toBe(path);
    expect(asked.filter((one) => one.endsWith('.tgz'))).toHaveLength(1);
    expect(cachedFiles()).toHaveLength(1);
  });

  it('is asked again when the cached archive was damaged', async () => {
    const path = await chartsFrom(base).path(LOKI);
    writeFileSync(path, 'damaged');
    const again = await chartsFrom(base).path(LOKI);
    expect(readFileSync(again, 'utf8')).toBe('archive');
    expect(asked.filter((one) => one.endsWith('.tgz'))).toHaveLength(2);
  });

  it('without the archive says its address and the answer, and leaves nothing in the cache', async () => {
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

  it('whose archive is not what its index says is refused, and nothing is cached', async () => {
    files['/mirror/mirror.json'] = index({ [LOKI_FILE]: digestText('another') });
    await expect(chartsFrom(base).path(LOKI)).rejects.toMatchObject({
      parts: { what: 'a chart differs from the pinned one' },
    });
    expect(cachedFiles()).toEqual([]);
  });

  it('that lists another digest than the pin counts before it', async () => {
    files['/mirror/charts/tempo-2.0.0.tgz'] = 'built by the mirror';
    files['/mirror/mirror.json'] = index({ 'tempo-2.0.0.tgz': digestText('built by the mirror') });
    expect(readFileSync(await chartsFrom(base).path(TEMPO), 'utf8')).toBe('built by the mirror');
  });

  it('that has replaced an archive is fetched from again, whatever the cache holds', async () => {
    await chartsFrom(base).path(LOKI);
    files = {
      [`/mirror/charts/${LOKI_FILE}`]: 'mended',
      '/mirror/mirror.json': index({ [LOKI_FILE]: digestText('mended') }),
    };
    expect(readFileSync(await chartsFrom(base).path(LOKI), 'utf8')).toBe('mended');
    expect(cachedFiles()).toHaveLength(1);
  });

  it('whose index is broken is refused, and asked again once it is mended', async () => {
    files['/mirror/mirror.json'] = '<html>';
    const charts = chartsFrom(base);
    await expect(charts.path(LOKI)).rejects.toMatchObject({
      parts: { what: 'the mirror’s index cannot be read', object: `${base}/mirror.json` },
    });
    files['/mirror/mirror.json'] = index({ [LOKI_FILE]: digestText('archive') });
    expect(readFileSync(await charts.path(LOKI), 'utf8')).toBe('archive');
  });

  it('that nobody serves says why', async () => {
    await expect(chartsFrom('http://127.0.0.1:9').path(LOKI)).rejects.toMatchObject({
      parts: { object: 'http://127.0.0.1:9/mirror.json', cause: expect.stringMatching(/\w/) as string },
    });
  });
});

describe('the homes of the charts', () => {
  /** A helm that notes its arguments and writes what it was told to fetch. */
  const helm = (name: string, script: string): { file: string; calls: () => string } => {
    const [file, log] = [join(dir, name), join(dir, `${name}.log`)];
    writeFileSync(file, `#!/bin/sh\necho "$@" >> ${log}\nfor last in "$@"; do :; done\n${script}\n`);
    chmodSync(file, 0o755);
    return { file, calls: () => (existsSync(log) ? readFileSync(log, 'utf8') : '') };
  };

  it('are asked by helm pull, once, with the pinned version and without adding a repository', async () => {
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
    'that are registries (%j) are asked for the chart by its address; the pin is held against what comes',
    async (source, address) => {
      const { file, calls } = helm(`helm-oci-${source.length}`, 'printf exchanged > "$last/tempo-2.0.0.tgz"');
      await expect(chartsFrom(source, file).path(TEMPO)).rejects.toMatchObject({
        parts: { what: 'a chart differs from the pinned one' },
      });
      expect(calls()).toMatch(new RegExp(`^pull ${address} --version 2.0.0 --destination`));
      expect(cachedFiles()).toEqual([]);
    },
  );

  it('that cannot be reached: what helm said, and the way around', async () => {
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
