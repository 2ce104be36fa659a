import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { certs } from '../../unit/support/certs.ts';
import { TOKEN, at, collector, mac, setUp, skipped, tearDown } from '../../unit/support/mac.ts';
import { until } from '../../unit/support/programs.ts';
import { CHARTS, noCharts, skipNote } from '../support/bed.ts';
import {
  changedSince,
  cli,
  cliOk,
  eventually,
  get,
  hasImage,
  inventory,
  kubectl,
  service,
  uninstallArgs,
} from '../support/cluster.ts';
import { doctor, problems } from '../support/doctor.ts';

const HOME = 'observability';
const noManager = (await hasImage('quay.io/jetstack/cert-manager-controller'))
  ? undefined
  : 'the cluster has no image of cert-manager';
/** Warnings that the test bed causes. */
const WARNS = /^(PRE-11|K3S-\d+)$/;

interface Answer {
  data: { result: { value: [number, string] }[] };
}

interface Mode {
  /** Why it is skipped. */
  why: string | undefined;
  /** Settings that may contain the node's address. */
  over: (address: string) => object;
  /** Creates what the administrator must provide before the installation. */
  before?: (address: string) => Promise<void>;
  /** Credentials for the bundle of the Mac. */
  access: () => Promise<{ mtls?: string; tokenFile?: string; ca?: string }>;
}

const expose = { 'opentelemetry-collector': { expose: { type: 'NodePort' } } };
const MODES: Record<string, Mode> = {
  'mutual TLS, signed by cert-manager': {
    why: noCharts ?? skipped ?? noManager,
    over: (address) => ({ ...expose, security: { mtls: { names: [address] } } }),
    // The steps of docs/k3s.md.
    access: async () => {
      const dir = at('client');
      mkdirSync(dir, { mode: 0o700 });
      const { data } = await get<{ data: Record<string, string> }>('secret', 'otel-client-macos', '-n', HOME);
      for (const file of ['ca.crt', 'tls.crt', 'tls.key'])
        writeFileSync(join(dir, file), Buffer.from(data[file] ?? '', 'base64'), { mode: 0o600 });
      return { mtls: dir };
    },
  },
  'a token': {
    why: noCharts ?? skipped,
    over: () => ({
      ...expose,
      'cert-manager': { enabled: false },
      security: {
        mtls: { enabled: false, clients: [] },
        ingest: { tokenSecret: 'otel-ingest-token', tlsSecret: 'otel-ingest-tls' },
      },
    }),
    before: async (address) => {
      certs(at('ingest'), ['gateway'], [`IP:${address}`]);
      await kubectl(['create', 'namespace', HOME]);
      const create = ['-n', HOME, 'create', 'secret'];
      await kubectl([...create, 'generic', 'otel-ingest-token', `--from-file=token=${at('token')}`]);
      await kubectl([
        ...create,
        'tls',
        'otel-ingest-tls',
        `--cert=${at('ingest/gateway/tls.crt')}`,
        `--key=${at('ingest/gateway/tls.key')}`,
      ]);
    },
    access: async () => ({ tokenFile: at('token'), ca: at('ingest/ca.crt') }),
  },
};

const remove = async (): Promise<void> => {
  await cli(uninstallArgs(HOME));
  await kubectl(['delete', 'namespace', HOME, '--ignore-not-found', '--wait', '--timeout=120s']);
};

beforeAll(setUp);
afterAll(tearDown);

describe.each(Object.entries(MODES))('k3s-macos with %s', (name, { why, over, before: prepare, access }) => {
  describe.skipIf(why !== undefined)(`on the cluster${skipNote(why)}`, { sequential: true } as object, () => {
    const file = at(`${name.replaceAll(/\W/g, '-')}.json`);
    const INSTALL = ['install', '-f', file, '--charts', CHARTS ?? '', '--yes', '--timeout', '240'];
    let address = '';
    let before: string[];

    beforeAll(async () => {
      await remove();
      before = await inventory();
      const [node] = (await get<{ items: { status: { addresses: { type: string; address: string }[] } }[] }>('node'))
        .items;
      address = node?.status.addresses.find(({ type }) => type === 'InternalIP')?.address ?? '';
      writeFileSync(file, JSON.stringify({ extends: 'k3s-macos', ...over(address) }));
      await prepare?.(address);
    }, 240_000);
    afterAll(remove, 300_000);

    it(
      'installs all phases, the verification passes, and there is nothing to do the second time',
      { timeout: 600_000 },
      async () => {
        expect((await cliOk(INSTALL)).stderr).toContain('Done in');
        expect((await cliOk(INSTALL)).stderr).toContain('Nothing to do');
      },
    );

    it('doctor finds no problem, also with the probe', { timeout: 180_000 }, async () => {
      expect(problems(await doctor(HOME, '--probe'), WARNS)).toEqual([]);
    });

    it(
      'a Mac can send through the NodePort, and a sender without credentials cannot',
      { timeout: 180_000 },
      async () => {
        const { spec } = await get<{ spec: { ports: { name: string; port: number; nodePort: number }[] } }>(
          'service',
          'otel-ingest',
          '-n',
          HOME,
        );
        const port = spec.ports.find((one) => one.port === 4317)?.nodePort ?? 0;
        const endpoint = `${address}:${port}`;
        const stranger = collector(mac(port, { endpoint, tokenFile: at('wrong-token'), ca: at('certs/ca.crt') }));
        await until(
          () => (/Exporting failed|Unauthenticated|certificate/i.test(stranger.said()) ? true : undefined),
          stranger.said,
        );
        await stranger.stop('SIGKILL');
        const here = collector(mac(port, { endpoint, ...(await access()) }));
        const query = encodeURIComponent('macos_cpu_temperature_celsius{host_name="studio-1"}');
        const arrived = await eventually(
          `Prometheus has the temperature of the Mac; output of its collector: ${here.said()}`,
          async () => {
            const { data } = await service<Answer>('monitoring', 'prometheus', 9090, `/api/v1/query?query=${query}`);
            return data.result[0]?.value[1];
          },
        );
        expect(arrived).toBe('52.318077');
        expect(here.said()).not.toContain(TOKEN);
        await here.stop();
      },
    );

    it('uninstalls, and leaves the cluster as it was', { timeout: 300_000 }, async () => {
      await cliOk(uninstallArgs(HOME));
      if (prepare) await kubectl(['delete', 'namespace', HOME, '--wait', '--timeout=120s']);
      expect(await changedSince(before)).toEqual({ added: [], removed: [] });
    });
  });
});
