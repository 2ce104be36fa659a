// Stages the charts and bundles src/ into dist/, split so that `--help` does not load what only one command needs.
import { rm, writeFile } from 'node:fs/promises';
import { bundle, startupPath } from './bundle.mjs';
import { stageCharts } from './charts.mjs';
import { notices } from './notices.mjs';

stageCharts();
await rm('dist', { recursive: true, force: true });
const metafile = await bundle('dist');
await writeFile('THIRD_PARTY_NOTICES.md', await notices(Object.keys(metafile.inputs)));
const outputs = Object.values(metafile.outputs);
const megabytes = (outputs.reduce((sum, { bytes }) => sum + bytes, 0) / 1e6).toFixed(2);
const startup = (startupPath(metafile).bytes / 1e3).toFixed(0);
console.error(`dist: ${outputs.length} files, ${megabytes} MB, of which --help loads ${startup} kB`);
