// Bundles src/ for build.mjs and for the tests of the command line.
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { ROOT } from './setup.mjs';

/**
 * @param {string} outdir
 * @param {import('esbuild').Plugin[]} [plugins]
 * @returns {Promise<import('esbuild').Metafile>}
 */
export async function bundle(outdir, plugins = []) {
  const { metafile } = await build({
    entryPoints: ['src/cli.ts'],
    outdir,
    bundle: true,
    splitting: true,
    minify: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    metafile: true,
    legalComments: 'none',
    // CommonJS packages in an ES module bundle need a require function.
    banner: { js: "import{createRequire as __cr}from'node:module';const require=__cr(import.meta.url);" },
    plugins: [lazyChildProcess, withoutSideEffects, ...plugins],
    logLevel: 'warning',
  });
  return metafile;
}

const EAGER = "const childProcess = require('node:child_process');";
const LAZY = "const childProcess = { spawn: (...args) => require('node:child_process').spawn(...args) };";

/** commander needs node:child_process only for executable subcommands; we have none, and loading it takes 4 ms. */
const lazyChildProcess = {
  name: 'lazy-child-process',
  /** @param {import('esbuild').PluginBuild} pending */
  setup(pending) {
    pending.onLoad({ filter: /node_modules\/commander\/lib\/command\.js$/ }, async ({ path }) => {
      const source = await readFile(path, 'utf8');
      const contents = source.replace(EAGER, LAZY);
      if (contents === source) throw new Error(`${path} no longer contains: ${EAGER}`);
      return { contents, loader: 'js' };
    });
  },
};

/** These packages do not declare `sideEffects: false`, although it holds: lets esbuild drop what is unused. */
const withoutSideEffects = {
  name: 'without-side-effects',
  /** @param {import('esbuild').PluginBuild} pending */
  setup(pending) {
    const pure = /@kubernetes\/client-node|@inquirer\/prompts/;
    pending.onResolve({ filter: /.*/ }, async ({ path, pluginData, ...rest }) => {
      if (pluginData === pure || !(pure.test(path) || pure.test(rest.importer))) return undefined;
      const found = await pending.resolve(path, { ...rest, pluginData: pure });
      return found.external || found.errors.length ? found : { ...found, sideEffects: false };
    });
  },
};

/**
 * The sources loaded before any command runs: the startup cost of `--help`.
 * @param {import('esbuild').Metafile} metafile
 * @returns {{ bytes: number, inputs: string[] }}
 */
export function startupPath(metafile) {
  const seen = new Set();
  const walk = (file) => {
    if (seen.has(file) || !metafile.outputs[file]) return;
    seen.add(file);
    for (const { kind, path } of metafile.outputs[file].imports) if (kind === 'import-statement') walk(path);
  };
  walk(Object.keys(metafile.outputs).find((file) => metafile.outputs[file].entryPoint === 'src/cli.ts'));
  const outputs = [...seen].map((file) => metafile.outputs[file]);
  return {
    bytes: outputs.reduce((sum, { bytes }) => sum + bytes, 0),
    inputs: outputs.flatMap(({ inputs }) => Object.keys(inputs)),
  };
}

/**
 * Bundles TypeScript and imports it, from inside the package, because sources locate assets relative to themselves.
 * @param {string} contents a module; its imports are relative to the root of the repository
 */
export async function importSource(contents) {
  const outfile = join(ROOT, 'node_modules', `.source-${process.pid}.mjs`);
  try {
    await build({
      stdin: { contents, resolveDir: ROOT, loader: 'ts' },
      outfile,
      bundle: true,
      packages: 'external',
      format: 'esm',
      platform: 'node',
      logLevel: 'error',
    });
    return await import(pathToFileURL(outfile).href);
  } finally {
    await rm(outfile, { force: true });
  }
}
