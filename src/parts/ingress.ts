import type { JsonMap } from '../core/types.ts';
import type { Config } from '../profile/schema.ts';

type Ingress = Config['grafana']['ingress'];

const annotationsOf = ({ issuer, annotations }: Ingress): Record<string, string> => ({
  ...annotations,
  ...(issuer ? { 'cert-manager.io/cluster-issuer': issuer } : {}),
});

/** Values of our own charts; empty without a host. */
export function ownIngress(ingress: Ingress): JsonMap {
  if (!ingress.host) return {};
  const { host, className, tlsSecret } = ingress;
  return { ingress: { host, className, tlsSecret, annotations: annotationsOf(ingress) } };
}

/** Values of upstream charts; empty without a host. */
export function upstreamIngress(ingress: Ingress): JsonMap {
  if (!ingress.host) return {};
  const { host, className, tlsSecret } = ingress;
  return {
    ingress: {
      enabled: true,
      hosts: [host],
      annotations: annotationsOf(ingress),
      ...(className ? { ingressClassName: className } : {}),
      ...(tlsSecret ? { tls: [{ secretName: tlsSecret, hosts: [host] }] } : {}),
    },
  };
}
