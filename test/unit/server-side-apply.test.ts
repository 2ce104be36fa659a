import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ErrorParts, ObsError } from '../../src/core/errors.ts';
import type { KubeObject } from '../../src/core/types.ts';
import { type ApiServer, apiServer, status } from './support/apiServer.ts';

let api: ApiServer;
beforeAll(async () => void (api = await apiServer()));
beforeEach(() => {
  api.asked.length = 0;
  api.answer = () => ({ status: 200, body: '{}' });
});
afterAll(() => api.close());

const map = (name: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'n' },
  data: { a: '1' },
});
const parts = (work: Promise<void>): Promise<ErrorParts> =>
  work.then(
    () => expect.fail('nothing was refused'),
    (error: unknown) => (error as ObsError).parts,
  );
const paths = (): string[] => api.asked.map(({ url }) => (url.split('?')[0] ?? '').slice('/base'.length));

describe('server-side apply', () => {
  it('is a PATCH of type apply by our own field manager, conflicts forced and unknown fields refused', async () => {
    await api.kube.apply([map('x')]);
    expect(api.asked).toEqual([
      {
        method: 'PATCH',
        url: '/base/api/v1/namespaces/n/configmaps/x?fieldManager=genai-obs&force=true&fieldValidation=Strict',
        contentType: 'application/apply-patch+yaml',
        body: JSON.stringify(map('x')),
      },
    ]);
  });

  it('marks a dry run', async () => {
    await api.kube.apply([map('x')], { dryRun: true });
    expect(api.asked.map(({ url }) => url)).toEqual([
      '/base/api/v1/namespaces/n/configmaps/x?fieldManager=genai-obs&force=true&fieldValidation=Strict&dryRun=All',
    ]);
  });

  it('sends namespaces and CRDs first, then the rest, at most 8 at a time', async () => {
    let now = 0;
    let most = 0;
    api.answer = async () => {
      most = Math.max(most, ++now);
      // The namespace and the CRD come first; each later request is held until 8 are in flight.
      if (paths().length > 2) await vi.waitFor(() => expect(most).toBeGreaterThanOrEqual(8), 5_000);
      now--;
      return { status: 201, body: '{}' };
    };
    const maps = Array.from({ length: 20 }, (_, i) => map(`m${i}`));
    const crd = {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'w.example' },
    };
    await api.kube.apply([...maps, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'n' } }, crd]);
    expect(paths().slice(0, 2).toSorted()).toEqual([
      '/api/v1/namespaces/n',
      '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/w.example',
    ]);
    expect(new Set(paths().slice(2))).toEqual(
      new Set(maps.map(({ metadata }) => `/api/v1/namespaces/n/configmaps/${metadata.name}`)),
    );
    expect(most).toBe(8);
  });

  it('sends nothing for an empty list', async () => {
    await api.kube.apply([]);
    expect(api.asked).toEqual([]);
  });

  it('uses the apiVersion of the object', async () => {
    await api.kube.apply([
      {
        apiVersion: 'opentelemetry.io/v1alpha1',
        kind: 'OpenTelemetryCollector',
        metadata: { name: 'a', namespace: 'n' },
      },
    ]);
    expect(paths()).toEqual(['/apis/opentelemetry.io/v1alpha1/namespaces/n/opentelemetrycollectors/a']);
  });

  it.each([
    ['an unknown kind', 'example.com/v1', 'Widget'],
    ['a kind of another group with a known name', 'example.com/v1', 'Certificate'],
  ])('asks the cluster for the path of %s', async (_name, apiVersion, kind) => {
    const resources = [
      { name: 'things/status', kind, namespaced: true },
      { name: 'things', kind, namespaced: false },
    ];
    api.answer = ({ method }) => ({ status: 200, body: method === 'GET' ? JSON.stringify({ resources }) : '{}' });
    await api.kube.apply([{ apiVersion, kind, metadata: { name: 'w' } }]);
    expect(paths()).toEqual(['/apis/example.com/v1', '/apis/example.com/v1/things/w']);
  });

  it('refuses a kind that the cluster does not serve', async () => {
    api.answer = () => ({ status: 404, body: '404 page not found' });
    expect(
      await parts(
        api.kube.apply([{ apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name: 'w' } }], { dryRun: true }),
      ),
    ).toMatchObject({
      object: 'Widget w',
      cause: 'the cluster serves no kind Widget of example.com/v1',
    });
  });
});

describe('a transient error is retried', () => {
  it.each([
    ['too many requests', () => status(429, 'TooManyRequests', 'too many')],
    ['an overloaded server', () => ({ status: 503, body: 'busy' })],
    ['a webhook that is not ready', () => status(500, 'InternalError', 'failed calling webhook')],
    ['a namespace that is not visible yet', () => status(404, 'NotFound', 'namespaces "n" not found')],
    ['a reset connection', () => 'reset' as const],
  ])('%s', async (_name, no) => {
    let times = 2;
    api.answer = () => (times-- > 0 ? no() : { status: 200, body: '{}' });
    await api.kube.apply([map('x')]);
    expect(api.asked).toHaveLength(3);
  });

  it('except in a dry run: its callers poll', async () => {
    api.answer = () => status(500, 'InternalError', 'failed calling webhook "w": connection refused');
    expect((await parts(api.kube.apply([map('x')], { dryRun: true }))).cause).toBe(
      'failed calling webhook "w": connection refused',
    );
    expect(api.asked).toHaveLength(1);
  });

  it('at most five times', async () => {
    api.answer = () => status(503, 'ServiceUnavailable', 'no');
    expect(await parts(api.kube.apply([map('x')]))).toMatchObject({
      object: 'ConfigMap n/x',
      cause: 'no',
      next: expect.stringContaining('/readyz') as string,
    });
    expect(api.asked).toHaveLength(6);
  }, 15_000);
});

describe('a refusal', () => {
  it('names the refused object, and no further object is sent', async () => {
    api.answer = ({ url }) =>
      url.includes('/m3?')
        ? status(422, 'Invalid', 'ConfigMap "m3" is invalid: data: Required value')
        : { status: 200, body: '{}' };
    const maps = Array.from({ length: 40 }, (_, i) => map(`m${i}`));
    expect(await parts(api.kube.apply(maps))).toEqual({
      what: 'the cluster refused an object',
      object: 'ConfigMap n/m3',
      cause: 'ConfigMap "m3" is invalid: data: Required value',
      next: 'compare with the live object: kubectl --context two -n n get configmap m3 -o yaml',
    });
    expect(api.asked.length).toBeLessThan(40);
    const sent = api.asked.length;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(api.asked).toHaveLength(sent);
  });

  it.each([
    [401, 'Unauthorized', 'log in again'],
    [403, 'configmaps "x" is forbidden: User "u" cannot patch resource "configmaps"', 'PRE-23'],
    [403, 'configmaps "x" is forbidden: exceeded quota: q', 'kubectl --context two -n n describe resourcequota'],
    [
      403,
      'unable to create new content in namespace n because it is being terminated',
      'kubectl --context two get namespace n -w',
    ],
    [400, 'strict decoding error: unknown field "spec.x"', 'get configmap x -o yaml'],
    [405, 'odd', 'kubectl --context two -n n get events'],
  ])('%d: %s', async (code, message, next) => {
    api.answer = () => status(code, 'Reason', message);
    const error = await parts(api.kube.apply([map('x')]));
    expect(error).toMatchObject({ what: 'the cluster refused an object', object: 'ConfigMap n/x', cause: message });
    expect(error.next).toContain(next);
    expect(api.asked).toHaveLength(1);
  });

  it('distinguishes a server that does not answer', async () => {
    api.answer = () => 'reset';
    expect(await parts(api.kube.apply([map('x')], { dryRun: true }))).toMatchObject({
      what: 'the cluster does not answer while applying an object',
      object: `ConfigMap n/x (${api.kube.server})`,
    });
  });
});
