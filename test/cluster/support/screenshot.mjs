#!/usr/bin/env node
// Renders dashboards in headless Chromium (kiosk mode), takes a screenshot of each, and reports panels without data.
//   GRAFANA_PASSWORD=… node test/cluster/support/screenshot.mjs --url http://127.0.0.1:3000 --out DIR
//     [--user admin] [--from now-1h] UID…
// Reads the password from the environment or stdin, never from the arguments. Prints one JSON object per dashboard;
// exit code 1 if a panel shows "No data" or an error.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { LOAD_MS, inGrafana, settle } from '../../../scripts/browser.mjs';

const WIDTH = 1600;
const ROW_PIXELS = 38;

const { values: options, positionals: uids } = parseArgs({
  allowPositionals: true,
  options: {
    url: { type: 'string' },
    out: { type: 'string' },
    user: { type: 'string', default: 'admin' },
    from: { type: 'string', default: 'now-1h' },
    chromium: { type: 'string', default: '/usr/bin/chromium' },
  },
});
if (!options.url || !options.out || uids.length === 0) {
  console.error('usage: GRAFANA_PASSWORD=… screenshot.mjs --url URL --out DIR [--user USER] [--from now-1h] UID…');
  process.exit(2);
}

const password = process.env.GRAFANA_PASSWORD ?? (await readStdin());
await mkdir(options.out, { recursive: true });
let problems = 0;
const session = {
  url: options.url,
  user: options.user,
  password,
  viewport: { width: WIDTH, height: 1000 },
  executablePath: options.chromium,
};
await inGrafana(session, async (browser) => {
  for (const uid of uids) {
    const report = await capture(browser, uid);
    problems += report.noData.length + report.errors.length;
    console.log(JSON.stringify(report));
  }
});
process.exit(problems > 0 ? 1 : 0);

/** Opens one dashboard in a window as tall as the dashboard, because Grafana loads only visible panels. */
async function capture(browser, uid) {
  const answer = await browser.request.get(`${options.url}/api/dashboards/uid/${uid}`);
  if (!answer.ok()) throw new Error(`Grafana has no dashboard ${uid}: ${answer.status()}`);
  const { dashboard } = await answer.json();
  const rows = Math.max(...dashboard.panels.map(({ gridPos }) => gridPos.y + gridPos.h));

  const page = await browser.newPage();
  await page.setViewportSize({ width: WIDTH, height: Math.max(800, rows * ROW_PIXELS + 220) });
  await page.goto(`${options.url}/d/${uid}?orgId=1&kiosk&refresh=&from=${options.from}&to=now`, {
    waitUntil: 'domcontentloaded',
    timeout: LOAD_MS,
  });
  const settled = await settle(page);
  const file = join(options.out, `${uid}.png`);
  await page.screenshot({ path: file });
  const panels = await page.evaluate(readPanels);
  await page.close();
  return {
    uid,
    file,
    settled,
    panels: panels.length,
    expected: dashboard.panels.filter(({ type }) => type !== 'row').length,
    noData: panels.filter((panel) => panel.noData).map((panel) => panel.title),
    errors: panels.filter((panel) => panel.error).map((panel) => `${panel.title}: ${panel.error}`),
  };
}

/** Runs in the page. Skips rows, which are grid items without a panel header. */
function readPanels() {
  const prefix = 'data-testid Panel header ';
  return [...document.querySelectorAll('.react-grid-item')].flatMap((item) => {
    const header = item.querySelector(`[data-testid^="${prefix}"]`);
    if (!header) return [];
    const title = header.getAttribute('data-testid').slice(prefix.length);
    const failure = item.querySelector(
      [
        '[data-testid="data-testid Panel status error"]',
        '[aria-label="Panel status"]',
        '[data-testid="Panel status"]',
        '[data-testid="data-testid Alert error"]',
        '.panel-info-corner--error',
      ].join(', '),
    );
    const content = item.querySelector('[class*="panel-content"]') ?? item;
    const blank = content.innerText.trim() === '' && content.querySelector('canvas, svg, img') === null;
    return [
      {
        title,
        noData: blank || /\bNo data\b|No logs found|Data is missing/i.test(item.innerText),
        error: failure ? failure.getAttribute('title') || failure.innerText || 'error' : '',
      },
    ];
  });
}

async function readStdin() {
  const chunks = [];
  for await (const chunk of process.stdin) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8').trimEnd();
}
