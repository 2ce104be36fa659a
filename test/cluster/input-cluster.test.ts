import { chmodSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listen } from '../support/server.ts';
import { account, kubeconfigs, removeAccounts, thisCluster } from './support/access.ts';
import { cli, kubectl, uninstallOnInterrupt, removeAll, run } from './support/cluster.ts';
import { expectNoCrash, refuses } from './support/refusal.ts';

const NS = 'it-access';
const ACCOUNTS = 'it-accounts';
const INSTALL = ['install', '--namespace', NS, '--yes'];
const configs = kubeconfigs();
const FLAGS: Record<string, string[]> = {
  install: ['--yes'],
  uninstall: ['--yes'],
  open: ['--port', '0'],
  backup: ['--output', join(configs.dir, 'backup')],
};

beforeAll(async () => {
  uninstallOnInterrupt(NS);
  await removeAll(NS);
});
afterAll(async () => {
  configs.close();
  await removeAll(NS);
});

describe('refuses a cluster that is unreachable or is the wrong one', () => {
  const servers: { close: () => Promise<void> }[] = [];
  async function serve(status: number, body: string): Promise<string> {
    const server = await listen(
      createServer((_request, response) => void response.writeHead(status, { 'Content-Type': 'text/html' }).end(body)),
    );
    servers.push(server);
    return `http://127.0.0.1:${server.port}`;
  }
  afterAll(() => Promise.all(servers.map((server) => server.close())));

  it('no kubeconfig', async () => {
    const { what, next } = await refuses(NS, INSTALL, 2, { KUBECONFIG: join(configs.dir, 'absent') });
    expect(what).toContain('there is no kubeconfig');
    expect(next).toContain('KUBECONFIG');
  });

  it('a kubeconfig that cannot be read', async () => {
    const path = join(configs.dir, 'garbage');
    writeFileSync(path, '{"kind": "Config", clusters: [');
    expect((await refuses(NS, INSTALL, 2, { KUBECONFIG: path })).what).toContain(`${path} cannot be read`);
  });

  it('a kubeconfig without a current context', async () => {
    const path = join(configs.dir, 'empty');
    writeFileSync(path, 'apiVersion: v1\nkind: Config\n');
    expect((await refuses(NS, INSTALL, 2, { KUBECONFIG: path })).what).toBe('the kubeconfig has no current context');
  });

  it('an unknown context; lists the known ones', async () => {
    const { what, cause, next } = await refuses(NS, [...INSTALL, '--context', 'moon'], 2);
    expect(what).toBe('the kubeconfig has no context "moon"');
    expect(cause).toMatch(/^its contexts: \S+/);
    expect(next).toContain('--context ');
  });

  it.each(['install', 'plan', 'status', 'uninstall', 'open', 'backup'])(
    '%s: an API server that does not respond',
    async (verb) => {
      const KUBECONFIG = configs.write('nowhere', 'https://127.0.0.1:1');
      const { what, on, cause, next } = await refuses(NS, [verb, '--namespace', NS, ...(FLAGS[verb] ?? [])], 1, {
        KUBECONFIG,
      });
      expect(what).toContain('the cluster does not answer');
      expect(on).toBe('context nowhere (https://127.0.0.1:1)');
      expect(cause).toContain('ECONNREFUSED');
      expect(next).toBe('kubectl --context nowhere get --raw /readyz');
    },
  );

  it('doctor: an API server that does not respond is the first finding and explains all others', async () => {
    const done = await cli(['doctor', '--namespace', NS, '-o', 'json'], {
      KUBECONFIG: configs.write('nowhere', 'https://127.0.0.1:1'),
    });
    expect(done.code).toBe(3);
    expectNoCrash(done);
    const { findings } = JSON.parse(done.stdout) as {
      findings: { id: string; status: string; evidence: string; fix?: string }[];
    };
    expect(findings[0]).toMatchObject({
      id: 'PRE-05',
      status: 'fail',
      fix: 'kubectl --context nowhere get --raw /readyz',
    });
    expect(findings[0]?.evidence).toContain('ECONNREFUSED');
    expect(findings.filter(({ status }) => status === 'fail' || status === 'unknown').map(({ id }) => id)).toEqual([
      'PRE-05',
    ]);
  });

  it.each([
    ['an invalid address', 'not an address', {}, /Invalid URL/],
    [
      'a login helper that does not exist',
      'https://127.0.0.1:1',
      {
        exec: {
          apiVersion: 'client.authentication.k8s.io/v1',
          command: 'no-such-login-helper',
          interactiveMode: 'Never',
        },
      },
      /no-such-login-helper/,
    ],
    [
      'a certificate file that does not exist',
      'https://127.0.0.1:1',
      { 'client-certificate': '/absent.crt', 'client-key': '/absent.key' },
      /absent/,
    ],
  ])('a kubeconfig with %s', async (_name, address, user, message) => {
    const { what, on, cause } = await refuses(NS, INSTALL, 2, { KUBECONFIG: configs.write('odd', address, user) });
    expect(what).toContain('cannot be used');
    expect(on).toContain('context odd');
    expect(cause).toMatch(message);
  });

  it('a host name that does not resolve', async () => {
    const KUBECONFIG = configs.write('nobody', 'https://no-such-host.invalid:6443');
    expect((await refuses(NS, INSTALL, 1, { KUBECONFIG })).cause).toMatch(/ENOTFOUND|EAI_AGAIN/);
  });

  it.each([
    [200, '<html>Welcome</html>'],
    [404, '<html>Not found</html>'],
    [503, '<html>Service unavailable</html>'],
  ])('a server that is not Kubernetes and returns %i', async (status, body) => {
    const KUBECONFIG = configs.write(
      `web-${status}`,
      await serve(status, body),
      {},
      { 'insecure-skip-tls-verify': true },
    );
    const { on } = await refuses(NS, INSTALL, 1, { KUBECONFIG });
    expect(on).toContain(`context web-${status}`);
  });

  it('a server certificate of an unknown CA', async () => {
    const { server } = await thisCluster();
    const { cause } = await refuses(NS, INSTALL, 1, { KUBECONFIG: configs.write('unsigned', server) });
    expect(cause).toMatch(/certificate/);
  });
});

describe('refuses an account without the necessary permissions', () => {
  let server: string;
  let ca: object;
  beforeAll(async () => {
    await removeAccounts(ACCOUNTS);
    await kubectl(['create', 'namespace', ACCOUNTS]);
    ({ server, ca } = await thisCluster());
  });
  afterAll(() => removeAccounts(ACCOUNTS));

  it('invalid credentials', async () => {
    const token = 'not-a-token-of-this-cluster-0123456789';
    const {
      what,
      on,
      next,
      run: done,
    } = await refuses(NS, INSTALL, 1, { KUBECONFIG: configs.write('stranger', server, { token }, ca) });
    expect(what).toContain('refuses the credentials');
    expect(on).toBe('context stranger');
    expect(next).toContain('log in again');
    expect(done.stderr).not.toContain(token);
  });

  it('no permissions at all', async () => {
    const token = await account(ACCOUNTS, 'nobody', []);
    const {
      what,
      cause,
      next,
      run: done,
    } = await refuses(NS, INSTALL, 1, { KUBECONFIG: configs.write('norights', server, { token }, ca) });
    expect(what).toContain('not allowed');
    expect(cause).toContain(`system:serviceaccount:${ACCOUNTS}:nobody`);
    expect(next).toContain('doctor --stage preflight');
    expect(done.stderr).not.toContain(token);
  });

  it('read-only; names missing permissions and changes nothing', async () => {
    const token = await account(ACCOUNTS, 'reader', [
      { apiGroups: ['*'], resources: ['*'], verbs: ['get', 'list', 'watch'] },
    ]);
    const { what, cause, next } = await refuses(NS, INSTALL, 1, {
      KUBECONFIG: configs.write('reader', server, { token }, ca),
    });
    expect(what).toMatch(/PRE-23.*may not: create namespaces, create secrets/);
    expect(cause).toContain('lacks permissions');
    expect(next).toContain('administrator');
  });

  it('everything except cluster roles', async () => {
    const everything = {
      apiGroups: [
        '',
        'apps',
        'policy',
        'coordination.k8s.io',
        'storage.k8s.io',
        'networking.k8s.io',
        'autoscaling',
        'discovery.k8s.io',
      ],
      resources: ['*'],
      verbs: ['*'],
    };
    const token = await account(ACCOUNTS, 'editor', [
      everything,
      { apiGroups: ['rbac.authorization.k8s.io'], resources: ['*'], verbs: ['get', 'list'] },
    ]);
    const { what } = await refuses(NS, INSTALL, 1, { KUBECONFIG: configs.write('editor', server, { token }, ca) });
    expect(what).toMatch(/PRE-23.*create clusterroles\.rbac\.authorization\.k8s\.io/);
  });

  it('doctor reports the missing permissions', async () => {
    const token = await account(ACCOUNTS, 'nobody', []);
    const done = await cli(['doctor', '--stage', 'preflight', '--namespace', NS, '-o', 'json'], {
      KUBECONFIG: configs.write('norights', server, { token }, ca),
    });
    expectNoCrash(done);
    expect(done.code).toBe(3);
    const { findings } = JSON.parse(done.stdout) as { findings: { id: string; status: string }[] };
    expect(findings.find(({ id }) => id === 'PRE-23')?.status).toBe('fail');
  });
});

describe('refuses missing or unsuitable tools', () => {
  function script(name: string, text: string): string {
    const path = join(configs.dir, name);
    writeFileSync(path, `#!/bin/sh\n${text}\n`);
    chmodSync(path, 0o755);
    return path;
  }
  async function pathWithout(tool: string): Promise<string> {
    const found: string[] = [];
    for (const dir of (process.env['PATH'] ?? '').split(delimiter))
      if ((await run('sh', ['-c', `test -x "${dir}/${tool}"`])).code !== 0) found.push(dir);
    // Both tools may be in the same folder, so link the other one into a new folder.
    const other = tool === 'helm' ? 'kubectl' : 'helm';
    const place = (await run('sh', ['-c', `command -v ${other}`])).stdout.trim();
    const links = join(configs.dir, `only-${other}`);
    await run('mkdir', ['-p', links]);
    await run('ln', ['-sf', place, join(links, other)]);
    return [links, ...found].join(delimiter);
  }

  it.each(['helm', 'kubectl'])('%s is missing', async (tool) => {
    const { what, cause, next } = await refuses(NS, INSTALL, 1, { PATH: await pathWithout(tool) });
    expect(what).toContain(`${tool} is not on the PATH`);
    expect(cause).toMatch(new RegExp(`${tool} is not installed`, 'i'));
    expect(next).toContain('https://');
  });

  it.each([
    ['Helm 2', 'echo "Client: v2.17.0+ga690bad"'],
    ['Helm 2 without its server', 'echo "Client: v2.17.0+ga690bad"; echo "Error: could not find tiller" >&2; exit 1'],
    ['Helm 3.7', 'echo v3.7.2'],
    ['something else', 'echo hello'],
    ['a program that fails', 'echo "cannot run" >&2; exit 126'],
  ])('helm is %s', async (name, text) => {
    const { what, next } = await refuses(NS, INSTALL, 1, {
      GENAI_OBS_HELM: script(`helm-${name.replaceAll(' ', '-')}`, text),
    });
    expect(what).toMatch(/PRE-02/);
    expect(next).toMatch(/helm/i);
  });

  it('kubectl is too old', async () => {
    const old = script('kubectl-old', `echo '{"clientVersion":{"gitVersion":"v1.19.4"}}'`);
    expect((await refuses(NS, INSTALL, 1, { GENAI_OBS_KUBECTL: old })).what).toMatch(/PRE-01.*1\.19\.4/);
  });
});
