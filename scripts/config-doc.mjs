// Writes docs/configuration.md from src/profile/settings.ts, the schema's defaults and profiles/quickstart.yaml.   node scripts/config-doc.mjs [--check]
import { readFileSync, writeFileSync } from 'node:fs';
import { build } from 'esbuild';
import { parse } from 'yaml';

const entry = "export * from './settings.ts'; export { ADDON_IDS, COMPONENT_IDS, completed } from './schema.ts';";
const stdin = { contents: entry, resolveDir: 'src/profile', loader: 'ts' };
const built = await build({ stdin, bundle: true, write: false, format: 'esm', platform: 'node' });
const { ADDON_IDS, COMPONENT_IDS, SETTINGS, completed } = await import(
  `data:text/javascript;base64,${Buffer.from(built.outputFiles[0].text).toString('base64')}`
);
const defaults = completed(parse(readFileSync('profiles/quickstart.yaml', 'utf8')));
// A line for all components or add-ons: their default is the same.
const first = { '<component>': COMPONENT_IDS[0], '<addon>': ADDON_IDS[0] };
const valueAt = (path) =>
  path
    .replace(/^<\w+>/, (kind) => first[kind])
    .split('.')
    .reduce((value, key) => value?.[key], defaults);
const shown = (value) =>
  value === '' ? '(empty)' : `\`${typeof value === 'object' ? JSON.stringify(value) : value}\``;

const text = `# Configuration

Made by \`node scripts/config-doc.mjs\`; do not edit.

A configuration is a profile, then files given with \`-f\` in their order, then flags. Print the result with
\`genai-obs profile show --resolved -f FILE\`. Every prompt of the wizard has a flag, and the wizard writes a file that replays its answers.

| Setting | Default (quickstart) | Meaning |
|---|---|---|
${Object.entries(SETTINGS)
  .map(([path, meaning]) => `| \`${path}\` | ${shown(valueAt(path))} | ${meaning} |`)
  .join('\n')}
`;
if (process.argv.includes('--check')) {
  if (readFileSync('docs/configuration.md', 'utf8') !== text) {
    console.error('docs/configuration.md is not current: node scripts/config-doc.mjs');
    process.exit(1);
  }
} else writeFileSync('docs/configuration.md', text);
