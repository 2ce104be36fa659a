import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Answer, type Kube, KubeError } from '../../src/adapters/kube.ts';
import { ObsError } from '../../src/core/errors.ts';
import { registerSecret } from '../../src/core/redact.ts';
import type { KubeObject } from '../../src/core/types.ts';
import type { Deps } from '../../src/doctor/facts/context.ts';
import { collectFacts } from '../../src/doctor/facts/index.ts';
import { isWeak, scrub, scrubText } from '../../src/doctor/facts/scrub.ts';
import { loadFacts, saveFacts } from '../../src/doctor/saved.ts';
import { healthy, quickstart } from './support.ts';

const b64 = (text: string) => Buffer.from(text).toString('base64');

function deps(kube: Partial<Kube>, rest: Partial<Deps> = {}): Deps {
  return {
    kube: { context: 'example', server: 'https://example', ...kube } as Kube,
    kubectl: { portForward: () => Promise.reject(new Error('no tunnel here')) },
    exec: (file) =>
      file === 'jq'
        ? Promise.resolve({ ok: true, code: 0, stdout: 'jq-1.7.1', stderr: '', timedOut: false })
        : Promise.reject(new ObsError({ what: `${file} is not installed` })),
    config: quickstart(),
    ...rest,
  };
}

const object = (kind: string, name: string, rest: Record<string, unknown> = {}): KubeObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { name, namespace: 'genai-observability' },
  ...rest,
});

describe('collectFacts', () => {
  it('never throws: every fact that fails has a reason', async () => {
    const broken = () => Promise.reject(new KubeError(403, 'Forbidden', 'pods is forbidden'));
    const keys = [
      'k8s:Pod',
      'kubelet:stats',
      'promql:up',
      'http:loki:/ready',
      'grafana:/api/health',
      'logs:loki',
      'config:loki',
      'releases:helm',
      'drift:plan',
      'time:clock',
      'access:create:/secrets',
      'nonsense:x',
      'k8s:Nonsense',
    ];
    const facts = await collectFacts(
      keys,
      deps({ list: broken, request: broken, json: broken, service: broken, read: broken }),
    );
    expect(Object.keys(facts)).toEqual(keys);
    for (const key of keys) expect(facts[key], key).toMatchObject({ ok: false });
    expect(facts['k8s:Pod']).toEqual({ ok: false, error: 'pods is forbidden' });
  });

  it('reports an API server that does not respond as status 0, not as a failed fact', async () => {
    const facts = await collectFacts(
      ['cluster:ready'],
      deps({ request: () => Promise.reject(new KubeError(0, 'Unreachable', 'connect ECONNREFUSED')) }),
    );
    expect(facts['cluster:ready']).toMatchObject({ ok: true, value: { status: 0, error: 'connect ECONNREFUSED' } });
  });

  it('stops waiting when cancelled', async () => {
    const controller = new AbortController();
    const never = deps({ list: () => new Promise<never>(() => {}) }, { signal: controller.signal });
    setTimeout(() => controller.abort(), 30);
    expect(await collectFacts(['k8s:Pod', 'k8s:Node'], never)).toEqual({
      'k8s:Pod': { ok: false, error: 'cancelled' },
      'k8s:Node': { ok: false, error: 'cancelled' },
    });
  });

  it('collects up to 16 facts at the same time', async () => {
    let now = 0;
    let most = 0;
    const request = async (): Promise<Answer> => {
      most = Math.max(most, ++now);
      await new Promise((resolve) => setTimeout(resolve, 5));
      now--;
      return { status: 201, body: '{"status":{"allowed":true}}' };
    };
    const keys = Array.from({ length: 60 }, (_, i) => `access:get:/thing${i}`);
    await collectFacts(keys, deps({ request }));
    expect(most).toBe(16);
  });

  it('requests each list once', async () => {
    const asked: string[] = [];
    const list = (kind: string, namespace?: string): Promise<KubeObject[]> => (
      asked.push(`${kind} ${namespace ?? 'all'}`),
      Promise.resolve([])
    );
    await collectFacts(
      ['k8s:Secret', 'releases:helm', 'k8s:Secret@all', 'k8s:Pod', 'logs:loki', 'logs:tempo'],
      deps({ list }),
    );
    expect(asked.toSorted()).toEqual(['Pod genai-observability', 'Secret all', 'Secret genai-observability']);
  });

  it('keeps only names and lengths of the keys of Secrets, and which values are well-known defaults', async () => {
    const secret = object('Secret', 'grafana-admin', {
      type: 'Opaque',
      data: { 'admin-user': b64('admin'), 'admin-password': b64('changeme'), other: b64('s3cr3t-and-long') },
    });
    const facts = await collectFacts(['k8s:Secret'], deps({ list: () => Promise.resolve([secret]) }));
    expect(facts['k8s:Secret']).toEqual({
      ok: true,
      value: [
        {
          apiVersion: 'v1',
          kind: 'Secret',
          metadata: secret.metadata,
          type: 'Opaque',
          keys: { 'admin-user': 5, 'admin-password': 8, other: 15 },
          weak: ['admin-password'],
        },
      ],
    });
    expect(JSON.stringify(facts)).not.toMatch(/changeme|s3cr3t|Y2hhbmdlbWU/);
  });

  it('reads releases from helm’s labels without their payload', async () => {
    const release = (version: string, status: string) =>
      object('Secret', `sh.helm.release.v1.loki.v${version}`, {
        metadata: {
          name: `loki.v${version}`,
          labels: { owner: 'helm', name: 'loki', status, version, modifiedAt: '1795229322' },
        },
        data: { release: b64('payload') },
      });
    const facts = await collectFacts(
      ['releases:helm'],
      deps({ list: () => Promise.resolve([release('9', 'superseded'), release('10', 'pending-upgrade')]) }),
    );
    expect(facts['releases:helm']).toMatchObject({
      ok: true,
      value: [{ name: 'loki', revision: 10, status: 'pending-upgrade', updated: '2026-11-21T02:48:42.000Z' }],
    });
  });

  it('reports the version of an installed tool, and an empty one for a missing tool', async () => {
    const facts = await collectFacts(['tool:jq', 'tool:helm'], deps({}));
    expect(facts).toEqual({
      'tool:jq': { ok: true, value: { version: '1.7.1' } },
      'tool:helm': { ok: true, value: { version: '' } },
    });
  });

  it('reads the configuration of a component, as YAML or INI', async () => {
    const maps = [
      object('ConfigMap', 'prometheus-server', { data: { 'config.yaml': 'global: {scrape_interval: 15s}' } }),
      object('ConfigMap', 'grafana', { data: { 'grafana.ini': '[server]\nroot_url = x\n; comment\n[auth]\na=b=c' } }),
    ];
    const facts = await collectFacts(
      ['config:prometheus', 'config:grafana', 'config:loki'],
      deps({ list: () => Promise.resolve(maps) }),
    );
    expect(facts['config:prometheus']).toMatchObject({ value: { global: { scrape_interval: '15s' } } });
    expect(facts['config:grafana']).toMatchObject({ value: { server: { root_url: 'x' }, auth: { a: 'b=c' } } });
    expect(facts['config:loki']).toMatchObject({ ok: false });
  });

  it('runs PromQL: drops NaN, limits infinity, and reports the error of Prometheus', async () => {
    const result = [
      { metric: { a: 'b' }, value: [1, '3.5'] },
      { metric: {}, value: [1, 'NaN'] },
      { metric: {}, value: [1, '+Inf'] },
    ];
    const good = await collectFacts(
      ['promql:up'],
      deps({
        service: () =>
          Promise.resolve({
            status: 200,
            body: JSON.stringify({ status: 'success', data: { resultType: 'vector', result } }),
          }),
      }),
    );
    expect(good['promql:up']).toEqual({
      ok: true,
      value: [
        { metric: { a: 'b' }, value: 3.5 },
        { metric: {}, value: Number.MAX_VALUE },
      ],
    });
    const bad = await collectFacts(
      ['promql:up{'],
      deps({ service: () => Promise.resolve({ status: 400, body: '{"status":"error","error":"parse error"}' }) }),
    );
    expect(bad['promql:up{']).toEqual({ ok: false, error: 'Prometheus responds with HTTP 400: parse error' });
  });

  it('sends each HTTP request to the right port', async () => {
    const asked: string[] = [];
    const service: Kube['service'] = (_ns, name, port, path) => (
      asked.push(`${name}:${port}${path}`),
      Promise.resolve({ status: 200, body: '{"a":1}' })
    );
    const facts = await collectFacts(
      [
        'http:prometheus-server:/-/ready',
        'http:opentelemetry-collector:/metrics',
        'http:opentelemetry-collector:/',
        'http:tempo:4318:/v1/traces?a=:/b',
      ],
      deps({ service }),
    );
    expect(asked.toSorted()).toEqual([
      'opentelemetry-collector:13133/',
      'opentelemetry-collector:8888/metrics',
      'prometheus-server:80/-/ready',
      'tempo:4318/v1/traces?a=:/b',
    ]);
    expect(facts['http:prometheus-server:/-/ready']).toEqual({ ok: true, value: { status: 200, body: { a: 1 } } });
  });

  it('reviews the rights of a service account, with @ns in its namespace', async () => {
    const bodies: string[] = [];
    const request: Kube['request'] = (_method, _path, options) => (
      bodies.push(options?.body ?? ''),
      Promise.resolve({ status: 201, body: '{"status":{"allowed":false}}' })
    );
    const facts = await collectFacts(
      ['as:prometheus-server:get:/nodes/metrics', 'as:loki:get:apps/deployments@ns'],
      deps({ request }),
    );
    expect(facts['as:loki:get:apps/deployments@ns']).toEqual({ ok: true, value: { allowed: false } });
    const specs = bodies.map(
      (body) => (JSON.parse(body) as { spec: { user: string; resourceAttributes: object } }).spec,
    );
    expect(specs.map((spec) => [spec.user, spec.resourceAttributes])).toEqual([
      [
        'system:serviceaccount:genai-observability:prometheus-server',
        { verb: 'get', group: '', resource: 'nodes', subresource: 'metrics' },
      ],
      [
        'system:serviceaccount:genai-observability:loki',
        { verb: 'get', group: 'apps', resource: 'deployments', namespace: 'genai-observability' },
      ],
    ]);
  });

  it('keeps the statistics of other kubelets when one does not respond', async () => {
    const json = (path: string): Promise<never> =>
      path.includes('/b/')
        ? Promise.reject(new KubeError(503, 'x', 'dial tcp: timeout'))
        : (Promise.resolve({ node: { fs: { availableBytes: 1 } }, pods: [] }) as Promise<never>);
    const facts = await collectFacts(
      ['kubelet:stats'],
      deps({ list: () => Promise.resolve([object('Node', 'a'), object('Node', 'b')]), json }),
    );
    expect(facts['kubelet:stats']).toMatchObject({
      ok: true,
      value: { a: { node: { fs: { availableBytes: 1 } } }, b: { error: 'dial tcp: timeout' } },
    });
  });
});

describe('Grafana', () => {
  it('gets a wrong password once, not once per fact: five lock the account', async () => {
    let asked = 0;
    const server = createServer((_request, response) => {
      asked += 1;
      response.writeHead(401, { 'content-type': 'application/json' }).end('{"message":"invalid username or password"}');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    let closed = 0;
    const portForward = () => Promise.resolve({ port, close: () => void (closed += 1), ended: Promise.resolve('') });
    const read = () =>
      Promise.resolve(
        object('Secret', 'grafana-admin', {
          data: { 'admin-user': b64('admin'), 'admin-password': b64('not-the-one') },
        }),
      );
    const keys = [
      'grafana:/api/datasources',
      'grafana:/api/search',
      'grafana:/api/org',
      'grafana-post:/api/ds/query#{}',
    ];
    const facts = await collectFacts(keys, deps({ read }, { kubectl: { portForward } }));
    server.close();
    server.closeAllConnections();
    expect(asked).toBe(1);
    expect(closed).toBe(1);
    for (const key of keys)
      expect(facts[key]).toMatchObject({
        ok: true,
        value: { status: 401, body: { message: 'invalid username or password' } },
      });
  });
});

describe('scrub', () => {
  it.each([
    ['password: hunter22', 'password: [secret:password]'],
    ['"api_key": "abcd1234"', '"api_key": "[secret:password]"'],
    ['key sk-proj-abcdefghijklmnopqrstuv', 'key [secret:API key]'],
    ['http://user:pass1234@host/x', 'http://user:[secret:URL password]@host/x'],
  ])('removes the secret of %s', (text, want) => expect(scrubText(text)).toBe(want));
  it.each([
    'password: ${ADMIN_PASSWORD}',
    'password_file: /etc/x',
    'bearer_token_file: /var/run/token',
    'admin_password = $__file{/etc/x}',
    'gen_ai_token_type: input',
    'secretName: grafana-admin',
    'token: {{type}}',
    'password: ""',
    'password = remote.kubernetes.secret.otlp.data["password"]',
    'username = "1"\n  password = convert.nonsensitive(remote.kubernetes.secret.otlp.data["token"])',
  ])('keeps %s', (text) => expect(scrubText(text)).toBe(text));
  it('removes secrets from the environment of pods, but keeps references', () => {
    expect(
      scrub({
        env: [
          { name: 'DB_PASSWORD', value: 'hunter22' },
          { name: 'X_PASSWORD__FILE', value: '/etc/x' },
          { name: 'OPENAI_API_KEY', valueFrom: { secretKeyRef: { name: 'a', key: 'b' } } },
        ],
      }),
    ).toEqual({
      env: [
        { name: 'DB_PASSWORD', value: '[secret:password]' },
        { name: 'X_PASSWORD__FILE', value: '/etc/x' },
        { name: 'OPENAI_API_KEY', valueFrom: { secretKeyRef: { name: 'a', key: 'b' } } },
      ],
    });
  });
  it('recognises defaults and placeholders', () => {
    expect(['admin', 'changeme', 'prom-operator', 'YOUR_KEY', 'https://hooks.example.com/x'].every(isWeak)).toBe(true);
    expect(['correct-horse-battery', 'Xk29dkLq'].some(isWeak)).toBe(false);
  });
});

describe('facts files', () => {
  const dir = mkdtempSync(join(tmpdir(), 'facts-test-'));
  const path = join(dir, 'facts.json');
  const saved = {
    schemaVersion: 1 as const,
    tool: '0.1.0',
    context: 'example',
    takenAt: '2026-11-21T03:15:41.241Z',
    probe: true,
    config: quickstart(),
  };

  it('are read as they were saved', () => {
    saveFacts(path, { ...saved, facts: healthy() });
    expect(loadFacts(path).facts).toEqual(healthy());
  });
  it('contain no registered secret', () => {
    registerSecret('tr0ub4dor-and-3');
    saveFacts(path, {
      ...saved,
      facts: { 'k8s:Pod': { ok: true, value: ['it is tr0ub4dor-and-3, really', 'password: other-words'] } },
    });
    expect(readFileSync(path, 'utf8')).not.toContain('tr0ub4dor');
    // Other text is unchanged: --from must give the same verdicts.
    expect(loadFacts(path).facts['k8s:Pod']).toEqual({
      ok: true,
      value: ['it is [redacted], really', 'password: other-words'],
    });
  });
  it('are refused in another format', () => {
    writeFileSync(path, '{"schemaVersion": 2}');
    expect(() => loadFacts(path)).toThrowError(expect.objectContaining({ exit: 2 }) as Error);
    expect(() => loadFacts(join(dir, 'none.json'))).toThrowError(expect.objectContaining({ exit: 2 }) as Error);
    rmSync(dir, { recursive: true });
    expect(existsSync(dir)).toBe(false);
  });
});
