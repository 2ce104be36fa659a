import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../../src/core/assets.ts';
import {
  changedSince,
  cli,
  cliOk,
  eventually,
  get,
  inventory,
  uninstallOnInterrupt,
  normalised,
  removeAll,
  revisions,
  run,
  service,
} from './support/cluster.ts';
import { doctor, problems } from './support/doctor.ts';
import { grafana } from './support/grafana.ts';
import { panelQueries, runPanel } from './support/panels.ts';
import { startWorkload, stopWorkload } from './support/workload.ts';

const NS = 'it-life';
const APP = 'it-life-app';
const DIR = mkdtempSync(join(tmpdir(), 'genai-obs-life-'));
const BACKUP = join(DIR, 'backup');
// At the default of 10 % sampling, panels of rare traces would need many minutes to fill.
const INSTALL = ['install', '--namespace', NS, '--yes', '--sampling-rate', '1'];

interface LokiRange {
  data: { result: { values: [string | number, string][] }[] };
}

/** Waits until Prometheus has scraped what backup and restore stop; it scrapes every 15 s. */
async function untilHealthy(...args: string[]): Promise<void> {
  await eventually('doctor reports no problem', async () => {
    const found = problems(await doctor(NS, ...args));
    if (found.length) throw new Error(found.join('; '));
    return true;
  });
}

const lokiRange = (limits: string): Promise<LokiRange> =>
  service<LokiRange>(
    NS,
    'loki',
    3100,
    `/loki/api/v1/query_range?${limits}&query=${encodeURIComponent('{service_name="rag-chat"}')}`,
  );

/** A sample at time `at`, in seconds. Two batches delay samples, so the value is final after half a minute. */
async function sampleAt(at: number): Promise<{ at: number; value: string | undefined }> {
  const query = encodeURIComponent('sum(gen_ai_client_operation_duration_seconds_count)');
  const { data } = await service<{ data: { result: { value: [number, string] }[] } }>(
    NS,
    'prometheus-server',
    80,
    `/api/v1/query?time=${at}&query=${query}`,
  );
  return { at, value: data.result[0]?.value[1] };
}

/** The tests run in order; each one builds on the previous ones. */
describe('the life of a quickstart installation', { sequential: true } as object, () => {
  let before: string[];
  /** Telemetry from before the backup. */
  let trace: string;
  let sample: Awaited<ReturnType<typeof sampleAt>>;
  let logAt: string;
  let boards: string[];

  beforeAll(async () => {
    uninstallOnInterrupt(NS);
    await stopWorkload(APP);
    await removeAll(NS);
    before = await inventory(NS);
  });
  afterAll(async () => {
    await stopWorkload(APP);
    await removeAll(NS);
    rmSync(DIR, { recursive: true, force: true });
  });

  it('plan on an empty cluster shows every object and changes nothing', async () => {
    const { stdout } = await cliOk(['plan', '--namespace', NS]);
    expect(stdout).toMatch(/\d+ to create, 0 to change, 0 to delete/);
    expect(await changedSince(before, NS)).toEqual({ added: [], removed: [] });
  });

  it('installs, and the verification passes', async () => {
    const { stderr } = await cliOk(INSTALL);
    expect(stderr).toContain('Done in');
  });

  it('has nothing to do the second time: no changed object, no new helm revision', async () => {
    const [objects, helm] = [await normalised(NS), await revisions(NS)];
    const { stderr } = await cliOk(INSTALL);
    expect(stderr).toContain('Nothing to do');
    expect(await normalised(NS)).toEqual(objects);
    expect(await revisions(NS)).toEqual(helm);
    expect((await cliOk(['plan', '--namespace', NS, '--exit-code'])).stdout).toContain('Nothing to do');
    await cliOk(['status', '--namespace', NS]);
  });

  it('doctor finds no problem and no warning, with the same exit code in every format', async () => {
    await startWorkload(APP, NS);
    const report = await doctor(NS, '--probe');
    expect(problems(report)).toEqual([]);
    expect(report.summary['ok']).toBeGreaterThan(80);
    for (const format of ['table', 'short', 'json', 'junit'])
      expect((await cli(['doctor', '--namespace', NS, '-o', format])).code, format).toBe(0);
  });

  it('every panel has data from the sample workload', { timeout: 600_000 }, async () => {
    const ui = await grafana(NS);
    try {
      const found = await ui.json<{ uid: string }[]>('/api/search?type=dash-db');
      boards = found.map((board) => board.uid).toSorted();
      expect(boards.length).toBeGreaterThanOrEqual(4);
      const queries = (
        await Promise.all(
          boards.map(async (uid) => (await ui.json<{ dashboard: unknown }>(`/api/dashboards/uid/${uid}`)).dashboard),
        )
      ).flatMap((board) => panelQueries(board));
      let empty = queries;
      await eventually(
        'every panel has data',
        async () => {
          const now = Math.floor(Date.now() / 1000);
          const counts = await Promise.all(
            empty.map(async (query) => ({
              query,
              rows: await runPanel(query, (path) => ui.json(path), { from: now - 3600, to: now }),
            })),
          );
          empty = counts.filter(({ rows }) => rows === 0).map(({ query }) => query);
          if (empty.length) throw new Error(empty.map((q) => `${q.dashboard}: ${q.panel}`).join('; '));
          return true;
        },
        420,
      );
    } finally {
      ui.close();
    }
  });

  it('every dashboard renders in a browser without "No data" or errors', { timeout: 300_000 }, async () => {
    const ui = await grafana(NS);
    try {
      const out = join(ROOT, 'test', 'cluster', 'screenshots');
      const done = await run(
        process.execPath,
        [
          join(ROOT, 'test', 'cluster', 'support', 'screenshot.mjs'),
          '--url',
          ui.url,
          '--out',
          out,
          '--from',
          'now-15m',
          ...boards,
        ],
        { env: { GRAFANA_PASSWORD: ui.password } },
      );
      expect(done.code, done.stdout + done.stderr).toBe(0);
      for (const uid of boards) {
        const picture = readdirSync(out).find((file) => file.startsWith(uid));
        expect(picture && statSync(join(out, picture)).size, uid).toBeGreaterThan(20_000);
      }
    } finally {
      ui.close();
    }
  });

  it('backs up, and the backup verifies', { timeout: 600_000 }, async () => {
    const found = await eventually(
      'a trace of the workload',
      async () =>
        (
          await service<{ traces?: { traceID: string }[] }>(
            NS,
            'tempo',
            3200,
            '/api/search?tags=service.name%3Drag-chat&limit=1',
          )
        ).traces?.[0],
    );
    trace = found.traceID.padStart(32, '0');
    sample = await sampleAt(Math.floor(Date.now() / 1000) - 30);
    expect(Number(sample.value)).toBeGreaterThan(0);
    const logs = await lokiRange('limit=1');
    logAt = String(logs.data.result[0]?.values[0]?.[0]);
    await stopWorkload(APP);
    const ui = await grafana(NS);
    await ui.json('/api/folders', { method: 'POST', body: { uid: 'mine', title: 'Made by hand' } });
    await ui.json('/api/dashboards/db', {
      method: 'POST',
      body: { folderUid: 'mine', dashboard: { uid: 'by-hand', title: 'By hand', panels: [], schemaVersion: 39 } },
    });
    ui.close();
    await cliOk(['backup', '--namespace', NS, '--output', BACKUP]);
    expect(existsSync(join(BACKUP, 'manifest.json'))).toBe(true);
    await cliOk(['backup', 'verify', BACKUP]);
    // Loki flushes chunks when it stops; otherwise it would have none yet.
    expect(readFileSync(join(BACKUP, 'loki', 'files.txt'), 'utf8')).toMatch(/ chunks\/fake\//);
    await untilHealthy();
  });

  it('uninstall keeps data; with --delete-data it leaves the cluster as it was', { timeout: 600_000 }, async () => {
    await cliOk(['uninstall', '--namespace', NS, '--yes']);
    const claims = await get('pvc', '-n', NS);
    expect(claims.items.length).toBe(5);
    expect((await get('pods', '-n', NS)).items).toEqual([]);
    await cliOk(['uninstall', '--namespace', NS, '--delete-data', '--yes']);
    expect(await changedSince(before, NS)).toEqual({ added: [], removed: [] });
  });

  it(
    'installs again and restores: dashboards, samples, logs and traces from before the backup are back',
    { timeout: 900_000 },
    async ({ onTestFailed }) => {
      onTestFailed(async () => {
        process.stderr.write(readFileSync(join(BACKUP, 'tempo', 'files.txt'), 'utf8'));
        for (const name of ['tempo', 'loki', 'prometheus-server']) {
          // The first lines say which data it loaded; later ones are only our queries.
          const logs = ['logs', `statefulset/${name}`, '--limit-bytes=20000', '--prefix'];
          process.stderr.write((await run('kubectl', ['-n', NS, ...logs])).stdout);
        }
        const { data } = await lokiRange(`limit=1000&start=${BigInt(logAt) - 5_000_000_000n}`);
        const times = data.result.flatMap(({ values }) => values.map(([at]) => String(at))).toSorted();
        process.stderr.write(`expected a line at ${logAt}; Loki has ${times.join(' ') || 'none'}\n`);
      });
      await cliOk(['install', '-f', join(BACKUP, 'config.yaml'), '--yes']);
      const { stdout, stderr } = await cliOk(['restore', BACKUP, '--namespace', NS, '--dry-run']);
      expect(stdout + stderr).toMatch(/prometheus/i);
      const restored = await cliOk(['restore', BACKUP, '--namespace', NS, '--yes']);
      // Not a failure; printed to see how often it happens.
      for (const [lost] of restored.stderr.matchAll(/.*lost data: sending it again.*/g))
        process.stderr.write(`${lost}\n`);
      expect(await sampleAt(sample.at)).toEqual(sample);
      const nano = BigInt(logAt);
      const logs = await eventually('the old log lines', async () => {
        const answer = await lokiRange(`limit=5&start=${nano - 1_000_000n}&end=${nano + 1_000_000n}`);
        // Structured metadata puts nearly every line into its own stream.
        return answer.data.result.some(({ values }) => values.some(([at]) => String(at) === logAt)) || undefined;
      });
      expect(logs).toBe(true);
      const spans = await eventually('the old trace', async () =>
        service<{ batches?: unknown[]; trace?: unknown }>(NS, 'tempo', 3200, `/api/traces/${trace}`),
      );
      expect(JSON.stringify(spans)).toContain('rag-chat');
      const ui = await grafana(NS);
      const uids = (await ui.json<{ uid: string }[]>('/api/search?type=dash-db')).map((board) => board.uid);
      ui.close();
      expect(uids.toSorted()).toEqual([...boards, 'by-hand'].toSorted());
      await untilHealthy('--probe');
    },
  );

  it('refuses a truncated backup and changes nothing', async () => {
    const file = readdirSync(BACKUP, { recursive: true })
      .map(String)
      .find((name) => name.endsWith('.tar.gz') || name.endsWith('.tgz'));
    expect(file).toBeDefined();
    await run('truncate', ['-s', '-10', join(BACKUP, file ?? '')]);
    const objects = await normalised(NS);
    const verify = await cli(['backup', 'verify', BACKUP]);
    expect(verify.code).toBe(1);
    expect(verify.stderr + verify.stdout).toContain(file);
    expect((await cli(['restore', BACKUP, '--namespace', NS, '--yes'])).code).toBe(1);
    expect(await normalised(NS)).toEqual(objects);
  });

  it('uninstall leaves nothing behind', async () => {
    await cliOk(['uninstall', '--namespace', NS, '--delete-data', '--yes']);
    expect(await changedSince(before, NS)).toEqual({ added: [], removed: [] });
  });
});
