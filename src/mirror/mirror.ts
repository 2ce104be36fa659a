import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { Helm } from '../adapters/helm.ts';
import { version } from '../core/assets.ts';
import type { Step } from '../engine/types.ts';
import { imagesIn } from './images.ts';
import { MIRROR_INDEX, type MirrorIndex } from '../charts/mirrorIndex.ts';
import { type ChartName, PINS } from '../charts/pins.ts';
import { type Charts, archiveOf } from '../charts/source.ts';

/** Images are the same for every version that we support; charts want to know one. */
const KUBE_VERSION = 'v1.34.0';

/** Upstream charts of a plan, each once. */
export function chartsOf(steps: Step[]): ChartName[] {
  const names = steps.flatMap((step): ChartName[] => {
    if (step.kind === 'crds') return [step.chart];
    return step.kind === 'release' && step.chart.source === 'upstream' ? [step.chart.name] : [];
  });
  return [...new Set(names)].toSorted();
}

/** Every image that a plan's charts and objects name. @throws ObsError when a chart cannot be had or does not render */
export async function imagesOf(steps: Step[], helm: Helm, charts: Charts): Promise<string[]> {
  const lists = await Promise.all(
    steps.map(async (step) => {
      if (step.kind === 'objects') return imagesIn(step.objects);
      if (step.kind !== 'release') return [];
      return imagesIn(await helm.template(step, await charts.path(step.chart), step.values, KUBE_VERSION));
    }),
  );
  return [...new Set(lists.flat())].toSorted();
}

export interface MirrorOptions {
  out: string;
  /** Registry into which the images are copied; named in the overlay. */
  registry: string;
  /** Looks up an image's digest; without it digests stay unknown. */
  digestOf?: (image: string) => Promise<{ digest: string } | { error: string }>;
  report: (detail: string) => void;
}

export interface MirrorResult extends MirrorIndex {
  /** Images whose digest could not be asked, and why. */
  unknown: Record<string, string>;
}

/**
 * Writes `charts/`, `mirror.json`, `images.txt` and `overlay.yaml`: with the charts in that folder, the images in the registry and the
 * overlay over a profile nothing is fetched from anywhere else.
 */
export async function writeMirror(
  steps: Step[],
  helm: Helm,
  charts: Charts,
  options: MirrorOptions,
): Promise<MirrorResult> {
  const { out, registry, report } = options;
  await mkdir(join(out, 'charts'), { recursive: true });
  const index: MirrorIndex = { tool: version(), charts: {}, images: [] };
  for (const name of chartsOf(steps)) {
    report(`chart ${name} ${PINS[name].version}`);
    const archive = archiveOf(PINS[name]);
    const file = join(out, 'charts', archive);
    await copyFile(await charts.path({ source: 'upstream', name }), file);
    index.charts[archive] = createHash('sha256')
      .update(await readFile(file))
      .digest('hex');
  }
  report('rendering, to list the images');
  const unknown: Record<string, string> = {};
  for (const image of await imagesOf(steps, helm, charts)) {
    const answer = image.includes('@sha256:') ? { digest: image.split('@')[1] ?? '' } : await options.digestOf?.(image);
    if (answer && 'error' in answer) unknown[image] = answer.error;
    index.images.push({ image, ...(answer && 'digest' in answer ? { digest: answer.digest } : {}) });
  }
  await writeFile(join(out, MIRROR_INDEX), `${JSON.stringify(index, null, 2)}\n`);
  await writeFile(
    join(out, 'images.txt'),
    index.images.map(({ image, digest }) => `${image}${digest && !image.includes('@') ? `@${digest}` : ''}\n`).join(''),
  );
  const overlay = { global: { ...(registry ? { imageRegistry: registry } : {}), charts: out } };
  await writeFile(
    join(out, 'overlay.yaml'),
    `# Over a profile: genai-obs install --profile NAME -f ${join(out, 'overlay.yaml')}\n${stringify(overlay)}`,
  );
  return { ...index, unknown };
}
