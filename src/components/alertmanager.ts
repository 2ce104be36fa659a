import type { JsonMap } from '../core/types.ts';
import { listAt, mapAt, set } from '../core/json.ts';
import { SECRETS_PATH, notifySecrets, withReceivers } from '../parts/prometheus/receivers.ts';
import type { Component, Input } from '../parts/types.ts';
import {
  OWN_LABEL,
  checksumAnnotations,
  imageOneHost,
  imageParts,
  operatorStorage,
  resourcesOf,
} from '../parts/upstream.ts';

/** Routes alerts to receivers (000-COMP-06). quickstart has none: alerts are seen in its API and in Grafana. */
export const alertmanager: Component = {
  id: 'alertmanager',
  phase: 'alerting',
  needs: [],
  configure: (base, config) => withReceivers(config.genai.genops.enabled ? base : withoutThresholds(base), config),
  values(config) {
    const files = notifySecrets(config).map(({ secret, key }) => ({ secret, key, path: `${secret}/${key}` }));
    return files.length ? { secretFiles: files } : {};
  },
  stack: (input) => ({
    alertmanager: {
      enabled: true,
      serviceMonitor: { selfMonitor: false },
      // Maps are merged with the chart's own: its routes would lead to a receiver that is not among ours.
      config: { ...input.configuration, route: { routes: null, ...mapAt(input.configuration, 'route') } },
      alertmanagerSpec: {
        image: imageParts(input.image),
        podMetadata: { labels: OWN_LABEL },
        resources: resourcesOf(input),
        secrets: secretNames(input),
        ...operatorStorage(input, 'storage', input.config.alertmanager.size),
      },
    },
  }),
  upstream: {
    // Receivers and routes come together: lists are replaced whole (upstream.md A.7).
    alertmanager: (input) => ({
      fullnameOverride: 'alertmanager',
      podLabels: OWN_LABEL,
      podAnnotations: checksumAnnotations(input),
      image: imageOneHost(input.image),
      config: { enabled: true, global: null, templates: null, ...input.configuration },
      // The StatefulSet takes the claim of that name, which is there before it.
      persistence: { enabled: input.claim !== '', size: input.config.alertmanager.size },
      extraSecretMounts: secretNames(input).map((secret) => ({
        name: `secret-${secret}`,
        secretName: secret,
        mountPath: `${SECRETS_PATH}/${secret}`,
        readOnly: true,
      })),
      // The chart asks for the web page, which says nothing about being ready.
      livenessProbe: { httpGet: { path: '/-/healthy', port: 'http' } },
      readinessProbe: { httpGet: { path: '/-/ready', port: 'http' }, periodSeconds: 2, timeoutSeconds: 3 },
      resources: resourcesOf(input),
    }),
  },
};

/** The alerts on shares of a budget are GenOps': without them their inhibition can never match. */
function withoutThresholds(base: JsonMap): JsonMap {
  return set(
    base,
    ['inhibit_rules'],
    listAt(base, 'inhibit_rules').filter((rule) => !JSON.stringify(rule).includes('BudgetThreshold')),
  );
}

const secretNames = ({ config }: Input): string[] => [...new Set(notifySecrets(config).map(({ secret }) => secret))];
