import type { Kube } from '../../adapters/kube.ts';
import { placeOf } from '../../parts/catalog.ts';
import type { Deps } from './context.ts';

/**
 * With strict mTLS the gateway accepts plain OTLP only inside its own pod, which the API server's proxy does not reach.
 * Requests to its OTLP port then go through a tunnel, which ends inside the pod; all others are passed on.
 */
export function throughTunnel({ kube, kubectl, config }: Pick<Deps, 'kube' | 'kubectl' | 'config'>): {
  kube: Kube;
  close: () => Promise<void>;
} {
  const { mtls } = config.security;
  if (!mtls.enabled || mtls.mode !== 'strict') return { kube, close: () => Promise.resolve() };
  const { namespace, service } = placeOf(config, 'opentelemetry-collector');
  let tunnel: ReturnType<typeof kubectl.portForward> | undefined;
  const opened = (): NonNullable<typeof tunnel> => {
    tunnel ??= kubectl.portForward(service.name, service.port, { namespace });
    // The pod may still be starting: the next request tries again.
    tunnel.catch(() => (tunnel = undefined));
    return tunnel;
  };
  return {
    kube: {
      ...kube,
      async service(home, name, port, path, options = {}) {
        if (home !== namespace || name !== service.name || Number(port) !== service.port)
          return kube.service(home, name, port, path, options);
        const { method = 'GET', body, timeout = 10_000 } = options;
        const { port: local } = await opened();
        const headers = { 'content-type': 'application/json' };
        const answer = await fetch(`http://127.0.0.1:${local}${path}`, {
          method,
          headers,
          ...(body === undefined ? {} : { body }),
          signal: AbortSignal.timeout(timeout),
        });
        return { status: answer.status, body: await answer.text() };
      },
    },
    async close() {
      await tunnel?.then(
        (open) => (open.close(), open.ended),
        () => undefined,
      );
    },
  };
}
