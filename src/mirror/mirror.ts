import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { Helm } from '../adapters/helm.ts';
import { version } from '../core/assets.ts';
import { type Step, chartsOf, objectsOf, stepsOf } from '../engine/steps/index.ts';
import { imagesIn } from './images.ts';
import { MIRROR_INDEX, type MirrorIndex } from '../charts/mirrorIndex.ts';
import { type ChartName, PINS } from '../charts/pins.ts';
import { type Charts, archiveOf } from '../charts/source.ts';

/** Charts render for a Kubernetes version; the images are the same for every version that we support. */
const KUBE_VERSION = 'v1.34.0';

export function upstreamCharts(steps: Step[]): ChartName[] {
  const names = chartsOf(steps).flatMap((chart) => (chart.source === 'upstream' ? [chart.name] : []));
  return [...new Set(names)].toSorted();
}

/** Every image of a plan's charts and objects. @throws ObsError when a chart cannot be downloaded or does not render */
export async function imagesOf(steps: Step[], helm: Helm, charts: Charts): Promise<string[]> {
  const rendered = await Promise.all(
    stepsOf(steps, 'release').map(async (step) =>
      helm.template(step, await charts.path(step.chart), step.values, KUBE_VERSION),
    ),
  );
  return imagesIn([...objectsOf(steps), ...rendered.flat()]);
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
  /** Images whose digest the registry did not return, and why. */
  unknown: Record<string, string>;
}

/** With this folder, the images and the overlay, an air-gapped installation downloads nothing else. */
export async function writeMirror(
  steps: Step[],
  helm: Helm,
  charts: Charts,
  options: MirrorOptions,
): Promise<MirrorResult> {
  const { out, registry, report } = options;
  await mkdir(join(out, 'charts'), { recursive: true });
  const index: MirrorIndex = { tool: version(), charts: {}, images: [] };
  for (const name of upstreamCharts(steps)) {
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
