// Takes the pictures of the README from a running stack with the demo workload (npm run demo).
//   node scripts/pictures.mjs --context NAME [--namespace NS] [--out docs/images] [--from now-15m] [PICTURE…]
// Pictures: dashboard (the time range begins at --from), doctor, wizard; default: all.
// Needs kubectl, Debian's chromium and tmux. `doctor` scales Loki to 0 replicas for the picture, and back afterwards.
// `wizard` answers the prompts for a namespace that does not exist, and cancels at the last one: nothing is installed.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import getPort from 'get-port';
import { ansiSvg } from './ansiSvg.mjs';
import { LOAD_MS, inGrafana, settle } from './browser.mjs';
import { ROOT, say } from './setup.mjs';

const LIMIT = 250 * 1024;
const COLUMNS = 100;
const NEW_NAMESPACE = 'genai-obs-picture';
const CLI = join(ROOT, 'bin', 'genai-obs.js');

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    context: { type: 'string' },
    namespace: { type: 'string', default: 'genai-observability' },
    out: { type: 'string', default: join(ROOT, 'docs', 'images') },
    from: { type: 'string', default: 'now-15m' },
    chromium: { type: 'string', default: '/usr/bin/chromium' },
  },
});
const PICTURES = { dashboard, doctor, wizard };
const wanted = positionals.length ? positionals : Object.keys(PICTURES);
if (!options.context || wanted.some((name) => !(name in PICTURES))) {
  say('usage: pictures.mjs --context NAME [--namespace NS] [--out DIR] [--from now-15m] [dashboard|doctor|wizard …]');
  process.exit(2);
}
const kubectlArgs = (...args) => ['--context', options.context, '-n', options.namespace, ...args];
const kubectl = (...args) => execFileSync('kubectl', kubectlArgs(...args), { encoding: 'utf8' });
const cli = (...args) => [CLI, ...args, '--context', options.context];

mkdirSync(options.out, { recursive: true });
for (const name of wanted) await PICTURES[name]();

function save(name, data) {
  const file = join(options.out, name);
  writeFileSync(file, data);
  const { size } = statSync(file);
  say(`${file}: ${Math.ceil(size / 1024)} KiB`);
  if (size > LIMIT) throw new Error(`${file} has ${size} bytes; the limit is ${LIMIT}`);
}

/** GenAI overview. A picture that is too big is taken again with a smaller window. */
async function dashboard() {
  const password = Buffer.from(
    kubectl('get', 'secret', 'grafana-admin', '-o', 'jsonpath={.data.admin-password}'),
    'base64',
  ).toString();
  const port = await getPort();
  const tunnel = spawn('kubectl', kubectlArgs('port-forward', 'service/grafana', `${port}:80`), {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await new Promise((started, failed) => {
      tunnel.stdout.once('data', started);
      tunnel.once('exit', (code) => failed(new Error(`kubectl port-forward exited with ${code}`)));
    });
    const url = `http://127.0.0.1:${port}`;
    const viewport = { width: 1280, height: 810 };
    const login = { url, user: 'admin', password, viewport, executablePath: options.chromium };
    await inGrafana(login, async (browser) => {
      const page = await browser.newPage();
      await page.goto(`${url}/d/genai-overview?orgId=1&kiosk&refresh=&from=${options.from}&to=now`, {
        waitUntil: 'domcontentloaded',
        timeout: LOAD_MS,
      });
      if (!(await settle(page))) throw new Error('the dashboard still loads after a minute');
      let picture = await page.screenshot();
      for (const height of [700, 600, 500]) {
        if (picture.length <= LIMIT) break;
        await page.setViewportSize({ width: 1120, height });
        await settle(page);
        picture = await page.screenshot();
      }
      save('dashboard.png', picture);
    });
  } finally {
    tunnel.kill();
  }
}

/** A fault with consequences: Loki without a pod. */
async function doctor() {
  const loki = 'statefulset/loki';
  const replicas = kubectl('get', loki, '-o', 'jsonpath={.spec.replicas}');
  try {
    kubectl('scale', loki, '--replicas=0');
    kubectl('wait', '--for=delete', 'pod', '-l', 'app.kubernetes.io/name=loki', '--timeout=90s');
    const { stdout, status } = spawnSync(process.execPath, cli('doctor', '--namespace', options.namespace), {
      encoding: 'utf8',
      env: { ...process.env, FORCE_COLOR: '1', NO_COLOR: undefined },
    });
    if (status !== 3) throw new Error(`the doctor exited with ${status}, not with 3`);
    save('doctor.svg', ansiSvg(stdout, { title: 'genai-obs doctor' }));
  } finally {
    kubectl('scale', loki, `--replicas=${replicas}`);
    kubectl('rollout', 'status', loki, '--timeout=180s');
  }
}

/** The prompts with their defaults, and the plan, up to the last prompt. */
async function wizard() {
  const dir = mkdtempSync(join(tmpdir(), 'genai-obs-pictures-'));
  const socket = join(dir, 'tmux');
  const tmux = (...args) => execFileSync('tmux', ['-S', socket, '-f', '/dev/null', ...args], { encoding: 'utf8' });
  try {
    const program = ['--', process.execPath, ...cli('install', '--namespace', NEW_NAMESPACE)];
    const session = ['-x', String(COLUMNS), '-y', '200', '-c', dir, '-e', 'FORCE_COLOR=1'];
    // A failed command stays on the screen, for the error message.
    const keep = ['start-server', ';', 'set-option', '-g', 'remain-on-exit', 'on', ';'];
    tmux(...keep, 'new-session', '-d', ...session, ...program);
    await answerPrompts(tmux);
    const screen = tmux('capture-pane', '-e', '-p').replaceAll(NEW_NAMESPACE, options.namespace);
    save(
      'wizard.svg',
      ansiSvg(`$ genai-obs install\n${shortened(screen)}`, { title: 'genai-obs install', columns: COLUMNS }),
    );
    tmux('send-keys', 'C-c');
  } finally {
    spawnSync('tmux', ['-S', socket, 'kill-server'], { stdio: 'ignore' });
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Beginning and end of a long screen. */
function shortened(screen, { first = 25, last = 6 } = {}) {
  const lines = screen.trimEnd().split('\n');
  if (lines.length <= first + last + 1) return screen;
  return [...lines.slice(0, first), '\u001b[0m  …', ...lines.slice(-last)].join('\n');
}

/** Presses Enter at each prompt, until the one that would install. */
async function answerPrompts(tmux) {
  let answered = '';
  for (const deadline = Date.now() + 120_000; Date.now() < deadline; await sleep(500)) {
    const lines = tmux('capture-pane', '-p').trimEnd().split('\n');
    const prompt = lines.findLast((line) => line.startsWith('? ')) ?? '';
    if (/Install into namespace/.test(prompt)) return;
    if (!prompt || prompt === answered) continue;
    answered = prompt;
    // A list selects the entry whose beginning is typed.
    if (/Profile/.test(prompt)) tmux('send-keys', 'quickstart');
    tmux('send-keys', 'Enter');
  }
  const screen = tmux('capture-pane', '-p').replace(/\n{2,}/g, '\n');
  throw new Error(`the wizard did not reach its last prompt:\n${screen}`);
}
