import { get } from '../support/cluster.ts';
import { create, deletePods, editMap, patch, remove, untilReady } from './actions.ts';
import type { Fault } from './types.ts';

/** Passwords to restore, by namespace, because two installations are tested at the same time. */
const passwords = new Map<string, string | undefined>();

async function savePassword(ns: string): Promise<void> {
  const { data } = await get<{ data: Record<string, string> }>('secret', 'grafana-admin', '-n', ns);
  passwords.set(ns, data['admin-password']);
}

/** Faults of Grafana and its provisioned resources. */
export const grafanaFaults: Fault[] = [
  {
    name: 'a wrong URL in a datasource',
    async inject(ns) {
      await editMap(ns, 'grafana-datasources', 'datasources.yaml', /url: http:\/\/loki:3100/, 'url: http://loki:3101');
      await deletePods(ns, 'grafana');
      await untilReady(ns, 'grafana');
    },
    first: 'GRAF-07',
    evidence: /datasource Loki at http:\/\/loki:3101.*should be http:\/\/loki:3100/,
    cause: /does not point to Loki/,
    fix: /genai-obs install/,
    object: 'ConfigMap NS/grafana-datasources',
  },
  {
    name: 'the ConfigMap of the dashboards deleted',
    inject: (ns) => remove(ns, 'configmap', 'genai-dashboards'),
    first: 'GRAF-13',
    evidence: /genai-dashboards does not exist/,
    cause: /deleted/,
    fix: /genai-obs install/,
    object: 'ConfigMap NS/genai-dashboards',
  },
  {
    name: 'invalid JSON in a dashboard',
    inject: (ns) => editMap(ns, 'genai-dashboards', 'genai-overview.json', /^\{/, '{,'),
    first: 'GRAF-13',
    evidence: /genai-overview\.json is not JSON/,
    cause: /edited manually/,
    fix: /genai-obs install/,
    object: 'ConfigMap NS/genai-dashboards',
  },
  {
    name: 'the administrator password in the Secret differs from the one in Grafana',
    async inject(ns) {
      await savePassword(ns);
      await patch(ns, 'secret/grafana-admin', {
        data: { 'admin-password': Buffer.from('Something-Else-4711').toString('base64') },
      });
    },
    undo: async (ns) =>
      void (await patch(ns, 'secret/grafana-admin', { data: { 'admin-password': passwords.get(ns) } })),
    first: 'GRAF-05',
    evidence: /refuses the administrator of Secret grafana-admin: 401/,
    cause: /differs from that in the database/,
    fix: /reset-admin-password/,
    object: 'Secret NS/grafana-admin',
  },
  {
    name: 'the Secret with the administrator password deleted',
    async inject(ns) {
      await savePassword(ns);
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
