import { stringify } from 'yaml';
import { kindInfo } from '../adapters/kinds.ts';
import { PINS, type Pin } from '../charts/pins.ts';
import type { KubeObject } from '../core/types.ts';
import type { CrdsStep, ObjectsStep, ReleaseStep, SecretStep, Step, WebhookStep } from '../engine/types.ts';
import { type Block, type HclValue, hcl, raw } from './hcl.ts';

/** What is written: files by path, and folders or archives to be copied, from → path. */
export interface Export {
  files: Record<string, string>;
  copies: { from: string; to: string }[];
}

/** What only this machine knows of charts. */
export interface Sources {
  /** Definitions that a chart renders. */
  definitions: (step: CrdsStep) => Promise<KubeObject[]>;
  /** Folder of one of our own charts. */
  ownChart: (name: string) => string;
  /** Archive of an upstream chart that is to lie beside; undefined: Terraform takes it from the chart's own home. */
  archive: (step: ReleaseStep) => Promise<string | undefined>;
}

/** Providers in whose syntax this is written. */
const PROVIDERS: Record<string, { source: string; version: string }> = {
  helm: { source: 'hashicorp/helm', version: '~> 3.0' },
  kubernetes: { source: 'hashicorp/kubernetes', version: '>= 2.38, < 4.0' },
};
const TIME: typeof PROVIDERS = { time: { source: 'hashicorp/time', version: '~> 0.12' } };

const label = (text: string): string => text.replace(/[^A-Za-z0-9]+/g, '_');

interface Work extends Export {
  home: string;
  sources: Sources;
  variables: Map<string, Block>;
}

interface Part {
  /** Address that others depend on. */
  address: string;
  block: Block;
}

/**
 * A plan as a Terraform module: the same namespaces, Secrets, objects and releases in the same order (row 002-DEP-03). Instead of asking a webhook whether
 * it serves, Terraform pauses; other gates and removals have no place in it.
 */
export async function terraform(steps: Step[], home: string, sources: Sources): Promise<Export> {
  const out: Work = { files: {}, copies: [], home, sources, variables: new Map() };
  const parts = new Map<string, Part[]>();
  const byId = new Map(steps.map((step) => [step.id, step]));
  for (const step of steps) parts.set(step.id, await partsOf(step, out));
  // A step that leaves nothing here is stood for by what it needs itself.
  const addresses = (id: string, seen = new Set<string>()): string[] => {
    if (seen.has(id)) return [];
    seen.add(id);
    const own = parts.get(id) ?? [];
    return own.length
      ? own.map(({ address }) => address)
      : (byId.get(id)?.needs ?? []).flatMap((need) => addresses(need, seen));
  };
  const blocks = steps.flatMap((step) => {
    const needs = [...new Set(step.needs.flatMap((id) => addresses(id)))].toSorted();
    return (parts.get(step.id) ?? []).map(({ block }) =>
      needs.length ? { ...block, attributes: { ...block.attributes, depends_on: needs.map(raw) } } : block,
    );
  });
  const pauses = steps.some((step) => step.kind === 'webhook');
  out.files['main.tf'] = hcl([...setup({ ...PROVIDERS, ...(pauses ? TIME : {}) }), ...blocks]);
  out.files['variables.tf'] = hcl([...connection(), ...out.variables.values()]);
  return { files: out.files, copies: out.copies };
}

function setup(providers: typeof PROVIDERS): Block[] {
  const kube: Record<string, HclValue> = {
    config_path: raw('var.kubeconfig'),
    config_context: raw('var.kube_context'),
  };
  return [
    {
      type: 'terraform',
      attributes: { required_version: '>= 1.5' },
      blocks: [{ type: 'required_providers', attributes: providers }],
    },
    { type: 'provider', labels: ['kubernetes'], attributes: kube },
    { type: 'provider', labels: ['helm'], attributes: { kubernetes: kube } },
  ];
}

function connection(): Block[] {
  const variable = (name: string, description: string, more: Record<string, HclValue> = {}): Block => ({
    type: 'variable',
    labels: [name],
    attributes: { type: raw('string'), description, ...more },
  });
  return [
    variable('kubeconfig', 'Path of the kubeconfig', { default: '~/.kube/config' }),
    variable(
      'kube_context',
      'Context of the kubeconfig: named here, so that nothing goes to another cluster by accident',
    ),
  ];
}

async function partsOf(step: Step, out: Work): Promise<Part[]> {
  switch (step.kind) {
    case 'objects':
      return objectParts(step, out);
    case 'secret':
      return [secretPart(step, out)];
    case 'crds':
      return [looseChart(step, (await out.sources.definitions(step)).map(kept), out)];
    case 'release':
      return [await releasePart(step, out)];
    case 'webhook':
      return [pausePart(step)];
    default:
      return [];
  }
}

function resource(type: string, name: string, block: Omit<Block, 'type' | 'labels'>): Part {
  return { address: `${type}.${name}`, block: { type: 'resource', labels: [type, name], ...block } };
}

const metadata = ({ name, namespace, labels, annotations }: KubeObject['metadata']): Block => ({
  type: 'metadata',
  attributes: {
    name,
    ...(namespace ? { namespace } : {}),
    ...(labels ? { labels } : {}),
    ...(annotations ? { annotations } : {}),
  },
});

function objectParts(step: ObjectsStep, out: Work): Part[] {
  const isCustom = (object: KubeObject): boolean => kindInfo(object.kind).custom === true;
  const custom = step.objects.filter(isCustom);
  const plain = step.objects
    .filter((object) => !isCustom(object))
    .map((object): Part => {
      const { namespace = out.home, name } = object.metadata;
      if (object.kind === 'Namespace')
        return resource('kubernetes_namespace_v1', label(name), { blocks: [metadata(object.metadata)] });
      // The same name may stand in several namespaces.
      const id = [object.kind.toLowerCase(), ...(namespace === out.home ? [] : [namespace]), name].join('-');
      const path = `objects/${id}.yaml`;
      out.files[path] = stringify(object, { lineWidth: 0 });
      const manifest = raw(`yamldecode(file("\${path.module}/${path}"))`);
      return resource('kubernetes_manifest', label(id), { about: step.title, attributes: { manifest } });
    });
  return custom.length ? [...plain, looseChart(step, custom, out)] : plain;
}

/**
 * Objects of kinds that the cluster does not know yet, and their definitions: as the one file of a chart, because
 * `kubernetes_manifest` asks the cluster for the kind already when it plans.
 */
function looseChart(step: Step, objects: KubeObject[], out: Work): Part {
  const chart = step.id.replace(/[^a-z0-9]+/gi, '-').toLowerCase();
  const folder = `charts/${chart}`;
  out.files[`${folder}/Chart.yaml`] = stringify({
    apiVersion: 'v2',
    name: chart,
    version: '1.0.0',
    description: step.title,
  });
  out.files[`${folder}/templates/objects.yaml`] = `{{ .Files.Get "objects.yaml" }}\n`;
  out.files[`${folder}/objects.yaml`] = objects.map((object) => stringify(object, { lineWidth: 0 })).join('---\n');
  const namespace = objects.find((object) => object.metadata.namespace)?.metadata.namespace ?? out.home;
  return resource('helm_release', label(step.id), {
    about: step.title,
    // What a webhook refuses leaves no record of helm's: the next apply would trip over it.
    attributes: {
      name: chart,
      namespace,
      chart: raw(`"\${path.module}/${folder}"`),
      wait: true,
      atomic: true,
      timeout: TIMEOUT,
    },
  });
}

/** Until the nodes' proxies know the pods behind a new Service, calls of a webhook are refused, though its pods are ready. Anew after each change of the release. */
function pausePart(step: WebhookStep): Part {
  const releases = step.needs.filter((id) => id.startsWith('release/'));
  return resource('time_sleep', label(step.id), {
    about: step.title,
    attributes: {
      create_duration: '20s',
      triggers: Object.fromEntries(
        releases.map((id): [string, HclValue] => [label(id), raw(`helm_release.${label(id)}.metadata.revision`)]),
      ),
    },
  });
}

/** A definition that goes takes every object of its kind along. */
function kept(object: KubeObject): KubeObject {
  return {
    ...object,
    metadata: {
      ...object.metadata,
      annotations: { ...object.metadata.annotations, 'helm.sh/resource-policy': 'keep' },
    },
  };
}

/** Every value that nobody but the user may know is a sensitive variable without default. */
function secretPart(step: SecretStep, { variables }: Work): Part {
  const { name } = step.object.metadata;
  const data = Object.fromEntries(
    Object.entries(step.keys).map(([key, value]): [string, HclValue] => {
      if (typeof value === 'string') return [key, value];
      const given = value !== null && 'fromEnv' in value ? value.fromEnv.toLowerCase() : '';
      const variable = label(given || `${name}_${key}`);
      variables.set(variable, {
        type: 'variable',
        labels: [variable],
        attributes: { type: raw('string'), description: `Key ${key} of Secret ${name}`, sensitive: true },
      });
      return [key, raw(`var.${variable}`)];
    }),
  );
  return resource('kubernetes_secret_v1', label(step.id.replace(/^secret\//, '')), {
    attributes: { type: 'Opaque', data },
    blocks: [metadata(step.object.metadata)],
  });
}

/** Seconds; images may have to be pulled. */
const TIMEOUT = 900;

async function releasePart(step: ReleaseStep, out: Work): Promise<Part> {
  const name = step.id.replace(/^release\//, '');
  const values = `values/${name}.yaml`;
  out.files[values] = stringify(step.values, { lineWidth: 0, aliasDuplicateObjects: false });
  return resource('helm_release', label(step.id), {
    about: step.title,
    attributes: {
      name: step.release,
      namespace: step.namespace,
      ...(await chartOf(step, out)),
      values: [raw(`file("\${path.module}/${values}")`)],
      // Definitions are releases of their own: helm installs those of a chart once and never upgrades them.
      skip_crds: true,
      wait: true,
      timeout: TIMEOUT,
      max_history: 5,
    },
  });
}

async function chartOf(step: ReleaseStep, out: Work): Promise<Record<string, HclValue>> {
  if (step.chart.source === 'genai-obs') {
    const to = `charts/${step.chart.name}`;
    out.copies.push({ from: out.sources.ownChart(step.chart.name), to });
    return { chart: raw(`"\${path.module}/${to}"`) };
  }
  const pin: Pin = PINS[step.chart.name];
  const archive = await out.sources.archive(step);
  if (archive) {
    const to = `charts/${pin.chart}-${pin.version}.tgz`;
    out.copies.push({ from: archive, to });
    return { chart: raw(`"\${path.module}/${to}"`) };
  }
  return {
    repository: pin.oci ? pin.oci.slice(0, pin.oci.lastIndexOf('/')) : pin.repo,
    chart: pin.chart,
    version: pin.version,
  };
}
