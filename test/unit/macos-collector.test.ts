import { execFileSync } from 'node:child_process';
import getPort from 'get-port';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BundleFlags } from '../../src/macos/request.ts';
import {
  type Point,
  TOKEN,
  at,
  collector,
  gateway,
  mac,
  otelcol,
  points,
  setUp,
  skipped,
  tearDown,
} from './support/mac.ts';
import { until } from './support/programs.ts';

beforeAll(setUp);
afterAll(tearDown);

const WANTED = [
  'macos.cpu.temperature',
  'macos.power.consumption',
  'macos.memory.pressure',
  'macos.thermal.throttling',
  'system.memory.usage',
];
const arrived = (file: string): Point[] | undefined => {
  const all = points(file);
  return WANTED.every((name) => all.some((point) => point.name === name)) ? all : undefined;
};

describe.skipIf(skipped !== undefined)(`the collector of a Mac${skipped ? ` (skipped: ${skipped})` : ''}`, () => {
  it.each<[string, () => Partial<BundleFlags>]>([
    ['mutual TLS', () => ({ mtls: at('certs') })],
    ['a token', () => ({ tokenFile: at('token'), ca: at('certs/ca.crt') })],
    ['a token and an authority that the Mac knows', () => ({ tokenFile: at('token') })],
    ['nothing', () => ({})],
  ])('takes its configuration with %s', (_name, over) => {
    expect(() =>
      execFileSync(otelcol ?? '', ['validate', `--config=${mac(4317, over())}`], { stdio: 'pipe' }),
    ).not.toThrow();
  });

  it('sends metrics of macmon, pressure.sh and the host with its host name, using mutual TLS', async () => {
    const port = await getPort();
    const there = gateway(port, 'mtls');
    const here = collector(mac(port, { mtls: at('certs') }));
    const all = await until(
      () => arrived(there.file),
      () => `${here.said()}\n${there.said()}`,
    );
    const one = (name: string): Point | undefined => all.find((point) => point.name === name);
    expect(one('macos.cpu.temperature')).toMatchObject({
      unit: 'Cel',
      value: 52.318077,
      attributes: { chip: 'Apple M3 Ultra' },
    });
    expect(one('macos.power.consumption')).toMatchObject({ unit: 'W', value: 61.40625 });
    expect(one('macos.memory.pressure')).toMatchObject({ unit: '', value: 4 });
    expect(one('macos.thermal.throttling')).toMatchObject({ unit: '', value: 2 });
    const sources = all.filter((point) => point.name === 'macos.source.up');
    expect([...new Set(sources.map((point) => `${point.attributes['source']} ${point.value}`))].toSorted()).toEqual([
      'macmon 1',
      'pressure 1',
    ]);
    const identity = {
      'host.name': 'studio-1',
      'service.instance.id': 'studio-1',
      'service.name': 'macos-host',
      'os.type': 'darwin',
      'genai_obs.reporter': 'macos',
    };
    for (const { name, resource } of all) expect(resource, name).toEqual(identity);
    expect(
      all
        .filter(({ name }) => name === 'up' || name.startsWith('scrape_') || name.endsWith('_usage_ratio'))
        .map(({ name }) => name),
    ).toEqual([]);
    await Promise.all([here.stop(), there.stop()]);
  }, 90_000);

  it('is accepted only with the right token', async () => {
    const port = await getPort();
    const there = gateway(port, 'token');
    const ca = at('certs/ca.crt');
    const stranger = collector(mac(port, { tokenFile: at('wrong-token'), ca }));
    await until(
      () => (/Unauthenticated/.test(stranger.said()) ? true : undefined),
      () => `${stranger.said()}\n${there.said()}`,
    );
    expect(points(there.file)).toEqual([]);
    await stranger.stop('SIGKILL');
    const here = collector(mac(port, { tokenFile: at('token'), ca }));
    await until(
      () => arrived(there.file),
      () => `${here.said()}\n${there.said()}`,
    );
    for (const one of [stranger, here]) expect(one.said()).not.toMatch(new RegExp(`${TOKEN}|an-other-one`));
    await Promise.all([here.stop(), there.stop()]);
  }, 90_000);

  it('queues metrics on disk while the gateway is unreachable, survives a restart, sends each once', async () => {
    const port = await getPort();
    const config = mac(port, { mtls: at('certs') });
    const before = collector(config);
    await until(() => (/Exporting failed/i.test(before.said()) ? true : undefined), before.said);
    // Waits for more scrapes.
    await new Promise((resolve) => setTimeout(resolve, 2500));
    await before.stop('SIGKILL');
    const restart = BigInt(Date.now()) * 1_000_000n;
    const there = gateway(port, 'mtls');
    const here = collector(config);
    // Host metrics: the prometheus receiver needs five seconds to discover its targets.
    const loads = await until(
      () => {
        const all = points(there.file).filter((point) => point.name === 'system.cpu.load_average.1m');
        return all.some(({ nanos }) => nanos > restart) ? all : undefined;
      },
      () => `${here.said()}\n${there.said()}`,
    );
    expect(loads.filter(({ nanos }) => nanos < restart).length).toBeGreaterThanOrEqual(2);
    const times = loads.map(({ nanos }) => nanos);
    expect(new Set(times).size).toBe(times.length);
    await Promise.all([here.stop(), there.stop()]);
  }, 90_000);
});
