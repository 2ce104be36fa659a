import { existsSync, readdirSync } from 'node:fs';
import { resolve as absolute } from 'node:path';
import { helmFor } from '../adapters/helm.ts';
import { chartsFrom } from '../charts/source.ts';
import { EXIT, usageError } from '../core/errors.ts';
import { plural } from '../core/text.ts';
import { buildPlan } from '../engine/plan/index.ts';
import { writeMirror } from '../mirror/mirror.ts';
import { digestOf } from '../mirror/registry.ts';
import { flagLayer, sourceOf } from '../profile/flags.ts';
import { extended, profileLayer, profileNames } from '../profile/layers.ts';
import { resolve } from '../profile/resolve.ts';
import { layersOf } from './configure.ts';

export interface MirrorFlags {
  out?: string | undefined;
  profile?: string[] | undefined;
  file?: string[] | undefined;
  registry?: string | undefined;
  charts?: string | undefined;
  digests?: boolean | undefined;
  json?: boolean | undefined;
}

/** `genai-obs mirror`: writes what an air-gapped installation needs. Needs helm, no cluster. */
export async function mirror(flags: MirrorFlags): Promise<number> {
  if (!flags.out) throw usageError('mirror needs an output folder', 'genai-obs mirror --out DIR');
  const out = absolute(flags.out);
  if (existsSync(out) && readdirSync(out).length > 0)
    throw usageError(`${out} is not empty`, 'name a new folder: an old mirror must not mix with a new one');
  const names = flags.profile ?? (flags.file ? [] : profileNames());
  // Without --registry in the layers: the image list needs upstream's names, the overlay the mirror's.
  const layers = [
    ...names.map((name) => [...extended(profileLayer(name)), flagLayer({})]),
    ...(flags.file ? [layersOf({ file: flags.file }, undefined)] : []),
  ];
  const steps = layers.flatMap((one) => buildPlan(resolve(one)));
  const report = (detail: string): void => void process.stderr.write(`${detail}\n`);
  const result = await writeMirror(steps, helmFor(''), chartsFrom(sourceOf(flags.charts ?? '')), {
    out,
    registry: flags.registry ?? '',
    report,
    ...(flags.digests === false ? {} : { digestOf }),
  });
  const { charts, images, unknown } = result;
  const missing = Object.keys(unknown).length;
  const note = missing ? `; the digests of ${missing} are unknown` : '';
  if (flags.json) process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
  else
    process.stdout.write(
      `Wrote ${plural(Object.keys(charts).length, 'chart')} and a list of ${images.length} images to ${out}${note}.\n` +
        'Copy the images in images.txt to your registry, then run: ' +
        `genai-obs install --profile NAME -f ${out}/overlay.yaml\n`,
    );
  return EXIT.ok;
}
