// Copies each file of templates/_lib into the charts that include its templates: helm reads one folder per chart.
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const TEMPLATES = join(dirname(dirname(fileURLToPath(import.meta.url))), 'templates');
const LIBRARY = join(TEMPLATES, '_lib');

/** Names of the templates that `text` defines or includes, depending on `word`. */
const names = (text, word) => [...text.matchAll(new RegExp(`\\b${word} "([\\w.-]+)"`, 'g'))].map(([, name]) => name);

/** Idempotent: writes only what differs, because test runs read the charts at the same time. */
export function stageCharts() {
  const library = readdirSync(LIBRARY).map((file) => ({ file, text: readFileSync(join(LIBRARY, file), 'utf8') }));
  const charts = readdirSync(TEMPLATES).filter((name) => existsSync(join(TEMPLATES, name, 'Chart.yaml')));
  for (const folder of charts.map((name) => join(TEMPLATES, name, 'templates'))) {
    const own = readdirSync(folder).filter((file) => !file.startsWith('_'));
    const used = new Set(own.flatMap((file) => names(readFileSync(join(folder, file), 'utf8'), 'include')));
    const wanted = library.filter(({ text }) => names(text, 'define').some((name) => used.has(name)));
    for (const file of readdirSync(folder))
      if (file.startsWith('_') && !wanted.some((one) => one.file === file)) rmSync(join(folder, file));
    for (const { file, text } of wanted) {
      const path = join(folder, file);
      if (!existsSync(path) || readFileSync(path, 'utf8') !== text) writeFileSync(path, text);
    }
  }
}

/** The global setup of vitest. */
export default stageCharts;
