import { isPortFree } from '../../adapters/kubectl.ts';
import { ObsError } from '../../core/errors.ts';
import { oneLine } from '../../core/text.ts';
import type { Collector, FactContext } from './context.ts';

const VERSION_ARGS: Record<string, string[]> = {
  kubectl: ['version', '--client', '-o', 'json'],
  helm: ['version', '--template', '{{.Version}}'],
  jq: ['--version'],
  yq: ['--version'],
};

/** `{version}` without a leading v; empty when the program is not installed. */
export const tool: Collector = async (name, context) => ({ version: await versionOf(name, context) });

async function versionOf(name: string, { exec, signal }: FactContext): Promise<string> {
  const file = process.env[`GENAI_OBS_${name.toUpperCase()}`] ?? name;
  try {
    const result = await exec(file, VERSION_ARGS[name] ?? ['--version'], { timeout: 9_000, signal });
    if (!result.ok)
      throw new Error(
        `${name} does not report its version: ${oneLine(result.stderr, 200) || `exit code ${result.code}`}`,
      );
    const match = /v?(\d+\.\d+(\.\d+)?)/.exec(name === 'kubectl' ? clientVersion(result.stdout) : result.stdout);
    return match?.[1] ?? '';
  } catch (error) {
    // Thrown by the adapter when the program is not on the PATH.
    if (error instanceof ObsError) return '';
    throw error;
  }
}

function clientVersion(stdout: string): string {
  return (JSON.parse(stdout) as { clientVersion: { gitVersion: string } }).clientVersion.gitVersion;
}

export const port: Collector = async (number) => ({ free: await isPortFree(Number(number)) });
