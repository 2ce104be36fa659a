import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { get, kubectl } from './cluster.ts';

interface View {
  clusters: { cluster: { server: string; 'certificate-authority-data'?: string; 'certificate-authority'?: string } }[];
}

/** Writes kubeconfigs to a temporary folder, which `close` deletes. */
export function kubeconfigs(): {
  write: (name: string, server: string, user?: object, cluster?: object) => string;
  close: () => void;
  dir: string;
} {
  const dir = mkdtempSync(join(tmpdir(), 'genai-obs-access-'));
  return {
    dir,
    write(name, server, user = {}, cluster = {}) {
      const path = join(dir, `${name}.kubeconfig`);
      const config = {
        apiVersion: 'v1',
        kind: 'Config',
        clusters: [{ name, cluster: { server, ...cluster } }],
        users: [{ name, user }],
        contexts: [{ name, context: { cluster: name, user: name } }],
        'current-context': name,
      };
      writeFileSync(path, JSON.stringify(config), { mode: 0o600 });
      return path;
    },
    close: () => rmSync(dir, { recursive: true, force: true }),
  };
}

/** Address and CA of the cluster under test. */
export async function thisCluster(): Promise<{ server: string; ca: object }> {
  const { clusters } = JSON.parse(await kubectl(['config', 'view', '--raw', '--minify', '-o', 'json'])) as View;
  const { server = '', ...ca } = clusters[0]?.cluster ?? {};
  return { server, ca };
}

/** Creates a service account with these rules in the whole cluster. @returns its token, valid for an hour */
export async function account(namespace: string, name: string, rules: object[]): Promise<string> {
  const role = `${namespace}-${name}`;
  const items = [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } },
    ...(rules.length
      ? [
          { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name: role }, rules },
          {
            apiVersion: 'rbac.authorization.k8s.io/v1',
            kind: 'ClusterRoleBinding',
            metadata: { name: role },
            roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
            subjects: [{ kind: 'ServiceAccount', name, namespace }],
          },
        ]
      : []),
  ];
  await kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
  return (await kubectl(['-n', namespace, 'create', 'token', name, '--duration=1h'])).trim();
}

/** Deletes the accounts' namespace and their cluster-wide roles. */
export async function removeAccounts(namespace: string): Promise<void> {
  for (const kind of ['clusterrole', 'clusterrolebinding']) {
    const { items } = await get(kind);
    const own = items.map(({ metadata }) => metadata.name).filter((name) => name.startsWith(`${namespace}-`));
    if (own.length) await kubectl(['delete', kind, ...own]);
  }
  await kubectl(['delete', 'namespace', namespace, '--ignore-not-found', '--wait', '--timeout=120s']);
}
