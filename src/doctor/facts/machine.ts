import { createServer } from 'node:net';
import { ObsError } from '../../core/errors.ts';
import type { Collector, FactContext } from './context.ts';

const VERSION_ARGS: Record<string, string[]> = {
  kubectl: ['version', '--client', '-o', 'json'],
  helm: ['version', '--template', '{{.Version}}'],
  jq: ['--version'],
  yq: ['--version'],
};

/** `{version}`, without a leading v; not installed: `{version: ''}`. */
export const tool: Collector = async (name, context) => ({ version: await versionOf(name, context) });

async function versionOf(name: string, { exec, signal }: FactContext): Promise<string> {
  const file = process.env[`GENAI_OBS_${name.toUpperCase()}`] ?? name;
  try {
    const result = await exec(file, VERSION_ARGS[name] ?? ['--version'], { timeout: 9_000, signal });
    if (!result.ok)
      throw new Error(
        `${name} does not tell its version: ${result.stderr.slice(0, 200) || `exit code ${result.code}`}`,
      );
    const match = /v?(\d+\.\d+(\.\d+)?)/.exec(name === 'kubectl' ? clientVersion(result.stdout) : result.stdout);
    return match?.[1] ?? '';
  } catch (error) {
    // The adapter's way to say "not on the PATH".
    if (error instanceof ObsError) return '';
    throw error;
  }
}

function clientVersion(stdout: string): string {
  return (JSON.parse(stdout) as { clientVersion: { gitVersion: string } }).clientVersion.gitVersion;
}

/** Binds the port for a moment: the only proof that it is free. */
export const port: Collector = (number) =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' || error.code === 'EACCES' ? resolve({ free: false }) : reject(error),
    );
    server.listen(Number(number), '127.0.0.1', () => server.close(() => resolve({ free: true })));
  });
