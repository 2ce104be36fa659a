import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
// By name, so that the bundle drops client-node's 2.5 MB of generated API classes.
import { KubeConfig } from '@kubernetes/client-node';
import { EXIT, ObsError, messageOf } from '../core/errors.ts';

function paths(): string[] {
  const env = process.env['KUBECONFIG'];
  return env ? env.split(delimiter).filter(Boolean) : [join(homedir(), '.kube', 'config')];
}

/** Contexts of the kubeconfig; none without a kubeconfig. @throws ObsError when the file cannot be read */
export function contexts(): { names: string[]; current: string } {
  if (!paths().some((path) => existsSync(path))) return { names: [], current: '' };
  const config = load();
  return { names: config.getContexts().map(({ name }) => name), current: config.getCurrentContext() };
}

/** The message leaves out the wrong line: it may hold a token. */
function load(): KubeConfig {
  const config = new KubeConfig();
  try {
    config.loadFromDefault();
    return config;
  } catch (error) {
    throw new ObsError({
      what: `the kubeconfig ${paths().join(', ')} cannot be read`,
      cause: error instanceof TypeError ? 'it is empty' : messageOf(error).replace(/\n[^]*/, ''),
      next: 'kubectl config view',
      exit: EXIT.usage,
    });
  }
}

/** @throws ObsError without a kubeconfig or context: client-node alone would fall back to localhost:8080 */
export function kubeconfigOf(contextName: string | undefined): { config: KubeConfig; context: string } {
  if (!paths().some((path) => existsSync(path)))
    throw new ObsError({
      what: `there is no kubeconfig at ${paths().join(', ')}`,
      exit: EXIT.usage,
      next: 'set KUBECONFIG to the file of your cluster, or create one with your cluster provider’s CLI',
    });
  const config = load();
  const context = contextName ?? config.getCurrentContext();
  const names = config.getContexts().map(({ name }) => name);
  if (!context || !names.includes(context))
    throw new ObsError({
      what: context ? `the kubeconfig has no context "${context}"` : 'the kubeconfig has no current context',
      cause: names.length ? `its contexts: ${names.join(', ')}` : 'it has no contexts',
      next: names.length ? `genai-obs … --context ${names[0]}` : 'kubectl config get-contexts',
      exit: EXIT.usage,
    });
  config.setCurrentContext(context);
  return { config, context };
}
