import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

/** The workload with the OpenTelemetry SDK as one CommonJS file, small enough for a ConfigMap. */
export async function bundleWorkload() {
  const { version } = JSON.parse(await readFile(path('../../package.json'), 'utf8'));
  const { outputFiles } = await build({
    entryPoints: [path('./src/main.ts')],
    bundle: true,
    minify: true,
    write: false,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    mainFields: ['module', 'main'],
    legalComments: 'none',
    define: { 'process.env.WORKLOAD_VERSION': JSON.stringify(version) },
    logLevel: 'error',
  });
  return outputFiles[0].text;
}
