import { stringify } from 'yaml';
import { type ChartRef, PINS, type Pin } from '../charts/pins.ts';
import type { Json, JsonMap, KubeObject } from '../core/types.ts';
import { type Step, exportStep, stepsOf } from '../engine/steps/index.ts';
import type { ExportWriter, Release, StepBase } from '../engine/steps/types.ts';
import type { SecretValue } from '../parts/types.ts';

export interface Export {
  files: Record<string, string>;
  copies: { from: string; to: string }[];
  variables: string[];
}

/** Where charts come from on this machine. */
export interface Sources {
  definitions: ExportWriter['definitions'];
  ownChart: (name: string) => string;
  /** Archive to copy into the module; undefined: Terraform downloads it from the chart's own home. */
  archive: (chart: ChartRef) => Promise<string | undefined>;
}

/** Providers for whose schema the module is written. */
const PROVIDERS: JsonMap = {
  helm: { source: 'hashicorp/helm', version: '~> 3.0' },
  kubernetes: { source: 'hashicorp/kubernetes', version: '>= 2.38, < 4.0' },
};
const TIME: JsonMap = { time: { source: 'hashicorp/time', version: '~> 0.12' } };

/** Seconds for a release: images may have to be pulled. */
const TIMEOUT = 900;

/**
 * A plan as a Terraform module in JSON syntax: the same namespaces, Secrets, objects and releases in the same order.
 * Terraform pauses where we would ask a webhook; gates and removals have no counterpart.
 * @see https://developer.hashicorp.com/terraform/language/syntax/json
 */
export async function terraform(steps: Step[], home: string, sources: Sources): Promise<Export> {
  const module = newModule(home, sources);
  for (const step of steps) await exportStep(step, module.writer);
  const dependsOn = dependencies(steps, module.resources);
  const resource: Record<string, JsonMap> = {};
  for (const { step, type, name, body } of module.resources) {
    const needs = dependsOn(step);
    (resource[type] ??= {})[name] = { ...body, ...(needs.length ? { depends_on: needs } : {}) };
  }
  const kube: JsonMap = { config_path: '${var.kubeconfig}', config_context: '${var.kube_context}' };
  const providers = { ...PROVIDERS, ...(stepsOf(steps, 'webhook').length ? TIME : {}) };
  const main = {
    terraform: { required_version: '>= 1.5', required_providers: providers },
    provider: { kubernetes: kube, helm: { kubernetes: kube } },
    resource,
  };
  return {
    files: {
      ...module.files,
      'main.tf.json': json(main),
      'variables.tf.json': json({ variable: { ...CONNECTION, ...module.variables } }),
    },
    copies: module.copies,
    variables: Object.keys(module.variables),
  };
}

const CONNECTION: JsonMap = {
  kubeconfig: { type: 'string', description: 'Path of the kubeconfig', default: '~/.kube/config' },
  kube_context: {
    type: 'string',
    description: 'Context of the kubeconfig. It has no default, so that nothing goes to another cluster by accident',
  },
};

const json = (value: object): string => `${JSON.stringify(value, null, 2)}\n`;

/** Text in which Terraform interpolates nothing. */
export const literal = (text: string): string => text.replace(/([$%])\{/g, '$1$1{');

const literals = (map: Record<string, string> = {}): JsonMap =>
  Object.fromEntries(Object.entries(map).map(([key, value]) => [literal(key), literal(value)]));

const label = (text: string): string => text.replace(/[^A-Za-z0-9]+/g, '_');
const yaml = (value: unknown): string => stringify(value, { lineWidth: 0, aliasDuplicateObjects: false });

interface Resource {
  /** Id of the step that it stands for. */
  step: string;
  type: string;
  name: string;
  body: JsonMap;
}

/** Addresses that a step's resources depend on. A step without resources is replaced by the steps that it needs. */
function dependencies(steps: Step[], resources: Resource[]): (id: string) => string[] {
  const byId = new Map(steps.map((step) => [step.id, step]));
  const addresses = (id: string, seen: Set<string>): string[] => {
    if (seen.has(id)) return [];
    seen.add(id);
    const own = resources.filter(({ step }) => step === id).map(({ type, name }) => `${type}.${name}`);
    return own.length ? own : (byId.get(id)?.needs ?? []).flatMap((need) => addresses(need, seen));
  };
  return (id) => [...new Set((byId.get(id)?.needs ?? []).flatMap((need) => addresses(need, new Set())))].toSorted();
}

interface Module {
  files: Record<string, string>;
  copies: Export['copies'];
  variables: JsonMap;
  resources: Resource[];
  writer: ExportWriter;
}

function newModule(home: string, sources: Sources): Module {
  const files: Module['files'] = {};
  const copies: Module['copies'] = [];
  const variables: JsonMap = {};
  const resources: Resource[] = [];
  const add = (step: StepBase, type: string, name: string, body: JsonMap): void =>
    void resources.push({ step: step.id, type, name: label(name), body: { '//': literal(step.title), ...body } });
  const writer: ExportWriter = {
    definitions: sources.definitions,
    object(step, object) {
      if (object.kind === 'Namespace')
        return add(step, 'kubernetes_namespace_v1', object.metadata.name, { metadata: metadata(object) });
      const { namespace = home, name } = object.metadata;
      // Objects in different namespaces may have the same name.
      const id = [object.kind.toLowerCase(), ...(namespace === home ? [] : [namespace]), name].join('-');
      files[`objects/${id}.yaml`] = yaml(object);
      const manifest = `\${yamldecode(file("\${path.module}/objects/${id}.yaml"))}`;
      add(step, 'kubernetes_manifest', id, { manifest });
    },
    bundle(step, objects) {
      const chart = step.id.replace(/[^a-z0-9]+/gi, '-').toLowerCase();
      Object.assign(files, bundleChart(chart, step.title, objects));
      const namespace = objects.find((object) => object.metadata.namespace)?.metadata.namespace ?? home;
      // atomic: an install that a webhook refuses leaves no helm record, over which the next apply would fail.
      const options = { wait: true, atomic: true, timeout: TIMEOUT };
      add(step, 'helm_release', step.id, { name: chart, namespace, chart: inModule(`charts/${chart}`), ...options });
    },
    secret(step, object, keys) {
      const { data, inputs } = secretData(object, keys);
      Object.assign(variables, inputs);
      const name = step.id.replace(/^secret\//, '');
      add(step, 'kubernetes_secret_v1', name, { metadata: metadata(object), type: 'Opaque', data });
    },
    async release(step, release) {
      const values = `values/${step.id.replace(/^release\//, '')}.yaml`;
      files[values] = yaml(release.values);
      add(step, 'helm_release', step.id, {
        name: release.release,
        namespace: release.namespace,
        ...(await chartOf(release, sources, copies)),
        values: [`\${file("\${path.module}/${values}")}`],
        // CRDs are releases of their own: helm installs the CRDs of a chart once and never upgrades them.
        skip_crds: true,
        wait: true,
        timeout: TIMEOUT,
        max_history: 5,
      });
    },
    /** Webhook calls fail until kube-proxy knows a new Service's pods; repeated after each change of the release. */
    pause(step, releases) {
      const revision = (id: string): string => `\${helm_release.${label(id)}.metadata.revision}`;
      const triggers = Object.fromEntries(releases.map((id): [string, Json] => [label(id), revision(id)]));
      add(step, 'time_sleep', step.id, { create_duration: '20s', triggers });
    },
  };
  return { files, copies, variables, resources, writer };
}

const inModule = (path: string): string => `\${path.module}/${path}`;

function metadata({ metadata: { name, namespace, labels, annotations } }: KubeObject): JsonMap {
  return {
    name,
    ...(namespace ? { namespace } : {}),
    ...(labels ? { labels: literals(labels) } : {}),
    ...(annotations ? { annotations: literals(annotations) } : {}),
  };
}

/** `kubernetes_manifest` would need the kinds in the cluster when Terraform plans; a chart does not. */
function bundleChart(name: string, description: string, objects: KubeObject[]): Record<string, string> {
  return {
    [`charts/${name}/Chart.yaml`]: stringify({ apiVersion: 'v2', name, version: '1.0.0', description }),
    [`charts/${name}/templates/objects.yaml`]: `{{ .Files.Get "objects.yaml" }}\n`,
    [`charts/${name}/objects.yaml`]: objects.map(yaml).join('---\n'),
  };
}

/** Fixed values, and a sensitive variable without a default for each value that only the user knows. */
function secretData({ metadata: { name } }: KubeObject, keys: Record<string, SecretValue>) {
  const data: JsonMap = {};
  const inputs: JsonMap = {};
  for (const [key, value] of Object.entries(keys)) {
    if (typeof value === 'string') data[key] = literal(value);
    else {
      const given = value !== null && 'fromEnv' in value ? value.fromEnv.toLowerCase() : '';
      const variable = label(given || `${name}_${key}`);
      data[key] = `\${var.${variable}}`;
      inputs[variable] = { type: 'string', description: `Key ${key} of Secret ${name}`, sensitive: true };
    }
  }
  return { data, inputs };
}

async function chartOf({ chart }: Release, sources: Sources, copies: Export['copies']): Promise<JsonMap> {
  const copied = (from: string, to: string): JsonMap => {
    copies.push({ from, to });
    return { chart: inModule(to) };
  };
  if (chart.source === 'genai-obs') return copied(sources.ownChart(chart.name), `charts/${chart.name}`);
  const pin: Pin = PINS[chart.name];
  const archive = await sources.archive(chart);
  if (archive) return copied(archive, `charts/${pin.chart}-${pin.version}.tgz`);
  const repository = pin.oci ? pin.oci.slice(0, pin.oci.lastIndexOf('/')) : (pin.repo ?? null);
  return { repository, chart: pin.chart, version: pin.version };
}
