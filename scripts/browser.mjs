// Grafana in headless Chromium: used by the dashboard tests and by scripts/pictures.mjs.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium } from 'playwright-core';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
export const LOAD_MS = 60_000;

/** Runs `work` with a browser that is signed in to Grafana, then closes the browser and deletes its profile. */
export async function inGrafana({ url, user, password, viewport, executablePath = '/usr/bin/chromium' }, work) {
  const profile = await mkdtemp(join(tmpdir(), 'genai-obs-chromium-'));
  let browser;
  try {
    browser = await chromium.launchPersistentContext(profile, {
      executablePath,
      headless: true,
      args: FLAGS,
      viewport,
    });
    const login = await browser.request.post(`${url}/login`, { data: { user, password } });
    if (!login.ok()) throw new Error(`Grafana refuses the login of ${user}: ${login.status()}`);
    return await work(browser);
  } finally {
    await browser?.close();
    await rm(profile, { recursive: true, force: true });
  }
}

/** True once panels exist, none is loading, and that has lasted for two seconds; false after one minute. */
export async function settle(page) {
  const deadline = Date.now() + LOAD_MS;
  let quietSince = 0;
  while (Date.now() < deadline) {
    const busy = await page.evaluate(() => {
      const loading =
        '[aria-label="Panel loading bar"], [data-testid="Panel loading bar"], .panel-loading, ' +
        '[aria-label="Spinner"], [data-testid="Spinner"]';
      return document.querySelectorAll('.react-grid-item').length === 0 || document.querySelector(loading) !== null;
    });
    if (busy) quietSince = 0;
    else if (quietSince === 0) quietSince = Date.now();
    else if (Date.now() - quietSince > 2000) return true;
    await sleep(250);
  }
  return false;
}
