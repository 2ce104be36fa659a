// Writes test/contracts/<chart>.json from the archives of the pinned charts.
//   node scripts/contracts.mjs --charts DIR [--check]
import { parseArgs } from 'node:util';
import { importSource } from './bundle.mjs';

const { contracts } = await importSource("export { contracts } from './test/contracts/lib/main.ts';");

try {
  const { values } = parseArgs({ options: { charts: { type: 'string' }, check: { type: 'boolean', default: false } } });
  if (!values.charts)
    throw new Error(
      'usage: npm run contracts -- --charts DIR [--check]\n' +
        '  DIR must hold NAME-VERSION.tgz for every pin in src/charts/pins.ts',
    );
  const lines = await contracts(values.charts, values.check);
  for (const line of lines) console.log(line);
  if (!lines.length) console.error('no contract changed');
  else if (values.check) {
    console.error('test/contracts is out of date; run: npm run contracts -- --charts DIR');
    process.exitCode = 1;
  }
} catch (error) {
  const { cause, next, object } = error.parts ?? {};
  console.error([error.message, object, cause, next].filter(Boolean).join('\n  '));
  process.exitCode = error.exit ?? 2;
}
