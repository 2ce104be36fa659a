import type { JsonMap } from '../core/types.ts';
import { listAt, mapAt, set } from '../core/json.ts';
import { notifySecrets, withReceivers } from '../parts/prometheus/receivers.ts';
import { ownSecretFiles, secretNames, upstreamSecretMounts } from '../parts/secretFiles.ts';
import type { Component } from '../parts/types.ts';
import {
  OWN_LABEL,
  checksumAnnotations,
  imageOneHost,
  imageParts,
  operatorStorage,
  resourcesOf,
} from '../parts/upstream.ts';

/** Routes alerts to receivers. quickstart has none: alerts show in its API and in Grafana. */
export const alertmanager: Component = {
  id: 'alertmanager',
  phase: 'alerting',
  needs: [],
  configure: (template, config) =>
    withReceivers(config.genai.genops.enabled ? template : withoutThresholds(template), config),
  values: (config) => ownSecretFiles(notifySecrets(config)),
  stack: (input) => ({
    alertmanager: {
      enabled: true,
      serviceMonitor: { selfMonitor: false },
      // Helm merges maps: the chart's default routes would refer to a receiver that we do not have.
      config: { ...input.configuration, route: { routes: null, ...mapAt(input.configuration, 'route') } },
      alertmanagerSpec: {
        image: imageParts(input.image),
        podMetadata: { labels: OWN_LABEL },
        resources: resourcesOf(input),
        secrets: secretNames(notifySecrets(input.config)),
        ...operatorStorage(input, 'storage', input.config.alertmanager.size),
      },
    },
  }),
  upstream: {
    alertmanager: (input) => ({
      fullnameOverride: 'alertmanager',
      podLabels: OWN_LABEL,
      podAnnotations: checksumAnnotations(input),
      image: imageOneHost(input.image),
      config: { enabled: true, global: null, templates: null, ...input.configuration },
      // The StatefulSet adopts our claim by its name.
      persistence: { enabled: input.claim !== '', size: input.config.alertmanager.size },
      extraSecretMounts: upstreamSecretMounts(notifySecrets(input.config)),
      // The chart probes the web page, which does not show readiness.
      livenessProbe: { httpGet: { path: '/-/healthy', port: 'http' } },
      readinessProbe: { httpGet: { path: '/-/ready', port: 'http' }, periodSeconds: 2, timeoutSeconds: 3 },
      resources: resourcesOf(input),
    }),
  },
};

/** Without GenOps there are no alerts for shares of a budget, so their inhibition rule never matches. */
function withoutThresholds(template: JsonMap): JsonMap {
  return set(
    template,
    ['inhibit_rules'],
    listAt(template, 'inhibit_rules').filter((rule) => !JSON.stringify(rule).includes('BudgetThreshold')),
  );
}
