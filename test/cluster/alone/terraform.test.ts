/** Applies and destroys the output of `export terraform` with OpenTofu and HashiCorp's providers. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BIN, CHARTS, noCharts, notBuilt, skipNote } from '../support/bed.ts';
import {
  type Run,
  changedSince,
  cli,
  cliOk,
  eventually,
  get,
  inventory,
  kubectl,
  onInterrupt,
  run,
} from '../support/cluster.ts';

const PROVIDERS = { helm: '3.2.0', kubernetes: '3.2.1', time: '0.14.2' };
const noPrograms = notBuilt('tofu', ...Object.keys(PROVIDERS).map((name) => `terraform-provider-${name}`));
const DIR = mkdtempSync(join(tmpdir(), 'genai-obs-terraform-'));
const PLUGINS = join(DIR, 'plugins');
const SECRET = 'it-terraform-4Xr9';

const CASES: { profile: string; args?: string[]; secret: [namespace: string, name: string, key: string] }[] = [
  { profile: 'quickstart', secret: ['genai-observability', 'grafana-admin', 'admin-password'] },
  { profile: 'k3s', secret: ['grafana', 'grafana-admin', 'admin-password'] },
  {
    profile: 'grafana-cloud',
    args: ['--cloud-url', 'https://otlp-gateway-nowhere.invalid/otlp', '--cloud-user', '1'],
    secret: ['grafana-k8s-monitoring', 'grafana-cloud', 'token'],
  },
];

/** Keeps state in the module's folder and ignores the user's own settings. */
const ENV = {
  TF_IN_AUTOMATION: '1',
  TF_CLI_CONFIG_FILE: '/dev/null',
  TF_VAR_kubeconfig: process.env['KUBECONFIG'] ?? '',
  TF_VAR_kube_context: 'bed',
  TF_VAR_grafana_admin_admin_password: SECRET,
  TF_VAR_grafana_cloud_token: SECRET,
};

beforeAll(() => {
  for (const [name, version] of Object.entries(PROVIDERS)) {
    const folder = join(PLUGINS, 'registry.opentofu.org', 'hashicorp', name, version, 'linux_amd64');
    mkdirSync(folder, { recursive: true });
    symlinkSync(join(BIN, `terraform-provider-${name}`), join(folder, `terraform-provider-${name}_v${version}`));
  }
});
afterAll(() => rmSync(DIR, { recursive: true, force: true }));

describe.each(CASES)('Terraform: $profile', ({ profile, args = [], secret: [namespace, name, key] }) => {
  const why = noPrograms ?? (profile === 'quickstart' ? undefined : noCharts);
  describe.skipIf(why !== undefined)(`on the cluster${skipNote(why)}`, { sequential: true } as object, () => {
    const module = join(DIR, profile);
    const tofu = (...words: string[]): Promise<Run> => run('tofu', [...words, '-no-color'], { cwd: module, env: ENV });
    const tofuOk = async (...words: string[]): Promise<string> => {
      const { code, stdout, stderr } = await tofu(...words);
      // stdout has every line of every dashboard; the errors are on stderr.
      if (code !== 0) throw new Error(`tofu ${words.join(' ')}: exit code ${code}\n${stderr}`);
      return stdout;
    };
    const crdFiles = (): string[] => {
      const charts = join(module, 'charts');
      const folders = existsSync(charts) ? readdirSync(charts).filter((folder) => folder.startsWith('crds-')) : [];
      return folders.map((folder) => join(charts, folder, 'objects.yaml'));
    };
    let before: string[];

    beforeAll(async () => {
      before = await inventory();
      onInterrupt(() => {
        spawnSync('tofu', ['destroy', '-auto-approve'], {
          cwd: module,
          env: { ...process.env, ...ENV },
          stdio: 'ignore',
        });
        for (const file of crdFiles())
          spawnSync('kubectl', ['delete', '-f', file, '--ignore-not-found'], { stdio: 'ignore' });
      });
    });
    afterAll(async () => {
      if (existsSync(join(module, 'terraform.tfstate'))) await tofu('destroy', '-auto-approve');
      for (const file of crdFiles()) await kubectl(['delete', '-f', file, '--ignore-not-found']);
    }, 300_000);

    it('is applied and waits for every release', { timeout: 420_000 }, async () => {
      await cliOk([
        'export',
        'terraform',
        '--profile',
        profile,
        ...args,
        ...(CHARTS ? ['--charts', CHARTS] : []),
        '--out',
        module,
      ]);
      await tofuOk('init', `-plugin-dir=${PLUGINS}`);
      expect(await tofuOk('apply', '-auto-approve')).toMatch(
        /Apply complete! Resources: \d+ added, 0 changed, 0 destroyed/,
      );
      const { data } = await get<{ data: Record<string, string> }>('secret', name, '-n', namespace);
      expect(Buffer.from(data[key] ?? '', 'base64').toString()).toBe(SECRET);
    });

    it('plans no change afterwards', { timeout: 120_000 }, async () => {
      const { code, stdout } = await tofu('plan', '-detailed-exitcode');
      expect(stdout).toContain('No changes');
      expect(code).toBe(0);
    });

    const noCloud = profile === 'grafana-cloud' ? 'there is no Grafana Cloud to send to' : undefined;
    it.skipIf(noCloud !== undefined)(
      `is healthy: doctor finds no problem with the exported configuration${skipNote(noCloud)}`,
      { timeout: 180_000 },
      async () => {
        await eventually('doctor reports no problem', async () => {
          const { code, stdout } = await cli(['doctor', '-f', join(module, 'config.yaml'), '--probe', '-o', 'short']);
          if (code !== 0) throw new Error(stdout);
          return true;
        });
      },
    );

    it('is destroyed except for the CRDs', { timeout: 300_000 }, async () => {
      expect(await tofuOk('destroy', '-auto-approve')).toContain('Destroy complete!');
      const kept = crdFiles().flatMap((file) =>
        [...readFileSync(file, 'utf8').matchAll(/^ {2}name: (\S+\.\S+)$/gm)].map(([, crd = '']) => crd),
      );
      const there = new Set((await get('customresourcedefinition')).items.map(({ metadata }) => metadata.name));
      expect(kept.filter((crd) => !there.has(crd))).toEqual([]);
      if (profile !== 'quickstart') expect(kept.length).toBeGreaterThan(0);
      for (const file of crdFiles()) await kubectl(['delete', '-f', file]);
      const { added, removed } = await changedSince(before);
      expect({ added, removed }).toEqual({ added: [], removed: [] });
    });
  });
});
