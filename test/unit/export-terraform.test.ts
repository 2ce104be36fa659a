import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { layersOf } from '../../src/commands/configure.ts';
import { exportTerraform } from '../../src/commands/export.ts';
import { assetPath } from '../../src/core/assets.ts';
import type { JsonMap, KubeObject } from '../../src/core/types.ts';
import { buildPlan } from '../../src/engine/plan.ts';
import type { Step } from '../../src/engine/types.ts';
import { hcl, quoted, raw } from '../../src/export/hcl.ts';
import { type Export, terraform } from '../../src/export/terraform.ts';
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
const PYTHON = process.env['GENAI_OBS_PYTHON'] ?? 'python3';
const hcl2 = works(PYTHON, ['-c', 'import hcl2']);
const formatter = ['terraform', 'tofu'].find((program) => works(program, ['version']));
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
const mainOf = ({ files }: Export): string => files['main.tf'] ?? '';
const resources = (text: string): string[] =>
  [...text.matchAll(/^resource "(\w+)" "(\w+)"/gm)].map(([, type, name]) => `${type}.${name}`);
const block = (text: string, address: string): string => {
  const [type = '', name = ''] = address.split('.');
  const start = text.indexOf(`resource "${type}" "${name}"`);
  return text.slice(start, text.indexOf('\n}\n', start));
};

describe.each(profileNames())('profile %s as a Terraform module', (profile) => {
  const config = configOf(profile);
  const steps = buildPlan(config);
  let out: Export;
  let main: string;
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

  it('names only files that lie beside it, and values that the plan has', () => {
    const paths = [...main.matchAll(/\$\{path\.module\}\/([^"]+)"/g)].map(([, path = '']) => path);
    expect(paths.filter((path) => !existsSync(join(folder, path)))).toEqual([]);
    for (const step of steps)
      if (step.kind === 'release')
        expect(parse(out.files[`values/${step.id.slice('release/'.length)}.yaml`] ?? ''), step.id).toEqual(step.values);
  });

  it('depends only on what it makes, uses only variables that it declares', () => {
    const known = new Set(resources(main));
    const needed = [...main.matchAll(/^ {4}((?:helm|kubernetes|time)_\w+\.\w+),$/gm)].map(
      ([, address = '']) => address,
    );
    expect(needed.length).toBeGreaterThan(2);
    expect(needed.filter((address) => !known.has(address))).toEqual([]);
    const declared = [...(out.files['variables.tf'] ?? '').matchAll(/^variable "(\w+)"/gm)].map(
      ([, name = '']) => name,
    );
    const used = [...new Set([...main.matchAll(/\bvar\.(\w+)/g)].map(([, name = '']) => name))];
    expect(used.toSorted()).toEqual(declared.toSorted());
  });

  it.skipIf(!formatter)(
    `is formatted as Terraform wants it, which also parses it${formatter ? '' : ' (skipped: no terraform or tofu on the PATH)'}`,
    () => {
      expect(
        execFileSync(formatter ?? '', ['fmt', '-check', '-diff', '-no-color', folder], {
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'ignore'],
        }),
      ).toBe('');
    },
  );

  it.skipIf(!hcl2)(`is HCL for another parser${hcl2 ? '' : ' (skipped: python-hcl2 is not installed)'}`, () => {
    const script =
      'import hcl2, json, sys; print(json.dumps({k: len(v) for k, v in hcl2.load(open(sys.argv[1])).items() if not k.startswith("__")}))';
    const parsed = JSON.parse(
      execFileSync(PYTHON, ['-c', script, join(folder, 'main.tf')], { encoding: 'utf8' }),
    ) as JsonMap;
    expect(parsed).toMatchObject({ terraform: 1, provider: 2, resource: resources(main).length });
  });
});

describe('terraform', () => {
  it('waits for what a step without a resource waits for', async () => {
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
    expect(
      block(mainOf(await made(quickstart({ namespace: 'one' }), steps)), 'kubernetes_manifest.configmap_d'),
    ).toContain('kubernetes_manifest.configmap_a,');
  });

  it('pauses where a webhook begins, anew after each change of its release; what it refuses leaves no record', async () => {
    const main = mainOf(await made(configOf('k3s')));
    expect(block(main, 'time_sleep.webhook_opentelemetry_operator')).toContain(
      'helm_release.release_opentelemetry_operator.metadata.revision',
    );
    const resource = block(main, 'helm_release.resource_otel_gateway');
    expect(resource).toContain('time_sleep.webhook_opentelemetry_operator,');
    expect(resource).toMatch(/^ {2}atomic += true$/m);
    expect(main).toContain('hashicorp/time');
    expect(mainOf(await made(quickstart()))).not.toContain('hashicorp/time');
  });

  it('keeps objects of one name in two namespaces apart', async () => {
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

  it('asks for secrets by sensitive variables; what the machine knows is in no file', async () => {
    vi.stubEnv('GRAFANA_CLOUD_TOKEN', 'never-in-a-module');
    const out = await made(configOf('grafana-cloud'));
    expect(block(mainOf(out), 'kubernetes_secret_v1.grafana_cloud')).toContain('token    = var.grafana_cloud_token');
    expect(out.files['variables.tf']).toMatch(
      /variable "grafana_cloud_token" \{\n {2}type {8}= string\n {2}description = ".*"\n {2}sensitive {3}= true\n\}/,
    );
    expect(JSON.stringify(out)).not.toContain('never-in-a-module');
    const admin = await made(quickstart());
    expect(block(mainOf(admin), 'kubernetes_secret_v1.grafana_admin')).toMatch(
      /"?admin-user"? += "admin"\n +"?admin-password"? += var\.grafana_admin_admin_password/,
    );
  });

  it('takes upstream charts from their homes at the pinned version, or from beside it', async () => {
    const config = configOf('grafana-cloud');
    const home = block(mainOf(await made(config)), 'helm_release.release_k8s_monitoring');
    expect(home).toContain('repository = "oci://ghcr.io/grafana/helm-charts"');
    expect(home).toContain('version    = "4.4.0"');
    const beside = await made(config, buildPlan(config), '/somewhere/k8s-monitoring-4.4.0.tgz');
    expect(block(mainOf(beside), 'helm_release.release_k8s_monitoring')).toContain(
      '"${path.module}/charts/k8s-monitoring-4.4.0.tgz"',
    );
    expect(beside.copies).toEqual([
      { from: '/somewhere/k8s-monitoring-4.4.0.tgz', to: 'charts/k8s-monitoring-4.4.0.tgz' },
    ]);
  });

  it.skipIf(!helm)(
    `a chart of loose objects renders them as they are, and definitions stay${helm ? '' : ' (skipped: no helm on the PATH)'}`,
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

describe('hcl', () => {
  it('interpolates nothing in strings', () => {
    expect(quoted('a "${b}" %{c} \n')).toBe('"a \\"$${b}\\" %%{c} \\n"');
  });

  it('aligns what stands together, and writes empty lists and maps', () => {
    expect(
      hcl([
        {
          type: 'a',
          labels: ['b'],
          about: 'note',
          attributes: { x: 1, long: raw('var.y'), list: [], deep: { 'k/1': true }, map: {} },
        },
      ]),
    ).toBe(
      '# note\na "b" {\n  x    = 1\n  long = var.y\n  list = []\n  deep = {\n    "k/1" = true\n  }\n  map = {}\n}\n',
    );
  });
});

describe('genai-obs export terraform', () => {
  const silent = (): void => {
    vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  };

  it('writes module, own charts and a README with every variable, and writes it again over itself', async () => {
    silent();
    const out = join(dir, 'written');
    for (let i = 0; i < 2; i++) expect(await exportTerraform({ profile: 'quickstart', out })).toBe(0);
    vi.restoreAllMocks();
    expect(readdirSync(out).toSorted()).toEqual([
      'README.md',
      'charts',
      'config.yaml',
      'main.tf',
      'objects',
      'values',
      'variables.tf',
    ]);
    expect(resolve(layersOf({ file: [join(out, 'config.yaml')] }, undefined))).toEqual(quickstart());
    expect(existsSync(join(out, 'charts', 'loki', 'Chart.yaml'))).toBe(true);
    expect(readFileSync(join(out, 'README.md'), 'utf8')).toContain('export TF_VAR_grafana_admin_admin_password=…');
  });

  it('refuses a folder that holds something else, and a profile that lacks an address', async () => {
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
