import { isPortFree } from '../adapters/kubectl.ts';
import { installed, openSession } from '../app/session.ts';
import { EXIT, ObsError } from '../core/errors.ts';
import { placeOf } from '../parts/catalog.ts';
import { paint } from '../ui/paint.ts';

export interface OpenOptions {
  context?: string | undefined;
  namespace?: string | undefined;
  port: string;
}

/** A tunnel to Grafana until Ctrl-C. Prints the URL and how to read the password, never the password. Row 000-ACC-01. */
export async function open(options: OpenOptions): Promise<number> {
  const port = Number(options.port);
  if (!Number.isInteger(port) || port < 0 || port > 65535)
    throw new ObsError({
      what: `--port takes a port number, not "${options.port}"`,
      next: 'genai-obs open --port 0 takes any free one',
      exit: EXIT.usage,
    });
  if (port !== 0 && !(await isPortFree(port))) {
    const where = options.namespace ? ` --namespace ${options.namespace}` : '';
    throw new ObsError({
      what: `the port ${port} of this machine is taken`,
      object: `127.0.0.1:${port}`,
      cause: 'another program listens there',
      next: `genai-obs open --port 0${where} takes any free one`,
    });
  }
  const session = await openSession(options);
  const { config } = await installed(session);
  const { service, namespace } = placeOf(config, 'grafana');
  const tunnel = await session.kubectl
    .portForward(service.name, service.port, { namespace, ...(port === 0 ? {} : { localPort: port }) })
    .catch((error: unknown) => Promise.reject(whenTaken(error, port)));
  process.stdout.write(`http://127.0.0.1:${tunnel.port}\n`);
  process.stderr.write(
    [
      `Grafana is at ${paint.bold(`http://127.0.0.1:${tunnel.port}`)} until you press Ctrl-C. User: admin. The password:`,
      `  kubectl --context ${session.context} -n ${namespace} get secret grafana-admin -o jsonpath='{.data.admin-password}' | base64 -d`,
      '',
    ].join('\n'),
  );
  process.once('SIGINT', tunnel.close);
  process.once('SIGTERM', tunnel.close);
  const why = await tunnel.ended;
  const byUser = !/error|lost connection/i.test(why);
  if (!byUser)
    throw new ObsError({
      what: 'the tunnel broke',
      object: `Service ${namespace}/${service.name}`,
      cause: why.trim().split('\n').at(-1) ?? '',
      next: 'genai-obs open',
    });
  return EXIT.ok;
}

/** kubectl says in several words that a port is in use; the way out is always the same. */
function whenTaken(error: unknown, port: number): unknown {
  if (!(error instanceof ObsError) || !/unable to listen|already in use/i.test(error.parts.cause ?? '')) return error;
  return new ObsError({
    what: `port ${port} of this machine is taken`,
    object: `127.0.0.1:${port}`,
    cause: 'another program listens there',
    next: 'genai-obs open --port 0',
  });
}
