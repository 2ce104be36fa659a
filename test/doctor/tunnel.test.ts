import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Kube } from '../../src/adapters/kube.ts';
import { throughTunnel } from '../../src/doctor/facts/tunnel.ts';
import { quickstart } from './support.ts';

const heard: string[] = [];
const server = createServer((call, answer) => {
  let body = '';
  call.on('data', (chunk: Buffer) => (body += chunk.toString()));
  call.on('end', () => {
    heard.push(`${call.method} ${call.url} ${body}`);
    answer.end('{}');
  });
});
beforeAll(() => new Promise<void>((ready) => void server.listen(0, '127.0.0.1', ready)));
afterAll(() => new Promise<void>((done) => void server.close(() => done())));

const strict = quickstart({ security: { mtls: { enabled: true, mode: 'strict' } } });
const home = 'genai-observability';

function session(failures = 0) {
  const passed: string[] = [];
  const opened: string[] = [];
  let closed = 0;
  const kube = {
    service: (_home: string, name: string, port: number) => (
      passed.push(`${name}:${port}`),
      Promise.resolve({ status: 200, body: '' })
    ),
  } as unknown as Kube;
  const portForward = (service: string, port: number) => {
    opened.push(`${service}:${port}`);
    if (opened.length <= failures) return Promise.reject(new Error('no pod'));
    return Promise.resolve({
      port: (server.address() as AddressInfo).port,
      close: () => void closed++,
      ended: Promise.resolve(''),
    });
  };
  return { kube, kubectl: { portForward }, passed, opened, closed: () => closed };
}

describe('requests to a gateway that accepts plain OTLP only in its own pod', () => {
  it('go through one tunnel, which is closed at the end; other requests do not', async () => {
    const all = session();
    const { kube, close } = throughTunnel({ ...all, config: strict });
    for (const body of ['{"a":1}', '{"b":2}'])
      expect(await kube.service(home, 'opentelemetry-collector', 4318, '/v1/logs', { method: 'POST', body })).toEqual({
        status: 200,
        body: '{}',
      });
    await kube.service(home, 'opentelemetry-collector', 8888, '/metrics');
    await kube.service(home, 'loki', 3100, '/ready');
    await close();
    expect(heard).toEqual(['POST /v1/logs {"a":1}', 'POST /v1/logs {"b":2}']);
    expect(all.passed).toEqual(['opentelemetry-collector:8888', 'loki:3100']);
    expect(all.opened).toEqual(['opentelemetry-collector:4318']);
    expect(all.closed()).toBe(1);
  });

  it('open the tunnel again after it failed', async () => {
    const { kube } = throughTunnel({ ...session(1), config: strict });
    await expect(kube.service(home, 'opentelemetry-collector', 4318, '/v1/logs')).rejects.toThrow('no pod');
    expect((await kube.service(home, 'opentelemetry-collector', 4318, '/v1/logs')).status).toBe(200);
  });

  it('go through the API server in every other configuration', async () => {
    for (const config of [quickstart(), quickstart({ security: { mtls: { enabled: true } } })]) {
      const all = session();
      await throughTunnel({ ...all, config }).kube.service(home, 'opentelemetry-collector', 4318, '/v1/logs');
      expect(all.passed).toEqual(['opentelemetry-collector:4318']);
    }
  });
});
