import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PINS } from '../../../src/charts/pins.ts';
import { archiveOf } from '../../../src/charts/source.ts';
import { type FakeCloud, fakeCloud } from '../../support/cloud.ts';
import { CHARTS, noCharts, notBuilt, skipNote } from '../support/bed.ts';
import { changedSince, cli, cliOk, get, inventory, kubectl, run, uninstallArgs } from '../support/cluster.ts';
import { endSimulation, simulate, SIMULATED_CLASS } from '../support/simulated.ts';

const WHY = noCharts ?? notBuilt('kwok');
const DIR = mkdtempSync(join(tmpdir(), 'genai-obs-simulated-'));
const TOKEN = 'glc_standin';

const remove = (home: string): Promise<unknown> => cli(uninstallArgs(home));
afterAll(() => rmSync(DIR, { recursive: true, force: true }));

/** Real charts with all phases on nodes that run no process, because the bed lacks some images. */
describe.skipIf(WHY !== undefined)(`profiles on fake nodes${skipNote(WHY)}`, { sequential: true } as object, () => {
  describe('grafana-cloud', () => {
    const HOME = 'grafana-k8s-monitoring';
    const file = join(DIR, 'cloud.json');
    const INSTALL = ['install', '-f', file, '--charts', CHARTS ?? '', '--yes', '--timeout', '120', '--skip', 'verify'];
    let cloud: FakeCloud;
    let before: string[];
    let stop = false;
    let operator: Promise<void> = Promise.resolve();

    beforeAll(async () => {
      await remove(HOME);
      before = await inventory();
      await simulate([HOME]);
      cloud = await fakeCloud({ token: TOKEN });
      writeFileSync(
        file,
        JSON.stringify({
          extends: 'grafana-cloud',
          'k8s-monitoring': { destination: { otlp: { url: cloud.endpoints.otlp, user: '123456' } } },
        }),
      );
      operator = reconcile(() => stop);
    }, 120_000);
    afterAll(async () => {
      stop = true;
      await operator;
      await remove(HOME);
      await endSimulation();
      await cloud.close();
    }, 240_000);

    /** Replaces the Alloy operator: applies the chart alloy for each Alloy resource, with its spec as values. */
    async function reconcile(ended: () => boolean): Promise<void> {
      const made = new Set<string>();
      while (!ended()) {
        const { items } = await get('alloys.collectors.grafana.com', '-n', HOME).catch(() => ({ items: [] }));
        for (const { metadata, ...alloy } of items.filter((item) => !made.has(item.metadata.name))) {
          const values = join(DIR, `${metadata.name}.json`);
          writeFileSync(values, JSON.stringify(alloy['spec'] ?? {}));
          const args = [
            'template',
            metadata.name,
            join(CHARTS ?? '', archiveOf(PINS.alloy)),
            '--namespace',
            HOME,
            '--values',
            values,
            '--skip-crds',
          ];
          const owner = {
            apiVersion: alloy.apiVersion,
            kind: alloy.kind,
            name: metadata.name,
            uid: (metadata as unknown as { uid: string }).uid,
          };
          const { stdout, code } = await run('helm', args);
          if (code !== 0) continue;
          const { parseManifest } = await import('../../../src/adapters/helm.ts');
          const owned = parseManifest(stdout).filter(({ kind }) => !kind.startsWith('Cluster'));
          const applied = owned.map((object) => ({
            ...object,
            metadata: { ...object.metadata, namespace: HOME, ownerReferences: [owner] },
          }));
          await kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: applied }));
          made.add(metadata.name);
        }
        await sleep(500);
      }
    }

    it('refuses a wrong token before anything changes', { timeout: 60_000 }, async () => {
      const refused = await cli(INSTALL, { GRAFANA_CLOUD_TOKEN: 'glc_wrong' });
      expect(refused.code).toBe(1);
      expect(refused.stderr).toMatch(/token/);
      expect(refused.stderr).not.toContain('glc_wrong');
      expect((await kubectl(['get', 'namespace', HOME, '--ignore-not-found'])).trim()).toBe('');
    });

    it(
      'installs the CRDs, the release and the Alloy collectors, and waits for all of them',
      { timeout: 300_000 },
      async () => {
        const done = await cliOk(INSTALL, { GRAFANA_CLOUD_TOKEN: TOKEN });
        expect(done.stderr).toContain('Done in');
        expect(`${done.stdout}${done.stderr}`).not.toContain(TOKEN);
        // Preflight tests the credentials with one empty write for each signal.
        expect(cloud.answers.length).toBeGreaterThan(0);
        expect((await cliOk(INSTALL)).stderr).toContain('Nothing to do');
      },
    );

    it('uninstalls, and leaves the cluster as it was', { timeout: 300_000 }, async () => {
      await cliOk(uninstallArgs(HOME));
      stop = true;
      await operator;
      await endSimulation();
      expect(await changedSince(before)).toEqual({ added: [], removed: [] });
    });
  });

  // Complete, including SeaweedFS, metrics-server and nginx, which profiles.test.ts leaves out.
  describe.each([
    ['production', 'genai-observability'],
    ['llm-platform', 'observability'],
  ])('%s', (name, home) => {
    const file = join(DIR, `${name}.json`);
    const INSTALL = [
      'install',
      '-f',
      file,
      '--charts',
      CHARTS ?? '',
      '--yes',
      '--timeout',
      '120',
      '--skip',
      'preflight,verify',
    ];
    let before: string[];

    beforeAll(async () => {
      writeFileSync(file, JSON.stringify({ extends: name, storage: { storageClass: SIMULATED_CLASS } }));
      await remove(home);
      before = await inventory();
      await simulate([home], 8);
    }, 120_000);
    afterAll(async () => {
      await remove(home);
      await endSimulation();
    }, 240_000);

    it('installs, waits for all workloads, and has nothing to do the second time', { timeout: 300_000 }, async () => {
      expect((await cliOk(INSTALL)).stderr).toContain('Done in');
      expect((await cliOk(INSTALL)).stderr).toContain('Nothing to do');
    });

    it('uninstalls, and leaves the cluster as it was', { timeout: 300_000 }, async () => {
      await cliOk(uninstallArgs(home));
      await endSimulation();
      expect(await changedSince(before)).toEqual({ added: [], removed: [] });
    });
  });
});
