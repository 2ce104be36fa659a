import { spawn } from 'node:child_process';
import getPort from 'get-port';
import { ObsError } from '../core/errors.ts';
import { redact } from '../core/redact.ts';
import { type ExecOptions, type ExecResult, exec, lastLines } from './exec.ts';

const LOCALHOST = '127.0.0.1';

/** kubectl pinned to one context and namespace; every call names both. */
export interface Kubectl {
  run(args: string[], options?: ExecOptions): Promise<ExecResult>;
  /** From 127.0.0.1 (default: a free port) to a Service. The caller must `close` it. @throws ObsError */
  portForward(
    service: string,
    port: number,
    options?: { localPort?: number; namespace?: string },
  ): Promise<{ port: number; close: () => void; ended: Promise<string> }>;
}

export function kubectlFor(
  context: string,
  namespace: string,
  file = process.env['GENAI_OBS_KUBECTL'] ?? 'kubectl',
): Kubectl {
  const pinned = ['--context', context, '--namespace', namespace];
  return {
    run: (args, options) => exec(file, [...pinned, ...args], options),
    portForward: (service, port, { localPort, namespace: other = namespace } = {}) =>
      openTunnel(file, ['--context', context, '--namespace', other], service, port, localPort),
  };
}

async function openTunnel(
  file: string,
  pinned: string[],
  service: string,
  port: number,
  wanted?: number,
): Promise<{ port: number; close: () => void; ended: Promise<string> }> {
  const local = wanted ?? (await getPort({ host: LOCALHOST }));
  const child = spawn(
    file,
    [...pinned, 'port-forward', '--address', LOCALHOST, `service/${service}`, `${local}:${port}`],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  // The tunnel must not outlive this process.
  const close = (): void => void child.kill('SIGTERM');
  process.once('exit', close);
  let output = '';
  const ended = new Promise<string>((resolve) => child.once('close', () => resolve(redact(output))));
  await new Promise<void>((resolve, reject) => {
    const failed = (why: string): void =>
      reject(
        new ObsError({
          what: 'cannot open a tunnel',
          object: `Service ${service}:${port}`,
          cause: lastLines(redact(why)),
          next: `kubectl ${pinned.join(' ')} get pods,endpointslices`,
        }),
      );
    const timer = setTimeout(() => (close(), failed('no answer within 15 s')), 15_000);
    const onData = (chunk: Buffer): void => {
      output += chunk.toString();
      if (!output.includes('Forwarding from')) return;
      clearTimeout(timer);
      resolve();
    };
    child.stdout.on('data', onData);
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.once('error', (error) => (clearTimeout(timer), failed(error.message)));
    child.once('close', () => (clearTimeout(timer), failed(output)));
  });
  return { port: local, close: () => (process.removeListener('exit', close), close()), ended };
}

/** True when this machine can listen on the port of 127.0.0.1 right now. */
export const isPortFree = async (port: number): Promise<boolean> => (await getPort({ port, host: LOCALHOST })) === port;
