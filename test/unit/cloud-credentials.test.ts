import type { Finding } from '../../src/checks/lib/check.ts';
import type { FactMap } from '../../src/checks/lib/facts.ts';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { cloudArea } from '../../src/checks/cloud.ts';
import { redact } from '../../src/core/redact.ts';
import { collectFacts } from '../../src/doctor/facts/index.ts';
import { diagnose } from '../../src/doctor/run.ts';
import { extended, profileLayer } from '../../src/profile/layers.ts';
import { resolve } from '../../src/profile/resolve.ts';
import type { Config } from '../../src/profile/schema.ts';
import { type FakeCloud, type FakeCloudOptions, fakeCloud } from '../support/cloud.ts';
import { fakeCluster } from './support/cluster.ts';

const TOKEN = 'glc_standin';
const NAMESPACE = 'grafana-k8s-monitoring';

let cloud: FakeCloud | undefined;
afterEach(async () => {
  vi.unstubAllEnvs();
  await cloud?.close();
  cloud = undefined;
});

async function stand(options: FakeCloudOptions = {}): Promise<FakeCloud> {
  return (cloud = await fakeCloud(options));
}

function configFor(endpoints: FakeCloud['endpoints'], mode: 'otlp' | 'separate' = 'otlp', user = '123456'): Config {
  const destination = {
    mode,
    otlp: { url: endpoints.otlp, user },
    prometheus: { url: endpoints.prometheus, user },
    loki: { url: endpoints.loki, user },
  };
  return resolve([
    ...extended(profileLayer('grafana-cloud')),
    { source: 'test', data: { 'k8s-monitoring': { destination } } },
  ]);
}

async function examine(
  config: Config,
  cluster = fakeCluster(NAMESPACE),
): Promise<{ findings: Finding[]; facts: FactMap }> {
  const keys = cloudArea.checks.flatMap((check) => check.reads(config));
  const facts = await collectFacts(keys, { kube: cluster.kube, kubectl: cluster.kubectl, exec: vi.fn(), config });
  return { facts, findings: diagnose(facts, config, cloudArea.checks, { stage: 'preflight' }) };
}

const statuses = (findings: Finding[]): string[] => findings.map(({ id, status }) => `${id} ${status}`).toSorted();
const evidence = (findings: Finding[], id: string): string => {
  const { evidence: seen = '', cause = '', fix = '' } = findings.find((finding) => finding.id === id) ?? {};
  return [seen, cause, fix].join('\n');
};

const ALL_OK = ['CLD-01 ok', 'CLD-02 ok', 'CLD-03 ok'];

describe('credentials of Grafana Cloud', () => {
  it('from the environment are valid: an empty write of every signal is accepted', async () => {
    vi.stubEnv('GRAFANA_CLOUD_TOKEN', TOKEN);
    const { endpoints, arrivals } = await stand();
    const { findings, facts } = await examine(configFor(endpoints));
    expect(statuses(findings)).toEqual(ALL_OK);
    expect(arrivals.map(({ path }) => path).toSorted()).toEqual([
      '/otlp/v1/logs',
      '/otlp/v1/metrics',
      '/otlp/v1/traces',
    ]);
    expect(JSON.stringify(facts)).not.toContain(TOKEN);
  });

  it('are valid with a destination per signal: snappy for remote write, JSON for Loki', async () => {
    vi.stubEnv('GRAFANA_CLOUD_TOKEN', TOKEN);
    const { endpoints, arrivals } = await stand();
    expect(statuses((await examine(configFor(endpoints, 'separate'))).findings)).toEqual(ALL_OK);
    expect(arrivals.map(({ path, encoding }) => `${path} ${encoding}`.trim()).toSorted()).toEqual([
      '/api/prom/push snappy',
      '/loki/api/v1/push',
      '/otlp/v1/traces',
    ]);
  });

  it('come from the Secret before the environment, and are not in the facts', async () => {
    vi.stubEnv('GRAFANA_CLOUD_TOKEN', 'glc_another');
    const { endpoints } = await stand();
    const cluster = fakeCluster(NAMESPACE);
    const encode = (text: string): string => Buffer.from(text).toString('base64');
    cluster.put({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'grafana-cloud', namespace: NAMESPACE },
      data: { username: encode('123456'), token: encode(`${TOKEN}\n`) },
    });
    const { findings, facts } = await examine(configFor(endpoints, 'otlp', ''), cluster);
    expect(statuses(findings)).toEqual(ALL_OK);
    expect(JSON.stringify(facts)).not.toMatch(/glc_|123456/);
    expect(redact(`it said ${TOKEN}`)).toBe('it said [redacted]');
  });

  it('with a wrong token are refused, and the message does not contain the token', async () => {
    vi.stubEnv('GRAFANA_CLOUD_TOKEN', 'glc_wrong-token');
    const { endpoints, arrivals } = await stand();
    const { findings } = await examine(configFor(endpoints));
    expect(statuses(findings)).toEqual(['CLD-01 fail', 'CLD-02 fail', 'CLD-03 fail']);
    expect(evidence(findings, 'CLD-01')).toContain('401: user or token is refused');
    expect(JSON.stringify(findings)).not.toContain('glc_wrong-token');
    expect(arrivals).toEqual([]);
  });

  it('with the user of another stack are refused', async () => {
    vi.stubEnv('GRAFANA_CLOUD_TOKEN', TOKEN);
    const { endpoints } = await stand();
    expect(evidence((await examine(configFor(endpoints, 'otlp', '654321'))).findings, 'CLD-02')).toContain('401');
  });

  it('that lack a scope fail only for that scope, and name it', async () => {
    vi.stubEnv('GRAFANA_CLOUD_TOKEN', TOKEN);
    const { endpoints } = await stand({ scopes: ['logs:write', 'traces:write'] });
    const { findings } = await examine(configFor(endpoints));
    expect(statuses(findings)).toEqual(['CLD-01 fail', 'CLD-02 ok', 'CLD-03 ok']);
    expect(evidence(findings, 'CLD-01')).toContain('lacks the scope metrics:write');
  });

  it('a 401 about the scope is a missing scope', async () => {
    vi.stubEnv('GRAFANA_CLOUD_TOKEN', TOKEN);
    const { endpoints } = await stand({
      always: { status: 401, body: 'authentication error: invalid scope requested' },
    });
    expect(evidence((await examine(configFor(endpoints))).findings, 'CLD-03')).toContain(
      'lacks the scope traces:write',
    );
  });

  it('cannot be checked without a network: the destination is named', async () => {
    vi.stubEnv('GRAFANA_CLOUD_TOKEN', TOKEN);
    const { endpoints, close } = await fakeCloud();
    await close();
    const { findings } = await examine(configFor(endpoints));
    expect(statuses(findings)).toEqual(['CLD-01 fail', 'CLD-02 fail', 'CLD-03 fail']);
    expect(evidence(findings, 'CLD-01')).toMatch(/127\.0\.0\.1:\d+\/otlp does not answer: .*ECONNREFUSED/);
  });

  it('are not sent to the target of a redirect', async () => {
    vi.stubEnv('GRAFANA_CLOUD_TOKEN', TOKEN);
    const other = await fakeCloud();
    const { endpoints } = await stand({
      always: { status: 307, headers: { location: `${other.url}/otlp/v1/metrics` } },
    });
    expect(evidence((await examine(configFor(endpoints))).findings, 'CLD-01')).toContain('answers 307');
    expect(other.answers).toEqual([]);
    await other.close();
  });

  it.each([
    [400, 'ok', 'accepts metrics (400)'],
    [429, 'warn', 'a rate limit'],
    [503, 'warn', 'try again later'],
    [404, 'fail', '…/otlp'],
  ])('a response with status %i is %s', async (status, verdict, text) => {
    vi.stubEnv('GRAFANA_CLOUD_TOKEN', TOKEN);
    const { endpoints } = await stand({ always: { status } });
    const { findings } = await examine(configFor(endpoints));
    expect(findings.find(({ id }) => id === 'CLD-01')?.status).toBe(verdict);
    expect(evidence(findings, 'CLD-01')).toContain(text);
  });

  it('that are missing are named, and nothing is sent', async () => {
    vi.stubEnv('GRAFANA_CLOUD_TOKEN', undefined);
    const { endpoints, answers } = await stand();
    expect(evidence((await examine(configFor(endpoints))).findings, 'CLD-01')).toContain(
      'GRAFANA_CLOUD_TOKEN is not set',
    );
    vi.stubEnv('GRAFANA_CLOUD_TOKEN', TOKEN);
    expect(evidence((await examine(configFor(endpoints, 'otlp', ''))).findings, 'CLD-01')).toContain(
      'GRAFANA_CLOUD_USERNAME is not set',
    );
    expect(answers).toEqual([]);
  });

  it('are not checked for profiles without Grafana Cloud', () => {
    const quickstart = resolve([profileLayer('quickstart')]);
    expect(cloudArea.checks.every((check) => check.skipIf?.(quickstart) !== undefined)).toBe(true);
  });
});

describe('the stand-in', () => {
  it('requires the headers of each protocol', async () => {
    const { endpoints, arrivals } = await stand();
    const send = async (url: string, headers: Record<string, string>): Promise<number> =>
      (
        await fetch(url, {
          method: 'POST',
          headers: { authorization: `Basic ${Buffer.from(`123456:${TOKEN}`).toString('base64')}`, ...headers },
          body: 'x',
        })
      ).status;
    expect(await send(endpoints.prometheus, { 'content-type': 'application/x-protobuf' })).toBe(415);
    expect(
      await send(endpoints.prometheus, { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' }),
    ).toBe(200);
    expect(await send(endpoints.loki, { 'content-type': 'text/plain' })).toBe(415);
    expect(await send(`${endpoints.otlp}/v1/profiles`, {})).toBe(404);
    expect(arrivals).toHaveLength(1);
  });
});
