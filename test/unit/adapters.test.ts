import { chmodSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { exec, lastLines } from '../../src/adapters/exec.ts';
import { helmFor, parseManifest, storedReleases } from '../../src/adapters/helm.ts';
import { isNamespaced, ownableKinds, refPath, restPath } from '../../src/adapters/kinds.ts';
import { type Kube, KubeError, explainKube } from '../../src/adapters/kube.ts';
import { isPortFree, kubectlFor } from '../../src/adapters/kubectl.ts';
import { ObsError } from '../../src/core/errors.ts';
import { registerSecret } from '../../src/core/redact.ts';
import { type ApiServer, apiServer, status } from './support/apiServer.ts';
import { NS, fakeCluster } from './support/cluster.ts';

const dir = mkdtempSync(join(tmpdir(), 'genai-obs-adapters-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** A program that records its arguments, then runs the script. */
function program(name: string, script: string): { file: string; calls: () => string[] } {
  const [file, log] = [join(dir, name), join(dir, `${name}.log`)];
  writeFileSync(file, `#!/bin/sh\nfor a in "$@"; do printf '%s\\n' "$a" >> ${log}; done\n${script}\n`);
  chmodSync(file, 0o755);
  return { file, calls: () => (existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : []) };
}

describe('exec', () => {
  it('returns stdout, stderr and the exit code of a program that fails', async () => {
    const { file } = program('both', 'echo out; echo err >&2; exit 3');
    expect(await exec(file, [])).toEqual({ ok: false, code: 3, stdout: 'out', stderr: 'err', timedOut: false });
  });

  it('names a missing program, and where to get helm', async () => {
    await expect(exec(join(dir, 'nowhere'), [])).rejects.toThrow(/nowhere is not installed/);
    await expect(exec(join(dir, 'nohelm'), [])).rejects.toMatchObject({
      parts: { next: expect.stringContaining('helm.sh') as string },
    });
  });

  it('sends input on stdin, and passes arguments without a shell', async () => {
    const { file } = program('cat', 'cat; printf "%s" "$1"');
    expect((await exec(file, ['$(id); `id` "'], { input: 'in\n' })).stdout).toBe('in\n$(id); `id` "');
  });

  it('redacts secrets in stderr', async () => {
    registerSecret('correct-horse-battery');
    const { file } = program('leak', 'echo "no: correct-horse-battery" >&2; exit 1');
    expect((await exec(file, [])).stderr).toBe('no: [redacted]');
  });

  it('ends a program after the timeout', async () => {
    const { file } = program('slow', 'exec sleep 30');
    expect(await exec(file, [], { timeout: 100 })).toMatchObject({ ok: false, timedOut: true });
  });
});

describe('helm', () => {
  const values = { password: 'correct-horse-battery', config: { a: 1 } };

  it('is pinned to context and namespace, and reads its values from an unlinked private file', async () => {
    const { file, calls } = program(
      'helm-ok',
      `[ "$1" = version ] && echo v3.19.0 && exit; stat -Lc '%F %a %h' /dev/stdin >${dir}/kind; cat >${dir}/seen`,
    );
    const tmp = mkdtempSync(join(dir, 'tmp-'));
    vi.stubEnv('TMPDIR', tmp);
    await helmFor('ctx', file).upgrade({ release: 'loki', namespace: 'ns' }, '/charts/loki', values);
    vi.unstubAllEnvs();
    const [, , template = '', ...upgrade] = calls();
    expect(calls().slice(0, 2)).toEqual(['version', '--template']);
    expect(template).toMatch(/^\S+$/);
    expect(upgrade.join(' ')).toBe(
      'upgrade --install loki /charts/loki --kube-context ctx --namespace ns --values - ' +
        '--history-max 5 --reset-values --skip-crds --disable-openapi-validation',
    );
    expect(JSON.parse(readFileSync(join(dir, 'seen'), 'utf8'))).toEqual(values);
    // 0 links: no file is left when helm or this process is killed.
    expect(readFileSync(join(dir, 'kind'), 'utf8').trim()).toBe('regular file 600 0');
    expect(readdirSync(tmp)).toEqual([]);
  });

  it('reports a failure with release, cause and next command', async () => {
    const { file } = program(
      'helm-no',
      '[ "$1" = version ] && echo v3.19.0 && exit; echo "Error: UPGRADE FAILED: no" >&2; exit 1',
    );
    await expect(helmFor('ctx', file).upgrade({ release: 'loki', namespace: 'ns' }, 'c', {})).rejects.toMatchObject({
      parts: {
        object: 'release ns/loki',
        cause: 'Error: UPGRADE FAILED: no',
        next: 'helm --kube-context ctx -n ns history loki',
      },
    });
    await expect(
      helmFor('ctx', file).template({ release: 'loki', namespace: 'ns' }, 'c', {}, 'v1.34.0'),
    ).rejects.toMatchObject({
      parts: { what: 'the chart does not render' },
    });
    await expect(helmFor('ctx', file).uninstall({ release: 'loki', namespace: 'ns' })).rejects.toMatchObject({
      parts: { what: 'helm could not remove a release' },
    });
  });

  it.each([
    ['v3.19.2', 3, 19],
    ['v4.0.0', 4, 0],
    ['v3.12.0+gabc', 3, 12],
  ])('reads the version %s', async (text, major, minor) => {
    const { file } = program(`helm-${text}`, `echo ${text}`);
    expect(await helmFor('c', file).version()).toEqual({ version: text, major, minor });
  });

  it.each([
    ['v3.19.2', false],
    ['v4.0.1', true],
  ])('%s overwrites manual edits (conflicts forced: %s)', async (version, forced) => {
    const { file, calls } = program(`helm-edit-${version}`, `[ "$1" = version ] && echo ${version}; true`);
    const helm = helmFor('c', file);
    await Promise.all([
      helm.upgrade({ release: 'a', namespace: 'n' }, 'c', {}),
      helm.upgrade({ release: 'b', namespace: 'n' }, 'c', {}),
    ]);
    expect(calls().filter((word) => word === '--force-conflicts')).toHaveLength(forced ? 2 : 0);
    expect(calls().filter((word) => word === '--server-side=true')).toHaveLength(forced ? 2 : 0);
    expect(calls().filter((word) => word === 'version')).toHaveLength(1);
  });

  it('is refused when it does not report its version', async () => {
    await expect(helmFor('c', program('helm-odd', 'echo hello').file).version()).rejects.toThrow(
      'helm does not report its version',
    );
  });

  it('reports whether an uninstall removed a release', async () => {
    expect(
      await helmFor(
        'c',
        program('helm-gone', 'echo "Error: uninstall: Release not loaded: x: release: not found" >&2; exit 1').file,
      ).uninstall({
        release: 'x',
        namespace: 'n',
      }),
    ).toBe(false);
    expect(
      await helmFor('c', program('helm-un', 'echo "release uninstalled"').file).uninstall({
        release: 'x',
        namespace: 'n',
      }),
    ).toBe(true);
  });

  it('reads the newest revision of each release from its Secrets', async () => {
    const cluster = fakeCluster();
    cluster.record('loki', 'superseded', 9);
    cluster.record('loki', 'deployed', 10, { a: 1 });
    cluster.record('tempo', 'pending-install', 1);
    const stored = await storedReleases(cluster.kube, NS);
    expect([...stored.values()].map(({ name, revision, status, record }) => [name, revision, status, record])).toEqual([
      ['loki', 10, 'deployed', 'sh.helm.release.v1.loki.v10'],
      ['tempo', 1, 'pending-install', 'sh.helm.release.v1.tempo.v1'],
    ]);
    expect(stored.get('loki')?.payload().values).toEqual({ a: 1 });
    expect(
      stored
        .get('loki')
        ?.payload()
        .objects.map((object) => object.kind),
    ).toEqual(['StatefulSet', 'ConfigMap', 'ClusterRole']);
  });

  it('parses manifests with comments and empty documents', () => {
    expect(
      parseManifest(
        '---\n# Source: a\n---\nkind: A\nmetadata: {name: x}\n' +
          '---\n\n---\nkind: B\nmetadata: {name: y, annotations: }\n',
      ).map((object) => object.kind),
    ).toEqual(['A', 'B']);
  });
});

describe('kubectl', () => {
  it('opens and closes a tunnel, or reports why it cannot', async () => {
    const tunnel = await kubectlFor(
      'ctx',
      'ns',
      program('kubectl-pf', 'echo "Forwarding from 127.0.0.1:1"; exec sleep 30').file,
    ).portForward('grafana', 80, {
      localPort: 4711,
    });
    expect(tunnel.port).toBe(4711);
    tunnel.close();
    expect(await tunnel.ended).toContain('Forwarding from');
    await expect(
      kubectlFor(
        'ctx',
        'ns',
        program('kubectl-nopf', 'echo "error: services \\"grafana\\" not found" >&2; exit 1').file,
      ).portForward('grafana', 80),
    ).rejects.toMatchObject({ parts: { object: 'Service grafana:80', cause: 'error: services "grafana" not found' } });
  });

  it('reports whether a port is free', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    expect(await isPortFree(port)).toBe(false);
    await new Promise((resolve) => server.close(resolve));
    expect(await isPortFree(port)).toBe(true);
    expect(lastLines('a\n\nb\n', 1)).toBe('b');
  });
});

describe('paths of the API', () => {
  it.each([
    [{ apiVersion: 'v1', kind: 'Pod', namespace: 'n', name: 'p' }, '/api/v1/namespaces/n/pods/p'],
    [{ apiVersion: 'v1', kind: 'Namespace', name: 'n' }, '/api/v1/namespaces/n'],
    [
      { apiVersion: 'apps/v1', kind: 'StatefulSet', namespace: 'n', name: 'a/b' },
      '/apis/apps/v1/namespaces/n/statefulsets/a%2Fb',
    ],
    [
      { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', namespace: 'ignored', name: 'r' },
      '/apis/rbac.authorization.k8s.io/v1/clusterroles/r',
    ],
  ])('%j', (ref, path) => {
    expect(refPath(ref)).toBe(path);
  });

  it('cover collections, cluster-wide and in a namespace; unknown kinds are refused', () => {
    expect(restPath('Pod')).toBe('/api/v1/pods');
    expect(restPath('Lease', 'n')).toBe('/apis/coordination.k8s.io/v1/namespaces/n/leases');
    expect(() => restPath('Widget')).toThrow('does not know the kind Widget');
    expect(ownableKinds()).toEqual(
      expect.arrayContaining(['ClusterRole', 'PersistentVolumeClaim', 'Secret', 'Lease', 'Namespace']),
    );
    expect(isNamespaced('ClusterRole')).toBe(false);
  });
});

describe('the API server', () => {
  let api: ApiServer;
  let kube: Kube;
  const asked = (): string[] => api.asked.map(({ method, url }) => `${method} ${url}`);

  beforeAll(async () => {
    api = await apiServer();
    ({ kube } = api);
  });
  beforeEach(() => void api.asked.splice(0));
  afterEach(() => void (api.answer = () => ({ status: 200, body: '{}' })));
  afterAll(() => api.close());

  const pod = { apiVersion: 'v1', kind: 'Pod', namespace: 'n', name: 'p' };

  it('is asked with the path and credentials of the named context', async () => {
    let token: string | undefined;
    api.answer = (_asked, request) => {
      token = request.headers.authorization;
      return { status: 200, body: '{"kind":"Pod"}' };
    };
    expect(kube.context).toBe('two');
    expect(await kube.read(pod)).toEqual({ kind: 'Pod' });
    expect(asked()).toEqual(['GET /base/api/v1/namespaces/n/pods/p']);
    expect(token).toBe('Bearer token-of-the-user');
  });

  it('answers 404: read returns undefined, remove returns false, list throws', async () => {
    api.answer = () => status(404, 'NotFound', 'not found');
    expect(await kube.read(pod)).toBeUndefined();
    expect(await kube.remove(pod)).toBe(false);
    await expect(kube.list('Pod', 'n')).rejects.toMatchObject({ status: 404 });
  });

  it.each([
    [401, 'credentials'],
    [403, 'not allowed'],
    [500, 'the cluster refused'],
  ])('answers %d: an error, never an empty result', async (code, what) => {
    api.answer = () => status(code, 'Reason', 'the message');
    const error: unknown = await kube.read(pod).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ name: 'KubeError', status: code, reason: 'Reason', message: 'the message' });
    expect(explainKube(error, kube, 'looking').parts).toMatchObject({
      what: expect.stringContaining(what) as string,
      cause: 'the message',
    });
    await expect(kube.list('Secret', 'n')).rejects.toThrow('the message');
    await expect(kube.remove(pod)).rejects.toThrow('the message');
  });

  it('lists items with kind and apiVersion, which the API omits, and escapes selectors', async () => {
    api.answer = () => ({ status: 200, body: JSON.stringify({ items: [{ metadata: { name: 'a' } }] }) });
    expect(await kube.list('StatefulSet', 'n', 'a=b,c in (d)')).toEqual([
      { apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: { name: 'a' } },
    ]);
    expect(asked()).toEqual(['GET /base/apis/apps/v1/namespaces/n/statefulsets?labelSelector=a%3Db%2Cc%20in%20(d)']);
  });

  it('uses the method and path of the kind', async () => {
    api.answer = () => ({ status: 200, body: '{}' });
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x', namespace: 'n' } };
    await kube.create(object);
    await kube.replace(object);
    await kube.remove(pod);
    await kube.service('n', 'grafana', 80, '/api/health');
    expect(asked()).toEqual([
      'POST /base/api/v1/namespaces/n/configmaps',
      'PUT /base/api/v1/namespaces/n/configmaps/x',
      'DELETE /base/api/v1/namespaces/n/pods/p?propagationPolicy=Background',
      'GET /base/api/v1/namespaces/n/services/grafana:80/proxy/api/health',
    ]);
  });

  it('reports a timeout and a response that is not JSON', async () => {
    api.answer = () => undefined;
    await expect(kube.json('/version', 100)).rejects.toMatchObject({
      status: 0,
      reason: 'Timeout',
      message: expect.stringContaining('no answer within 0.1 s') as string,
    });
    api.answer = () => ({ status: 200, body: '<html>login</html>' });
    await expect(kube.json('/version')).rejects.toMatchObject({ reason: 'NotJson' });
    api.answer = () => ({ status: 502, body: '<html>bad gateway</html>' });
    await expect(kube.json('/version')).rejects.toMatchObject({
      status: 502,
      message: expect.stringContaining('bad gateway') as string,
    });
  });

  it('explains other errors, and keeps an ObsError', () => {
    const known = new ObsError({ what: 'x' });
    expect(explainKube(known, kube, 'looking')).toBe(known);
    expect(explainKube(new KubeError(0, 'Unreachable', 'refused'), kube, 'looking').parts).toMatchObject({
      what: 'the cluster does not answer while looking',
      object: `context two (${kube.server})`,
    });
    expect(explainKube(new Error('odd'), kube, 'looking').parts).toEqual({
      what: 'failed while looking',
      cause: 'odd',
    });
  });
});
