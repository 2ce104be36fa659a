// Completes the charts, and bundles src/ into dist/: small to download, and `--help` starts without loading what only a verb needs.
import { rm, writeFile } from 'node:fs/promises';
import { bundle, startupPath } from './bundle.mjs';
import { stageCharts } from './charts.mjs';
import { notices } from './notices.mjs';

stageCharts();
await rm('dist', { recursive: true, force: true });
const metafile = await bundle('dist');
await writeFile('THIRD_PARTY_NOTICES.md', await notices(Object.keys(metafile.inputs)));
const bytes = Object.values(metafile.outputs).reduce((sum, output) => sum + output.bytes, 0);
console.error(
  `dist: ${Object.keys(metafile.outputs).length} files, ${(bytes / 1e6).toFixed(2)} MB; --help loads ${(startupPath(metafile).bytes / 1e3).toFixed(0)} kB of it`,
);
