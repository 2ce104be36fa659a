import { lastLines } from '../adapters/exec.ts';
import { isPortFree } from '../adapters/kubectl.ts';
import { installed, openSession } from '../app/session.ts';
import { EXIT, ObsError, usageError } from '../core/errors.ts';
import { placeOf } from '../parts/catalog.ts';
import { paint } from '../ui/paint.ts';

export interface OpenOptions {
  context?: string | undefined;
  namespace?: string | undefined;
  port: string;
}

/** `genai-obs open`: a tunnel to Grafana until Ctrl-C. Prints how to show the password, never the password. */
export async function open(options: OpenOptions): Promise<number> {
  const port = Number(options.port);
  if (!Number.isInteger(port) || port < 0 || port > 65535)
    throw usageError(`--port takes a port number, not "${options.port}"`, 'for any free port: genai-obs open --port 0');
  if (port !== 0 && !(await isPortFree(port))) throw portTaken(port, options.namespace);
  const session = await openSession(options);
  const { config } = await installed(session);
  const { service, namespace } = placeOf(config, 'grafana');
  const tunnel = await session.kubectl
    .portForward(service.name, service.port, { namespace, ...(port === 0 ? {} : { localPort: port }) })
    .catch((error: unknown) => {
      const cause = error instanceof ObsError ? error.parts.cause : undefined;
      throw /unable to listen|already in use/i.test(cause ?? '') ? portTaken(port, options.namespace) : error;
    });
  const url = `http://127.0.0.1:${tunnel.port}`;
  const secret = `kubectl --context ${session.context} -n ${namespace} get secret grafana-admin`;
  process.stdout.write(`${url}\n`);
  process.stderr.write(
    `Grafana is at ${paint.bold(url)} until you press Ctrl-C. User: admin. To show the password:\n` +
      `  ${secret} -o jsonpath='{.data.admin-password}' | base64 -d\n`,
  );
  process.once('SIGINT', tunnel.close);
  process.once('SIGTERM', tunnel.close);
  const output = await tunnel.ended;
  if (/error|lost connection/i.test(output))
    throw new ObsError({
      what: 'the tunnel was closed by an error',
      object: `Service ${namespace}/${service.name}`,
      cause: lastLines(output, 1),
      next: 'genai-obs open',
    });
  return EXIT.ok;
}

function portTaken(port: number, namespace: string | undefined): ObsError {
  return new ObsError({
    what: `port ${port} of this machine is in use`,
    object: `127.0.0.1:${port}`,
    cause: 'another program listens on it',
    next: `for any free port: genai-obs open --port 0${namespace ? ` --namespace ${namespace}` : ''}`,
  });
}
