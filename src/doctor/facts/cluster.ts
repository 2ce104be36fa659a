import { KubeError } from '../../adapters/kube.ts';
import type { Collector } from './context.ts';

/** `version`, or `ready`: an API server that does not answer is a finding (status 0), not a failed look. */
export const cluster: Collector = async (what, { kube }) => {
  if (what === 'version') return kube.json('/version');
  if (what !== 'ready') throw new Error(`unknown fact cluster:${what}`);
  try {
    const { status, body } = await kube.request('GET', '/readyz');
    return {
      status,
      server: kube.server,
      context: kube.context,
      ...(status === 200 ? {} : { error: body.replace(/\s+/g, ' ').slice(0, 200) }),
    };
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    return { status: 0, server: kube.server, context: kube.context, error: error.message };
  }
};
