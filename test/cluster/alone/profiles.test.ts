import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHARTS, noCharts, skipNote } from '../support/bed.ts';
import { changedSince, cli, cliOk, get, inventory, kubectl, uninstallArgs } from '../support/cluster.ts';
import { doctor, problems } from '../support/doctor.ts';

const DIR = mkdtempSync(join(tmpdir(), 'genai-obs-profiles-'));

interface Case {
  home: string;
  /** Disables what the bed has no image for: metrics-server, SeaweedFS, nginx. simulated.test.ts installs these. */
  over: object;
  /** IDs of warnings that the test bed causes. */
  warns: RegExp;
}

const CASES: Record<string, Case> = {
  k3s: { home: 'observability', over: {}, warns: /^(PRE-11|K3S-\d+)$/ },
  // JAEG-06: traces are in memory.
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

const remove = (home: string): Promise<unknown> => cli(uninstallArgs(home));

afterAll(() => rmSync(DIR, { recursive: true, force: true }));

/** Real charts and real pods. The tests of a profile run in order and build on each other. */
describe.skipIf(!CHARTS)(`profiles of upstream charts${skipNote(noCharts)}`, { sequential: true } as object, () => {
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

    it('plan shows objects that the API server accepts, and changes nothing', async () => {
      const { stdout } = await cliOk(['plan', '-f', file, '--charts', CHARTS ?? '']);
      expect(stdout).toMatch(/\d+ to create, 0 to change, 0 to delete/);
      expect(await changedSince(before)).toEqual({ added: [], removed: [] });
    });

    it('installs all phases, and the verification passes', { timeout: 600_000 }, async () => {
      expect((await cliOk(INSTALL)).stderr).toContain('Done in');
    });

    it('has nothing to do the second time', { timeout: 120_000 }, async () => {
      expect((await cliOk(INSTALL)).stderr).toContain('Nothing to do');
      expect((await cliOk(['plan', '-f', file, '--charts', CHARTS ?? '', '--exit-code'])).stdout).toContain(
        'Nothing to do',
      );
    });

    it('doctor finds no problem, also with the probe', { timeout: 180_000 }, async () => {
      expect(problems(await doctor(home, '--probe'), warns)).toEqual([]);
    });

    it('uninstalls, and leaves the cluster as it was', { timeout: 300_000 }, async () => {
      await cliOk(uninstallArgs(home));
      expect(await changedSince(before)).toEqual({ added: [], removed: [] });
    });
  });

  it('k3s: objects have the names of the original K3s guide', { timeout: 600_000 }, async () => {
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
      for (const collector of ['otel-node-collector', 'otel-gateway-collector']) {
        const label = `app.kubernetes.io/name=${collector}`;
        const found = await kubectl(['-n', 'observability', 'get', 'pods', '-l', label, '-o', 'name']);
        expect(found.trim(), collector).not.toBe('');
      }
    } finally {
      await remove('observability');
    }
  });
});
