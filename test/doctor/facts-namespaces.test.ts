import { describe, expect, it } from 'vitest';
import type { Kube } from '../../src/adapters/kube.ts';
import type { KubeObject } from '../../src/core/types.ts';
import { collectFacts } from '../../src/doctor/facts/index.ts';
import { K3S, STACK } from './support-placements.ts';
import { quickstart } from './support.ts';

describe('facts of several namespaces', () => {
  const config = quickstart(K3S);
  const object = (kind: string, namespace: string, name: string, rest: object = {}): KubeObject => ({
    apiVersion: 'v1',
    kind,
    metadata: { name, namespace },
    ...rest,
  });
  const take = (keys: string[], kube: Partial<Kube>, which = config) =>
    collectFacts(keys, {
      kube: { context: 'example', server: 'https://example', ...kube } as Kube,
      kubectl: { portForward: () => Promise.reject(new Error('no tunnel here')) },
      exec: () => Promise.reject(new Error('no program here')),
      config: which,
    });

  it('lists each namespace of the installation once, and cluster-scoped kinds without one', async () => {
    const asked: string[] = [];
    const list = (kind: string, namespace?: string) => (
      asked.push(`${kind} ${namespace ?? '-'}`),
      Promise.resolve([object(kind, namespace ?? '', 'a')])
    );
    const taken = await take(['k8s:Pod', 'k8s:Node', 'k8s:Pod@all'], { list });
    expect(asked.toSorted()).toEqual([
      'Node -',
      'Pod -',
      'Pod grafana',
      'Pod monitoring',
      'Pod observability',
      'Pod operators',
    ]);
    expect((taken['k8s:Pod'] as { value: KubeObject[] }).value.map(({ metadata }) => metadata.namespace)).toEqual([
      'observability',
      'monitoring',
      'grafana',
      'operators',
    ]);
  });

  it('requests each Service in its namespace, by its name there', async () => {
    const asked: string[] = [];
    const service: Kube['service'] = (namespace, name, port, path) => (
      asked.push(`${namespace}/${name}:${port}${path}`),
      Promise.resolve({ status: 200, body: '{}' })
    );
    await take(
      ['http:prometheus:/-/ready', 'http:otel-gateway-collector:/', 'http:grafana:/api/health', 'otlp:gateway'],
      { service },
    );
    expect(asked.toSorted()).toEqual([
      'grafana/grafana:80/api/health',
      'monitoring/prometheus:9090/-/ready',
      'observability/otel-gateway-collector:13133/',
      'observability/otel-gateway-collector:4318/v1/traces',
    ]);
  });

  it('reads logs by the selector of the workload, in its namespace', async () => {
    const labels = { app: 'loki' };
    const pod = (namespace: string, name: string, more: object) => ({
      ...object('Pod', namespace, name, { status: { containerStatuses: [{ name: 'loki' }] } }),
      metadata: { name, namespace, ...more },
    });
    const list = (kind: string, namespace = ''): Promise<KubeObject[]> => {
      if (namespace !== 'monitoring')
        return Promise.resolve(kind === 'Pod' ? [pod(namespace, 'loki-0', { labels })] : []);
      const workload = object('StatefulSet', namespace, 'loki', { spec: { selector: { matchLabels: labels } } });
      return Promise.resolve(
        kind === 'Pod' ? [pod(namespace, 'loki-0', { labels }), pod(namespace, 'loki-canary-x', {})] : [workload],
      );
    };
    const asked: string[] = [];
    const request: Kube['request'] = (_method, path) => (
      asked.push(path.split('?')[0] ?? ''),
      Promise.resolve({ status: 200, body: 'a line' })
    );
    expect(await take(['logs:loki'], { list, request })).toEqual({
      'logs:loki': { ok: true, value: { 'loki-0/loki': ['a line'] } },
    });
    expect(asked).toEqual(['/api/v1/namespaces/monitoring/pods/loki-0/log']);
  });

  it('reviews rights in every namespace, and those of an account in its own', async () => {
    const asked: string[] = [];
    const request: Kube['request'] = (_method, _path, options) => {
      const { spec } = JSON.parse(options?.body ?? '{}') as {
        spec: { user?: string; resourceAttributes: { namespace?: string } };
      };
      const { namespace = '-' } = spec.resourceAttributes;
      asked.push(`${spec.user ?? 'caller'} ${namespace}`);
      return Promise.resolve({ status: 201, body: JSON.stringify({ status: { allowed: namespace !== 'grafana' } }) });
    };
    const taken = await take(['access:create:/secrets', 'access:create:/namespaces', 'as:prometheus:list:/pods@ns'], {
      request,
    });
    expect(taken['access:create:/secrets']).toEqual({ ok: true, value: { allowed: false } });
    expect(taken['access:create:/namespaces']).toEqual({ ok: true, value: { allowed: true } });
    expect(asked.toSorted()).toEqual([
      'caller -',
      'caller grafana',
      'caller monitoring',
      'caller observability',
      'caller operators',
      'system:serviceaccount:monitoring:prometheus monitoring',
    ]);
  });

  it('reads the configuration of kube-prometheus-stack from the servers, without secrets', async () => {
    const bodies: Record<string, unknown> = {
      '/api/v1/status/config': {
        data: { yaml: 'global: {scrape_interval: 30s}\nremote_write: [{basic_auth: {password: hunter22}}]' },
      },
      '/api/v2/status': { config: { original: 'route: {receiver: a}' } },
    };
    const service: Kube['service'] = (_namespace, _name, _port, path) =>
      Promise.resolve({ status: 200, body: JSON.stringify(bodies[path]) });
    const taken = await take(['config:prometheus', 'config:alertmanager'], { service }, quickstart(STACK));
    expect(taken['config:prometheus']).toMatchObject({ ok: true, value: { global: { scrape_interval: '30s' } } });
    expect(taken['config:alertmanager']).toEqual({ ok: true, value: { route: { receiver: 'a' } } });
    expect(JSON.stringify(taken)).not.toContain('hunter22');
  });
});
