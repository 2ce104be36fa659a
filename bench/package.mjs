// Measures the packed and unpacked size of the npm package, and checks that it has no runtime dependencies.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, needBuild, run, table, verdict } from './lib.mjs';

needBuild();
const { stdout } = await run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
  env: { npm_config_loglevel: 'silent' },
});
const [{ size, unpackedSize, entryCount, files }] = JSON.parse(stdout);
const { dependencies = {} } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const byFolder = {};
for (const file of files) byFolder[file.path.split('/')[0]] = (byFolder[file.path.split('/')[0]] ?? 0) + file.size;
table([
  ['unpacked', 'kB'],
  ...Object.entries(byFolder)
    .sort(([, a], [, b]) => b - a)
    .map(([name, bytes]) => [name, (bytes / 1e3).toFixed(0)]),
]);
console.log(`${entryCount} files, ${Object.keys(dependencies).length} dependencies`);
verdict('packed', size / 1e6, 2, ' MB');
verdict('unpacked', unpackedSize / 1e6, 8, ' MB');
if (Object.keys(dependencies).length) {
  console.log('MISS the package has runtime dependencies, which npx would have to download');
  process.exitCode = 1;
}
