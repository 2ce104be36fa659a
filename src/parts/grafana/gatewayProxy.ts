import { readAsset } from '../../core/assets.ts';
import type { JsonMap } from '../../core/types.ts';
import type { Config } from '../../profile/schema.ts';
import { imageOf } from '../catalog.ts';
import { CONTAINER_SECURITY } from '../upstream.ts';

export const PROXY_CONFIG = 'grafana-gateway-proxy';
/** Port of nginx; target of Grafana's Service. */
export const PROXY_PORT = 8080;
const IMAGE = 'docker.io/nginxinc/nginx-unprivileged:1.31-alpine';

/** Content of that ConfigMap; undefined if the proxy is disabled. */
export function proxyConfig(config: Config): Record<string, string> | undefined {
  const { enabled, upstream } = config.grafana.gatewayProxy;
  if (!enabled) return undefined;
  return {
    'default.conf.template': readAsset('templates', 'grafana', 'gateway-proxy.conf').replaceAll('UPSTREAM', upstream),
  };
}

export function proxyContainer(config: Config): JsonMap {
  return {
    name: 'gateway-proxy',
    image: imageOf(IMAGE, config.global.imageRegistry),
    imagePullPolicy: 'IfNotPresent',
    // Adds the pod's DNS servers as resolvers, so that nginx starts without the gateway.
    env: [{ name: 'NGINX_ENTRYPOINT_LOCAL_RESOLVERS', value: '1' }],
    ports: [{ name: 'gateway-proxy', containerPort: PROXY_PORT, protocol: 'TCP' }],
    resources: { requests: { cpu: '50m', memory: '32Mi' }, limits: { cpu: '200m', memory: '64Mi' } },
    securityContext: { runAsUser: 101, runAsGroup: 101, runAsNonRoot: true, ...CONTAINER_SECURITY },
    volumeMounts: [
      { name: 'gateway-proxy', mountPath: '/etc/nginx/templates', readOnly: true },
      { name: 'gateway-proxy-conf', mountPath: '/etc/nginx/conf.d' },
      { name: 'gateway-proxy-tmp', mountPath: '/tmp' },
    ],
  };
}

export function proxyVolumes(): JsonMap[] {
  return [
    { name: 'gateway-proxy', configMap: { name: PROXY_CONFIG } },
    { name: 'gateway-proxy-conf', emptyDir: {} },
    { name: 'gateway-proxy-tmp', emptyDir: {} },
  ];
}
