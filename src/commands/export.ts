import { cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import { helmFor } from '../adapters/helm.ts';
import { chartsFrom } from '../charts/source.ts';
import { assetPath } from '../core/assets.ts';
import { EXIT, messageOf, usageError } from '../core/errors.ts';
import { PART_OF, PART_OF_LABEL } from '../core/labels.ts';
import type { KubeObject } from '../core/types.ts';
import { buildPlan } from '../engine/plan/index.ts';
import { readme } from '../export/readme.ts';
import { type Sources, terraform } from '../export/terraform.ts';
import { checkComplete } from '../parts/cloud.ts';
import type { ConfigFlags } from '../profile/flags.ts';
import { resolve } from '../profile/resolve.ts';
import type { Config } from '../profile/schema.ts';
import { layersOf } from './configure.ts';

export interface ExportOptions extends ConfigFlags {
  out: string;
}

/** The server version for charts that depend on it; all of them accept this one. */
const KUBE_VERSION = 'v1.34.0';

/** `genai-obs export terraform`; needs no cluster. @throws ObsError (usage) when the folder holds other files */
export async function exportTerraform(options: ExportOptions): Promise<number> {
  const config = checkComplete(resolve(layersOf(options, undefined)));
  const steps = buildPlan(config);
  const before = existsSync(options.out) ? readdirSync(options.out) : [];
  if (before.length && !before.includes('main.tf.json'))
    throw usageError(
      `--out ${options.out} holds other files`,
      'name a folder that does not exist, is empty, or was written by this command',
    );
  const { files, copies, variables } = await terraform(steps, config.namespace, sourcesOf(config));
  files['README.md'] = readme(config, steps, variables);
  files['config.yaml'] = `# The configuration of this module.\n${stringify(config)}`;
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(options.out, path)), { recursive: true });
      writeFileSync(join(options.out, path), text);
    }
    for (const { from, to } of copies) cpSync(from, join(options.out, to), { recursive: true });
  } catch (error) {
    throw usageError(`--out ${options.out} cannot be written`, 'check the path and its permissions', messageOf(error));
  }
  process.stdout.write(`${Object.keys(files).toSorted().join('\n')}\n`);
  process.stderr.write(`Terraform module written to ${options.out}; usage: ${join(options.out, 'README.md')}\n`);
  return EXIT.ok;
}

function sourcesOf(config: Config): Sources {
  const charts = chartsFrom(config.global.charts);
  const helm = helmFor('');
  return {
    ownChart: (name) => assetPath('templates', name),
    archive: (chart) => (config.global.charts ? charts.path(chart) : Promise.resolve(undefined)),
    async definitions(chart, values) {
      const target = { release: chart.name, namespace: config.namespace };
      const path = await charts.path(chart);
      const objects = await helm.template(target, path, values, KUBE_VERSION, { crds: true });
      return objects.filter((object) => object.kind === 'CustomResourceDefinition').map(labelled);
    },
  };
}

function labelled(object: KubeObject): KubeObject {
  return {
    ...object,
    metadata: { ...object.metadata, labels: { ...object.metadata.labels, [PART_OF_LABEL]: PART_OF } },
  };
}
