import { existsSync, readdirSync } from 'node:fs';
import { resolve as absolute } from 'node:path';
import { helmFor } from '../adapters/helm.ts';
import { digestOf } from '../mirror/registry.ts';
import { writeMirror } from '../mirror/mirror.ts';
import { chartsFrom } from '../charts/source.ts';
import { EXIT, usageError } from '../core/errors.ts';
import { buildPlan } from '../engine/plan/index.ts';
import { extended, profileLayer, profileNames } from '../profile/layers.ts';
import { resolve } from '../profile/resolve.ts';
import { flagLayer, sourceOf } from '../profile/flags.ts';
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

/** Writes what an installation without a way out needs. Needs helm, no cluster. */
export async function mirror(flags: MirrorFlags): Promise<number> {
  if (!flags.out) throw usageError('mirror needs a folder to write to', 'genai-obs mirror --out DIR');
  const out = absolute(flags.out);
  if (existsSync(out) && readdirSync(out).length > 0)
    throw usageError(
      `${out} is not empty`,
      'name a folder that does not exist yet: an old mirror must not mix with a new one',
    );
  const names = flags.profile ?? (flags.file ? [] : profileNames());
  // With upstream's own names: the list says what to copy, the overlay says where it lies then.
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
  const unknown = Object.keys(result.unknown).length;
  if (flags.json) process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
  else
    process.stdout.write(
      `${Object.keys(result.charts).length} charts and a list of ${result.images.length} images are in ${out}${unknown ? `; the digests of ${unknown} could not be asked` : ''}.\n` +
        `Copy the images of images.txt to your registry, then: genai-obs install --profile NAME -f ${out}/overlay.yaml\n`,
    );
  return EXIT.ok;
}
