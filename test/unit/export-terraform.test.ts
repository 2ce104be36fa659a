import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { layersOf } from '../../src/commands/configure.ts';
import { exportTerraform } from '../../src/commands/export.ts';
import { assetPath } from '../../src/core/assets.ts';
import type { Json, JsonMap, KubeObject } from '../../src/core/types.ts';
import { buildPlan } from '../../src/engine/plan/index.ts';
import type { Step } from '../../src/engine/steps/index.ts';
import { type Export, literal, terraform } from '../../src/export/terraform.ts';
import { extended, profileLayer, profileNames } from '../../src/profile/layers.ts';
import { resolve } from '../../src/profile/resolve.ts';
import { type Config, namespacesOf } from '../../src/profile/schema.ts';
import { quickstart } from './support/config.ts';

const dir = mkdtempSync(join(tmpdir(), 'genai-obs-terraform-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const works = (file: string, args: string[]): boolean => {
  try {
    execFileSync(file, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};
const program = ['terraform', 'tofu'].find((name) => works(name, ['version']));
const helm = works('helm', ['version']);

const CRD: KubeObject = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'things.example.com' },
  spec: { description: 'braces {{ stay }} ${as} they are' },
};

const made = (config: Config, steps = buildPlan(config), archive?: string): Promise<Export> =>
  terraform(steps, config.namespace, {
    definitions: () => Promise.resolve([CRD]),
    ownChart: (name) => assetPath('templates', name),
    archive: () => Promise.resolve(archive),
  });

const configOf = (profile: string): Config => resolve(extended(profileLayer(profile)));
type Block = Record<string, Json>;
interface Main {
  terraform: { required_providers: Record<string, { source: string }> };
  provider: JsonMap;
  resource: Record<string, Record<string, Block>>;
}
const mainOf = ({ files }: Export): Main => JSON.parse(files['main.tf.json'] ?? '{}') as Main;
const variablesOf = ({ files }: Export): Record<string, Block> =>
  (JSON.parse(files['variables.tf.json'] ?? '{}') as { variable: Record<string, Block> }).variable;
const resources = ({ resource }: Main): string[] =>
  Object.entries(resource).flatMap(([type, all]) => Object.keys(all).map((name) => `${type}.${name}`));
const block = ({ resource }: Main, address: string): Block => {
  const [type = '', name = ''] = address.split('.');
  return resource[type]?.[name] ?? {};
};

describe.each(profileNames())('profile %s as a Terraform module', (profile) => {
  const config = configOf(profile);
  const steps = buildPlan(config);
  let out: Export;
  let main: Main;
  const folder = join(dir, profile);
  beforeAll(async () => {
    out = await made(config, steps);
    main = mainOf(out);
    for (const [path, text] of Object.entries(out.files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    for (const { from, to } of out.copies) cpSync(from, join(folder, to), { recursive: true });
  });

  it('has every release, namespace, Secret and object of the plan', () => {
    const of = (kind: Step['kind']): Step[] => steps.filter((step) => step.kind === kind);
    const objects = steps.flatMap((step) => (step.kind === 'objects' ? step.objects : []));
    const count = (type: string): number => resources(main).filter((address) => address.startsWith(`${type}.`)).length;
    const custom = of('objects').filter(
      (step) =>
        step.kind === 'objects' && step.objects.some((object) => object.apiVersion.includes('opentelemetry.io')),
    );
    expect(count('kubernetes_namespace_v1')).toBe(namespacesOf(config).length);
    expect(count('kubernetes_secret_v1')).toBe(of('secret').length);
    expect(count('helm_release')).toBeGreaterThanOrEqual(of('release').length + of('crds').length + custom.length);
    const inFiles = Object.entries(out.files)
      .filter(([path]) => path.startsWith('objects/') || path.endsWith('/objects.yaml'))
      .flatMap(([path, text]) =>
        path.includes('templates/') ? [] : parseAllDocuments(text).map((document) => document.toJS() as KubeObject),
      );
    const names = (list: KubeObject[]): string[] =>
      list.map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? ''}/${metadata.name}`).toSorted();
    expect(names(inFiles.filter(({ kind }) => kind !== 'CustomResourceDefinition'))).toEqual(
      names(objects.filter(({ kind }) => kind !== 'Namespace')),
    );
    expect(new Set(resources(main)).size).toBe(resources(main).length);
  });

  it('references only files of the module, and has the values of the plan', () => {
    const paths = [...JSON.stringify(main).matchAll(/\$\{path\.module\}\/([^"\\]+)/g)].map(([, path = '']) => path);
    expect(paths.length).toBeGreaterThan(1);
    expect(paths.filter((path) => !existsSync(join(folder, path)))).toEqual([]);
    for (const step of steps)
      if (step.kind === 'release')
        expect(parse(out.files[`values/${step.id.slice('release/'.length)}.yaml`] ?? ''), step.id).toEqual(step.values);
  });

  it('depends only on its own resources and uses only declared variables', () => {
    const known = new Set(resources(main));
    const needed = resources(main).flatMap((address) => (block(main, address)['depends_on'] ?? []) as string[]);
    expect(needed.length).toBeGreaterThan(2);
    expect(needed.filter((address) => !known.has(address))).toEqual([]);
    const text = JSON.stringify(main);
    const used = [...new Set([...text.matchAll(/\$\{var\.(\w+)\}/g)].map(([, name = '']) => name))];
    expect(used.toSorted()).toEqual(Object.keys(variablesOf(out)).toSorted());
    const referenced = [...text.matchAll(/\$\{(helm_release\.\w+)\./g)].map(([, address = '']) => address);
    expect(referenced.filter((address) => !known.has(address))).toEqual([]);
  });

  it('interpolates only variables, files of the module and revisions of releases', () => {
    const text = JSON.stringify([main, variablesOf(out)]).replaceAll('$${', '');
    const known = /^\$\{(var\.\w+\}|path\.module\}|(yamldecode\()?file\(|helm_release\.\w+\.metadata\.revision\})/;
    const found = [...text.matchAll(/[$%]\{/g)].map(({ index }) => text.slice(index, index + 90));
    expect(found.length).toBeGreaterThan(2);
    expect(found.filter((one) => !known.test(one))).toEqual([]);
  });

  it.skipIf(!program)(
    `is a module that Terraform parses${program ? '' : ' (skipped: no terraform or tofu on the PATH)'}`,
    () => {
      // Without providers it cannot validate; `fmt` and `get` parse every file of a module.
      expect(() => execFileSync(program ?? '', ['get', '-no-color'], { cwd: folder, stdio: 'pipe' })).not.toThrow();
    },
  );
});

describe('terraform', () => {
  it('inherits the dependencies of a step without a resource', async () => {
    const objects = (id: string, needs: string[], name: string): Step => ({
      kind: 'objects',
      id,
      phase: 'storage',
      title: id,
      needs,
      objects: [{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'one' } }],
    });
    const steps: Step[] = [
      objects('a', [], 'a'),
      { kind: 'gate', gate: 'preflight', id: 'b', phase: 'preflight', title: 'b', needs: ['a'] },
      { kind: 'gate', gate: 'preflight', id: 'c', phase: 'preflight', title: 'c', needs: ['b', 'c'] },
      objects('d', ['c'], 'd'),
    ];
    const main = mainOf(await made(quickstart({ namespace: 'one' }), steps));
    expect(block(main, 'kubernetes_manifest.configmap_d')['depends_on']).toEqual(['kubernetes_manifest.configmap_a']);
  });

  it('pauses after each revision of a webhook release; a failed install leaves no helm record', async () => {
    const main = mainOf(await made(configOf('k3s')));
    expect(block(main, 'time_sleep.webhook_opentelemetry_operator')['triggers']).toEqual({
      release_opentelemetry_operator: '${helm_release.release_opentelemetry_operator.metadata.revision}',
    });
    const resource = block(main, 'helm_release.resource_otel_gateway');
    expect(resource['depends_on']).toContain('time_sleep.webhook_opentelemetry_operator');
    expect(resource['atomic']).toBe(true);
    expect(main.terraform.required_providers['time']?.source).toBe('hashicorp/time');
    expect(mainOf(await made(quickstart())).terraform.required_providers).not.toHaveProperty('time');
  });

  it('distinguishes objects with the same name in two namespaces', async () => {
    const map = (namespace: string): KubeObject => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'same', namespace },
    });
    const step: Step = {
      kind: 'objects',
      id: 'a',
      phase: 'storage',
      title: 'a',
      needs: [],
      objects: [map('one'), map('two')],
    };
    const out = await made(quickstart({ namespace: 'one' }), [step]);
    expect(resources(mainOf(out))).toEqual([
      'kubernetes_manifest.configmap_same',
      'kubernetes_manifest.configmap_two_same',
    ]);
    expect(Object.keys(out.files)).toEqual(
      expect.arrayContaining(['objects/configmap-same.yaml', 'objects/configmap-two-same.yaml']),
    );
  });

  it('takes secrets from sensitive variables, and writes no local value to a file', async () => {
    vi.stubEnv('GRAFANA_CLOUD_TOKEN', 'never-in-a-module');
    const out = await made(configOf('grafana-cloud'));
    expect(block(mainOf(out), 'kubernetes_secret_v1.grafana_cloud')['data']).toMatchObject({
      token: '${var.grafana_cloud_token}',
    });
    expect(variablesOf(out)['grafana_cloud_token']).toEqual({
      type: 'string',
      description: 'Key token of Secret grafana-cloud',
      sensitive: true,
    });
    expect(JSON.stringify(out)).not.toContain('never-in-a-module');
    const admin = await made(quickstart());
    expect(block(mainOf(admin), 'kubernetes_secret_v1.grafana_admin')['data']).toEqual({
      'admin-user': 'admin',
      'admin-password': '${var.grafana_admin_admin_password}',
    });
  });

  it('quotes template syntax in text, so that Terraform interpolates nothing there', async () => {
    expect(literal('a "${b}" %{c} \n')).toBe('a "$${b}" %%{c} \n');
    const step: Step = {
      kind: 'objects',
      id: 'a',
      phase: 'namespaces',
      title: 'for ${who}',
      needs: [],
      objects: [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'x', annotations: { note: '%{if}' } } }],
    };
    const main = mainOf(await made(quickstart(), [step]));
    expect(block(main, 'kubernetes_namespace_v1.x')).toEqual({
      '//': 'for $${who}',
      metadata: { name: 'x', annotations: { note: '%%{if}' } },
    });
  });

  it('takes upstream charts from their repository at the pinned version, or from an archive', async () => {
    const config = configOf('grafana-cloud');
    const home = block(mainOf(await made(config)), 'helm_release.release_k8s_monitoring');
    expect(home).toMatchObject({ repository: 'oci://ghcr.io/grafana/helm-charts', version: '4.4.0' });
    const beside = await made(config, buildPlan(config), '/somewhere/k8s-monitoring-4.4.0.tgz');
    expect(block(mainOf(beside), 'helm_release.release_k8s_monitoring')['chart']).toBe(
      '${path.module}/charts/k8s-monitoring-4.4.0.tgz',
    );
    expect(beside.copies).toEqual([
      { from: '/somewhere/k8s-monitoring-4.4.0.tgz', to: 'charts/k8s-monitoring-4.4.0.tgz' },
    ]);
  });

  it.skipIf(!helm)(
    `a bundle renders its objects unchanged, and helm keeps CRDs${helm ? '' : ' (skipped: no helm on the PATH)'}`,
    async () => {
      const { files } = await made(configOf('grafana-cloud'));
      const folder = join(dir, 'loose');
      for (const [path, text] of Object.entries(files)) {
        mkdirSync(dirname(join(folder, path)), { recursive: true });
        writeFileSync(join(folder, path), text);
      }
      const text = execFileSync('helm', ['template', 'x', join(folder, 'charts/crds-k8s-monitoring')], {
        encoding: 'utf8',
      });
      expect(parse(text)).toMatchObject({
        ...CRD,
        metadata: { name: 'things.example.com', annotations: { 'helm.sh/resource-policy': 'keep' } },
      });
    },
  );
});

describe('genai-obs export terraform', () => {
  const silent = (): void => {
    vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  };

  it('writes the module, our charts and a README with every variable; running it again overwrites it', async () => {
    silent();
    const out = join(dir, 'written');
    for (let i = 0; i < 2; i++) expect(await exportTerraform({ profile: 'quickstart', out })).toBe(0);
    vi.restoreAllMocks();
    expect(readdirSync(out).toSorted()).toEqual([
      'README.md',
      'charts',
      'config.yaml',
      'main.tf.json',
      'objects',
      'values',
      'variables.tf.json',
    ]);
    expect(resolve(layersOf({ file: [join(out, 'config.yaml')] }, undefined))).toEqual(quickstart());
    expect(existsSync(join(out, 'charts', 'loki', 'Chart.yaml'))).toBe(true);
    expect(readFileSync(join(out, 'README.md'), 'utf8')).toContain('export TF_VAR_grafana_admin_admin_password=…');
  });

  it('refuses a folder with other files, and a profile without an address', async () => {
    const out = join(dir, 'other');
    mkdirSync(out);
    writeFileSync(join(out, 'notes.txt'), 'mine');
    await expect(exportTerraform({ profile: 'quickstart', out })).rejects.toThrow('holds other files');
    await expect(exportTerraform({ profile: 'grafana-cloud', out: join(dir, 'none') })).rejects.toThrow(
      'destination.otlp.url is empty',
    );
    expect(existsSync(join(dir, 'none'))).toBe(false);
  });
});
