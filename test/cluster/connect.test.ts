import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type KubeItem,
  cli,
  cliOk,
  eventually,
  get,
  kubectl,
  leaveNothing,
  onInterrupt,
  removeAll,
  run,
} from './support/cluster.ts';

const NS = 'it-connect';
const SHOP = 'it-connect-shop';
const WHERE = ['--namespace', NS, '--app-namespace', SHOP, '--yes'];
/** The gateway, and a store so that it has somewhere to send to. */
const NOT_NEEDED =
  'loki,tempo,grafana,alertmanager,kube-state-metrics,opentelemetry-node-collector,opentelemetry-cluster-collector';

/** Says its environment, then what the gateway answers to an empty export (upstream.md B.1 #26). */
const PROGRAM = `
  console.log(JSON.stringify(process.env));
  const ask = async () => {
    const url = process.env.OTEL_EXPORTER_OTLP_ENDPOINT;
    const answer = url && await fetch(url + '/v1/traces', { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } }).catch((error) => error);
    if (answer) console.log('gateway', answer.status ?? answer.message);
  };
  setInterval(ask, 1000);
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
          {
            name: 'app',
            image: 'docker.io/library/node:20-alpine',
            imagePullPolicy: 'IfNotPresent',
            command: ['node', '-e', PROGRAM],
            env: [
              { name: 'OTEL_RESOURCE_ATTRIBUTES', value: 'tier=front' },
              { name: 'LAST', value: '$(OTEL_RESOURCE_ATTRIBUTES)' },
            ],
          },
        ],
      },
    },
  },
};

const dropShop = ['delete', 'namespace', SHOP, '--ignore-not-found', '--wait', '--timeout=120s'];

beforeAll(async () => {
  leaveNothing(NS);
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

/** What of the Deployment is the user's: not its status, nor what the controller counts. */
async function own(): Promise<{ spec: unknown; annotations: Record<string, string> }> {
  const { spec, metadata } = await get<KubeItem & { spec: unknown }>('deployment', 'checkout', '-n', SHOP);
  const { 'deployment.kubernetes.io/revision': _revision, ...annotations } = metadata.annotations ?? {};
  return { spec, annotations };
}

const generation = (): Promise<string> =>
  kubectl(['get', 'deployment', 'checkout', '-n', SHOP, '-o', 'jsonpath={.metadata.generation}']);

describe('connect', () => {
  let before: Awaited<ReturnType<typeof own>>;

  it('--apply: the application has the environment, with the fields of its pod, and reaches the gateway', async () => {
    before = await own();
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

  it('a second time there is nothing to do, and nothing is done', async () => {
    const counted = await generation();
    const done = await cliOk(['connect', '--apply', 'deployment/checkout', '--team', 'payments & more', ...WHERE]);
    expect(done.stderr).toContain('Nothing to do');
    expect(await generation()).toBe(counted);
  });

  it('--remove: the Deployment is as it was', async () => {
    await cliOk(['connect', '--remove', 'deployment/checkout', ...WHERE]);
    expect(await own()).toEqual(before);
    expect((await cliOk(['connect', '--remove', 'deployment/checkout', ...WHERE])).stderr).toContain('Nothing to do');
  });

  it('a Deployment that is not there is refused', async () => {
    const done = await cli(['connect', '--apply', 'deployment/chekout', ...WHERE]);
    expect(done.code).toBe(1);
    expect(done.stderr).toMatch(/there is no such Deployment[^]*the namespace has: checkout/);
  });
});
