import { get } from '../support/cluster.ts';
import { create, deletePods, editMap, patch, remove, untilReady } from './hands.ts';
import type { Fault } from './types.ts';

/** What is to be put back, by namespace: two installations are broken at the same time. */
const passwords = new Map<string, string | undefined>();

async function keepPassword(ns: string): Promise<void> {
  const { data } = await get<{ data: Record<string, string> }>('secret', 'grafana-admin', '-n', ns);
  passwords.set(ns, data['admin-password']);
}

/** Grafana and what it is provisioned with. */
export const grafanaFaults: Fault[] = [
  {
    name: 'a datasource with a wrong URL',
    async inject(ns) {
      await editMap(ns, 'grafana-datasources', 'datasources.yaml', /url: http:\/\/loki:3100/, 'url: http://loki:3101');
      await deletePods(ns, 'grafana');
      await untilReady(ns, 'grafana');
    },
    first: 'GRAF-07',
    evidence: /datasource Loki at http:\/\/loki:3101.*should be http:\/\/loki:3100/,
    cause: /does not lead to Loki/,
    fix: /genai-obs install/,
    object: 'ConfigMap NS/grafana-datasources',
  },
  {
    name: 'the dashboards deleted',
    inject: (ns) => remove(ns, 'configmap', 'genai-dashboards'),
    first: 'GRAF-13',
    evidence: /genai-dashboards does not exist/,
    cause: /deleted/,
    fix: /genai-obs install/,
    object: 'ConfigMap NS/genai-dashboards',
  },
  {
    name: 'a dashboard that is no JSON',
    inject: (ns) => editMap(ns, 'genai-dashboards', 'genai-overview.json', /^\{/, '{,'),
    first: 'GRAF-13',
    evidence: /genai-overview\.json is no JSON/,
    cause: /edited by hand/,
    fix: /genai-obs install/,
    object: 'ConfigMap NS/genai-dashboards',
  },
  {
    name: 'another password in the Secret than in Grafana',
    async inject(ns) {
      await keepPassword(ns);
      await patch(ns, 'secret/grafana-admin', {
        data: { 'admin-password': Buffer.from('Something-Else-4711').toString('base64') },
      });
    },
    undo: async (ns) =>
      void (await patch(ns, 'secret/grafana-admin', { data: { 'admin-password': passwords.get(ns) } })),
    first: 'GRAF-05',
    evidence: /refuses the administrator of Secret grafana-admin: 401/,
    cause: /not that in the database/,
    fix: /reset-admin-password/,
    object: 'Secret NS/grafana-admin',
  },
  {
    name: 'the Secret of the administrator deleted',
    async inject(ns) {
      await keepPassword(ns);
      await remove(ns, 'secret', 'grafana-admin');
    },
    async undo(ns) {
      const labels = {
        'app.kubernetes.io/name': 'grafana',
        'app.kubernetes.io/part-of': 'genai-obs',
        'app.kubernetes.io/managed-by': 'genai-obs',
      };
      await create({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'grafana-admin', namespace: ns, labels },
        data: { 'admin-user': Buffer.from('admin').toString('base64'), 'admin-password': passwords.get(ns) },
      });
    },
    first: 'PRE-22',
    evidence: /Secret grafana-admin does not exist, but Grafana is installed/,
    cause: /deleted/,
    fix: /genai-obs install --only secrets/,
    object: 'Secret NS/grafana-admin',
  },
];
