import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

/** Bundles the workload and the OpenTelemetry SDK into one CommonJS file that fits into a ConfigMap (1 MiB). */
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
