import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { changedSince, cli, cliOk, get, inventory, kubectl } from '../support/cluster.ts';

/** Upstream archives are never in the repository: a folder of them with its mirror.json, as `genai-obs mirror` writes it. */
const CHARTS = process.env['GENAI_OBS_CHARTS'];
const WHY = CHARTS ? '' : ' (skipped: GENAI_OBS_CHARTS names no folder with the upstream charts)';
const DIR = mkdtempSync(join(tmpdir(), 'genai-obs-profiles-'));

interface Case {
  home: string;
  /** What the bed has no image for is left out: metrics-server, SeaweedFS, nginx; simulated.test.ts installs these. */
  over: object;
  /** Warnings that the bed itself causes. */
  warns: RegExp;
}

const CASES: Record<string, Case> = {
  k3s: { home: 'observability', over: {}, warns: /^(PRE-11|K3S-\d+)$/ },
  // JAEG-06: traces in memory go with the pod.
  genops: { home: 'monitoring', over: {}, warns: /^(PRE-11|JAEG-06)$/ },
  production: {
    home: 'genai-observability',
    over: {
      size: 'S',
      storage: { s3: { enabled: false } },
      seaweedfs: { enabled: false },
      'metrics-server': { enabled: false },
    },
    warns: /^(PRE-11|COL-25)$/,
  },
  'llm-platform': { home: 'observability', over: { grafana: { gatewayProxy: { enabled: false } } }, warns: /^PRE-11$/ },
};

interface Report {
  findings: { id: string; status: string; evidence: string }[];
}

const remove = (home: string): Promise<unknown> =>
  cli(['uninstall', '--namespace', home, '--delete-data', '--yes', '--timeout', '180']);

afterAll(() => rmSync(DIR, { recursive: true, force: true }));

/** One story a profile: real charts, real pods, and afterwards a cluster as it was. */
describe.skipIf(!CHARTS)(`profiles of upstream charts${WHY}`, { sequential: true } as object, () => {
  describe.each(Object.entries(CASES))('%s', (name, { home, over, warns }) => {
    const file = join(DIR, `${name}.json`);
    const INSTALL = ['install', '-f', file, '--charts', CHARTS ?? '', '--yes', '--timeout', '240'];
    let before: string[];

    beforeAll(async () => {
      writeFileSync(file, JSON.stringify({ extends: name, ...over }));
      await remove(home);
      before = await inventory();
    });
    afterAll(async () => {
      await remove(home);
    });

    it('plan: the API server accepts every object, and nothing is changed', async () => {
      const { stdout } = await cliOk(['plan', '-f', file, '--charts', CHARTS ?? '']);
      expect(stdout).toMatch(/\d+ to create, 0 to change, 0 to delete/);
      expect(await changedSince(before)).toEqual({ left: [], gone: [] });
    });

    it('installs with every phase and wait, and its verification passes', { timeout: 600_000 }, async () => {
      expect((await cliOk(INSTALL)).stderr).toContain('Done in');
    });

    it('has nothing to do the second time', { timeout: 120_000 }, async () => {
      expect((await cliOk(INSTALL)).stderr).toContain('Nothing to do');
      expect((await cliOk(['plan', '-f', file, '--charts', CHARTS ?? '', '--exit-code'])).stdout).toContain(
        'Nothing to do',
      );
    });

    it('doctor and its probe find nothing wrong', { timeout: 180_000 }, async () => {
      const report = JSON.parse((await cli(['doctor', '--namespace', home, '--probe', '-o', 'json'])).stdout) as Report;
      const bad = report.findings.filter(
        ({ id, status }) => !['ok', 'skip'].includes(status) && !(status === 'warn' && warns.test(id)),
      );
      expect(bad.map(({ id, status, evidence }) => `${id} ${status}: ${evidence}`)).toEqual([]);
    });

    it('uninstalls, and leaves the cluster as it was', { timeout: 300_000 }, async () => {
      await cliOk(['uninstall', '--namespace', home, '--delete-data', '--yes', '--timeout', '180']);
      expect(await changedSince(before)).toEqual({ left: [], gone: [] });
    });
  });

  it('k3s: objects are called as seed 004 has them (rows 004-P2-02 to 004-P3-01)', { timeout: 600_000 }, async () => {
    const file = join(DIR, 'names.json');
    writeFileSync(file, JSON.stringify({ extends: 'k3s', storage: { enabled: false } }));
    try {
      await cliOk(['install', '-f', file, '--charts', CHARTS ?? '', '--yes', '--timeout', '240', '--skip', 'verify']);
      const names = async (kind: string, namespace: string): Promise<string[]> =>
        (await get(kind, '-n', namespace)).items.map(({ metadata }) => metadata.name);
      expect(await names('daemonset', 'observability')).toEqual(['otel-node-collector']);
      expect(await names('deployment', 'observability')).toEqual(
        expect.arrayContaining(['otel-gateway-collector', 'opentelemetry-operator']),
      );
      expect(await names('deployment', 'monitoring')).toContain('prometheus');
      for (const collector of ['otel-node-collector', 'otel-gateway-collector'])
        expect(
          (
            await kubectl([
              '-n',
              'observability',
              'get',
              'pods',
              '-l',
              `app.kubernetes.io/name=${collector}`,
              '-o',
              'name',
            ])
          ).trim(),
          collector,
        ).not.toBe('');
    } finally {
      await remove('observability');
    }
  });
});
