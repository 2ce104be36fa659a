import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type KubeItem,
  cli,
  cliOk,
  eventually,
  get,
  kubectl,
  uninstallOnInterrupt,
  onInterrupt,
  removeAll,
  run,
} from './support/cluster.ts';
import { nodeContainer } from './support/workload.ts';

const NS = 'it-connect';
const SHOP = 'it-connect-shop';
const WHERE = ['--namespace', NS, '--app-namespace', SHOP, '--yes'];
/** Everything except the gateway and one backend for it. */
const NOT_NEEDED =
  'loki,tempo,grafana,alertmanager,kube-state-metrics,opentelemetry-node-collector,opentelemetry-cluster-collector';

/** Prints its environment, then the gateway's response to an empty export. */
const PROGRAM = `
  console.log(JSON.stringify(process.env));
  const request = { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } };
  const send = async () => {
    const url = process.env.OTEL_EXPORTER_OTLP_ENDPOINT;
    const answer = url && await fetch(url + '/v1/traces', request).catch((error) => error);
    if (answer) console.log('gateway', answer.status ?? answer.message);
  };
  setInterval(send, 1000);
`;

const labels = { app: 'checkout' };
const DEPLOYMENT = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'checkout', namespace: SHOP },
  spec: {
    replicas: 1,
    selector: { matchLabels: labels },
    template: {
      metadata: { labels },
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [
          nodeContainer(PROGRAM, [
            { name: 'OTEL_RESOURCE_ATTRIBUTES', value: 'tier=front' },
            { name: 'LAST', value: '$(OTEL_RESOURCE_ATTRIBUTES)' },
          ]),
        ],
      },
    },
  },
};

const dropShop = ['delete', 'namespace', SHOP, '--ignore-not-found', '--wait', '--timeout=120s'];

beforeAll(async () => {
  uninstallOnInterrupt(NS);
  onInterrupt(() => void spawnSync('kubectl', dropShop));
  await Promise.all([removeAll(NS), run('kubectl', dropShop)]);
  await cliOk(['install', '--namespace', NS, '--yes', '--no-persistence', '--disable', NOT_NEEDED, '--skip', 'verify']);
  await kubectl(['create', 'namespace', SHOP]);
  await kubectl(['apply', '--server-side', '-f', '-'], JSON.stringify(DEPLOYMENT));
});
afterAll(async () => {
  await run('kubectl', dropShop);
  await removeAll(NS);
});

/** The Deployment without status and without the controller's revision. */
async function userFields(): Promise<{ spec: unknown; annotations: Record<string, string> }> {
  const { spec, metadata } = await get<KubeItem & { spec: unknown }>('deployment', 'checkout', '-n', SHOP);
  const { 'deployment.kubernetes.io/revision': _revision, ...annotations } = metadata.annotations ?? {};
  return { spec, annotations };
}

const generation = (): Promise<string> =>
  kubectl(['get', 'deployment', 'checkout', '-n', SHOP, '-o', 'jsonpath={.metadata.generation}']);

describe('connect', () => {
  let before: Awaited<ReturnType<typeof userFields>>;

  it('--apply sets the environment, including pod fields, and the application reaches the gateway', async () => {
    before = await userFields();
    const done = await cliOk(['connect', '--apply', 'deployment/checkout', '--team', 'payments & more', ...WHERE]);
    expect(done.stderr).toContain('OTEL_EXPORTER_OTLP_PROTOCOL = http/protobuf');
    await kubectl(['rollout', 'status', 'deployment/checkout', '-n', SHOP, '--timeout=120s']);
    const [env = '{}'] = await eventually('the gateway answers 200', async () => {
      const lines = (await kubectl(['logs', 'deployment/checkout', '-n', SHOP])).split('\n');
      return lines.includes('gateway 200') ? lines : undefined;
    });
    const seen = JSON.parse(env) as Record<string, string>;
    const attributes = new Map(
      (seen['OTEL_RESOURCE_ATTRIBUTES'] ?? '').split(',').map((pair) => pair.split('=') as [string, string]),
    );
    expect(Object.fromEntries(attributes)).toMatchObject({
      tier: 'front',
      'service.namespace': SHOP,
      'k8s.pod.name': seen['HOSTNAME'],
      'k8s.pod.uid': expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
      'k8s.node.name': expect.stringMatching(/^\w/) as string,
      'genops.team': 'payments%20%26%20more',
    });
    expect(seen).toMatchObject({
      OTEL_SERVICE_NAME: 'checkout',
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://opentelemetry-collector.${NS}.svc:4318`,
      LAST: seen['OTEL_RESOURCE_ATTRIBUTES'],
    });
  });

  it('--apply again has nothing to do and does not change the Deployment', async () => {
    const counted = await generation();
    const done = await cliOk(['connect', '--apply', 'deployment/checkout', '--team', 'payments & more', ...WHERE]);
    expect(done.stderr).toContain('Nothing to do');
    expect(await generation()).toBe(counted);
  });

  it('--remove restores the Deployment', async () => {
    await cliOk(['connect', '--remove', 'deployment/checkout', ...WHERE]);
    expect(await userFields()).toEqual(before);
    expect((await cliOk(['connect', '--remove', 'deployment/checkout', ...WHERE])).stderr).toContain('Nothing to do');
  });

  it('refuses a Deployment that does not exist', async () => {
    const done = await cli(['connect', '--apply', 'deployment/chekout', ...WHERE]);
    expect(done.code).toBe(1);
    expect(done.stderr).toMatch(/the Deployment does not exist[^]*the namespace contains: checkout/);
  });
});
