import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join, resolve as absolute } from 'node:path';
import envPaths from 'env-paths';
import { exec, lastLines } from '../adapters/exec.ts';
import { assetPath } from '../core/assets.ts';
import { ObsError, messageOf } from '../core/errors.ts';
import { MIRROR_INDEX, type MirrorIndex, parseIndex, readIndex } from './mirrorIndex.ts';
import { type ChartName, type ChartRef, type Pin, PINS } from './pins.ts';

/** Source of charts: ours from templates/, upstream's from the cache, a folder or a mirror. */
export interface Charts {
  /** A local folder or archive for helm. @throws ObsError when it cannot be downloaded or has another digest */
  path(chart: ChartRef): Promise<string>;
}

export const archiveOf = ({ chart, version }: Pin): string => `${chart}-${version}.tgz`;

/** `source` is empty (upstream's homes), a folder of archives, or `https://…` or `oci://…` of a mirror. */
export function chartsFrom(source: string, helm = process.env['GENAI_OBS_HELM'] ?? 'helm'): Charts {
  const known = new Map<ChartName, Promise<string>>();
  const origin = originOf(source, helm);
  return {
    path(chart) {
      if (chart.source === 'genai-obs') return Promise.resolve(assetPath('templates', chart.name));
      const path = known.get(chart.name) ?? origin(PINS[chart.name]);
      known.set(chart.name, path);
      // A failed download may succeed later.
      path.catch(() => known.delete(chart.name));
      return path;
    },
  };
}

type Origin = (pin: Pin) => Promise<string>;

function originOf(source: string, helm: string): Origin {
  if (source === '') return (pin) => cached(pin, '', (dir) => pull(helm, dir, pin, pin.oci));
  if (source.startsWith('oci://'))
    return (pin) => cached(pin, source, (dir) => pull(helm, dir, pin, `${source.replace(/\/$/, '')}/${pin.chart}`));
  if (/^https?:\/\//.test(source)) return fromUrl(source.replace(/\/$/, ''));
  return fromFolder(absolute(source));
}

/** Finds archives in the folder itself or in its `charts/`, where `mirror` writes them. */
function fromFolder(folder: string): Origin {
  return async (pin) => {
    const file = [join(folder, archiveOf(pin)), join(folder, 'charts', archiveOf(pin))].find((path) =>
      existsSync(path),
    );
    if (!file) {
      const there = await readdir(folder).catch(() => undefined);
      throw new ObsError({
        what: 'a chart is missing',
        object: `${archiveOf(pin)} in ${folder}`,
        cause: there
          ? `the folder has ${there.filter((name) => name.endsWith('.tgz')).length} archives, but not this one`
          : 'the folder cannot be read',
        next: 'genai-obs mirror --out DIR, on a machine that can download the charts',
      });
    }
    return verified(file, pin, await readIndex(folder));
  };
}

function fromUrl(base: string): Origin {
  let index: Promise<MirrorIndex | undefined> | undefined;
  return async (pin) => {
    const url = `${base}/${MIRROR_INDEX}`;
    index ??= get(url, true).then((body) => (body ? parseIndex(url, body.toString()) : undefined));
    index.catch(() => (index = undefined));
    const listed = await index;
    return cached(
      pin,
      base,
      async (dir) => {
        const body = await get(`${base}/charts/${archiveOf(pin)}`, false);
        const file = join(dir, archiveOf(pin));
        await writeFile(file, body ?? '');
        return file;
      },
      listed,
    );
  };
}

/** Undefined: it does not exist and is optional. @throws ObsError */
async function get(url: string, optional: boolean): Promise<Buffer | undefined> {
  const broken = (cause: string): ObsError =>
    new ObsError({
      what: 'the chart mirror does not serve a file',
      object: url,
      cause,
      next: `curl -fsSI ${url}; or take the charts from a folder: --charts DIR`,
    });
  let answer: Response;
  try {
    answer = await fetch(url, { signal: AbortSignal.timeout(60_000) });
  } catch (error) {
    throw broken(error instanceof Error && error.cause ? messageOf(error.cause) : messageOf(error));
  }
  if (answer.status === 404 && optional) return undefined;
  if (!answer.ok) throw broken(`HTTP ${answer.status}`);
  return Buffer.from(await answer.arrayBuffer());
}

/** Downloads with helm, so that its proxies, certificates and registry logins apply. Adds no repository to it. */
async function pull(helm: string, dir: string, pin: Pin, oci: string | undefined): Promise<string> {
  const from = oci ? [oci] : [pin.chart, '--repo', pin.repo];
  const result = await exec(helm, ['pull', ...from, '--version', pin.version, '--destination', dir], {
    timeout: 120_000,
  });
  const file = join(dir, archiveOf(pin));
  if (!result.ok || !existsSync(file))
    throw new ObsError({
      what: 'a chart cannot be downloaded',
      object: `${pin.chart} ${pin.version} from ${oci ?? pin.repo}`,
      cause: lastLines(result.stderr) || 'helm pull wrote no archive',
      next: 'check the network, or use other charts: --charts DIR (see genai-obs mirror --help)',
    });
  return file;
}

const cacheFolder = (): string =>
  process.env['GENAI_OBS_CACHE'] ?? join(envPaths('genai-obs', { suffix: '' }).cache, 'charts');

/** The file name contains the digest: a damaged or replaced archive is downloaded again. */
async function cached(
  pin: Pin,
  source: string,
  fetchInto: (dir: string) => Promise<string>,
  index?: MirrorIndex,
): Promise<string> {
  const folder = join(cacheFolder(), source === '' ? 'upstream' : digestText(source).slice(0, 16));
  await mkdir(folder, { recursive: true });
  const prefix = `${pin.chart}-${pin.version}.`;
  for (const name of (await readdir(folder)).filter((one) => one.startsWith(prefix) && one.endsWith('.tgz'))) {
    const file = join(folder, name);
    const digest = digestText(await readFile(file));
    if (name === `${prefix}${digest}.tgz` && digest === (digestFor(pin, index) ?? digest)) return file;
    await rm(file, { force: true });
  }
  const dir = await mkdtemp(join(folder, '.fetch-'));
  try {
    const fresh = await verified(await fetchInto(dir), pin, index);
    const file = join(folder, `${prefix}${digestText(await readFile(fresh))}.tgz`);
    await rename(fresh, file);
    return file;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** The index of the chosen mirror overrides the pin. */
const digestFor = (pin: Pin, index: MirrorIndex | undefined): string | undefined =>
  index?.charts[archiveOf(pin)] ?? pin.digest;

/** @throws ObsError when the archive has another digest */
async function verified(file: string, pin: Pin, index: MirrorIndex | undefined): Promise<string> {
  const expected = digestFor(pin, index);
  const digest = digestText(await readFile(file));
  if (expected && expected !== digest)
    throw new ObsError({
      what: 'a chart differs from the pinned one',
      object: `${archiveOf(pin)} (${(await stat(file)).size} bytes)`,
      cause: `its sha256 is ${digest}, expected ${expected}: it was damaged or replaced`,
      next: 'download it again (genai-obs mirror); if it still differs, find out who changed it',
    });
  return file;
}

export const digestText = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex');
