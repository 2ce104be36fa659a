/** Runs the printed snippets: packages from their registries, one process that sends, a receiver on loopback. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OTLP_PROTOCOLS, type OtlpProtocol } from '../../src/parts/collectors/endpoint.ts';
import type { EnvVar, Language, Sender } from '../../src/connect/env.ts';
import { type Snippet, snippetOf } from '../../src/connect/snippets.ts';
import { certs, noCerts } from '../unit/support/certs.ts';
import { type Delivery, type Receiver, attributeBytes, otlpReceiver } from '../unit/support/otlp.ts';

const PATIENCE = 240_000;
const APP = 'checkout-of-connect';
const scratch = mkdtempSync(join(tmpdir(), 'genai-obs-connect-'));
let receiver: Receiver;
/** A receiver that requires a client certificate. */
let strict: Receiver | undefined;

beforeAll(async () => {
  receiver = await otlpReceiver();
  if (noCerts) return;
  certs(join(scratch, 'certs'), ['gateway', 'client']);
  const read = (file: string): Buffer => readFileSync(join(scratch, 'certs', 'gateway', file));
  strict = await otlpReceiver({ ca: read('ca.crt'), cert: read('tls.crt'), key: read('tls.key') });
});
afterAll(() => {
  receiver.close();
  strict?.close();
  rmSync(scratch, { recursive: true, force: true });
});

/** The C2 compiler does not pay off in a JVM that runs for seconds. */
const QUICK_JVM = '-XX:TieredStopAtLevel=1';
/** The example uses none of the libraries that the agent instruments. */
const QUICK_AGENT = [
  '-Dotel.instrumentation.common.default-enabled=false',
  '-Dotel.instrumentation.opentelemetry-api.enabled=true',
];

interface Done {
  code: number | null;
  output: string;
}

function run(file: string, args: string[], cwd: string, env: Record<string, string> = {}): Promise<Done> {
  return new Promise((resolve) => {
    let output = '';
    const child = spawn(file, args, {
      cwd,
      env: { ...process.env, NODE_OPTIONS: '', MAVEN_OPTS: QUICK_JVM, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    // Leaves the CPU to timing-sensitive tests.
    if (child.pid !== undefined) setPriority(child.pid, 10);
    const append = (chunk: Buffer): void => void (output += chunk.toString());
    child.stdout.on('data', append);
    child.stderr.on('data', append);
    child.once('error', (error) => resolve({ code: null, output: String(error) }));
    child.once('close', (code) => resolve({ code, output }));
  });
}

const NO_NETWORK = new RegExp(
  'NewConnectionError|ConnectTimeout|ReadTimeout|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|' +
    'Unknown host|Could not transfer|Connection (refused|timed out)',
  'i',
);

/** `skip` says which program or registry is missing. Every other problem fails the test. */
type Ready = { dir: string } | { skip: string };

/** Runs the commands once for a set of packages, and keeps the folder for the next run. */
async function prepared(
  name: string,
  commands: [file: string, ...args: string[]][],
  files: Record<string, string> = {},
): Promise<Ready> {
  const key = createHash('sha256')
    .update(JSON.stringify([commands, files]))
    .digest('hex')
    .slice(0, 12);
  const dir = join(tmpdir(), `genai-obs-connect-cache-${name}-${key}`);
  const mark = join(dir, 'complete');
  if (existsSync(mark)) return { dir };
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  for (const [file, text] of Object.entries(files)) writeFileSync(join(dir, file), text);
  for (const [file, ...args] of commands) {
    const { code, output } = await run(file, args, dir);
    if (code === null) return { skip: `${file} is not installed` };
    if (code !== 0 && NO_NETWORK.test(output))
      return { skip: `a package registry is not reachable: ${NO_NETWORK.exec(output)?.[0]}` };
    if (code !== 0) throw new Error(`${file} ${args.join(' ')}: exit code ${code}\n${output.slice(-2000)}`);
  }
  writeFileSync(mark, '');
  return { dir };
}

/** The folder with the packages. Skips the test, with the reason, if there are none. */
function folderOf(ready: Ready, { skip }: TestContext): string {
  if ('skip' in ready) skip(ready.skip);
  return 'dir' in ready ? ready.dir : '';
}

function snippet(language: Language, protocol: OtlpProtocol): Snippet {
  return snippetOf(senderOf(language, protocol));
}

function senderOf(language: Language, protocol: OtlpProtocol): Sender {
  return {
    language,
    app: APP,
    team: 'payments & more',
    environment: 'staging',
    protocol,
    endpoint: receiver.url[protocol],
  };
}

/** For a gateway that requires a certificate. Skips the test if this machine cannot create one. */
function strictSnippet(language: Language, protocol: OtlpProtocol, { skip }: TestContext): Snippet {
  if (!strict) skip(noCerts);
  return snippetOf({
    ...senderOf(language, protocol),
    endpoint: strict?.url[protocol] ?? '',
    certificate: { secret: 'otel-client-shop', from: 'observability' },
  });
}

/** Replaces the mount path by the local folder of the certificates. */
const mounted = (env: Record<string, string>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(env).map(([name, value]) => [
      name,
      value.replace('/etc/genai-obs/otlp', join(scratch, 'certs', 'client')),
    ]),
  );

/** Resolves the environment of a container like the kubelet: fields of the pod, and `$(NAME)` of variables above. */
function kubelet(env: EnvVar[]): Record<string, string> {
  const pod: Record<string, string> = {
    'metadata.namespace': 'shop',
    'metadata.name': 'checkout-0',
    'metadata.uid': 'uid-1',
    'spec.nodeName': 'node-1',
  };
  const out: Record<string, string> = {};
  for (const { name, value = '', valueFrom } of env)
    out[name] = valueFrom
      ? (pod[valueFrom.fieldRef?.fieldPath ?? ''] ?? '')
      : value.replace(/\$\((\w+)\)/g, (all, other: string) => out[other] ?? all);
  return out;
}

const slug = (protocol: OtlpProtocol): string => protocol.replace('/', '-');

function folder(name: string, protocol: OtlpProtocol, printed: Snippet): string {
  const dir = join(scratch, `${name}-${slug(protocol)}`);
  write(dir, printed);
  return dir;
}

function write(dir: string, { files }: Snippet): void {
  mkdirSync(dir, { recursive: true });
  for (const { name, text } of files) writeFileSync(join(dir, name), text);
}

function double(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return bytes;
}

const has = ({ body }: Delivery, key: string, text: string): boolean => body.includes(attributeBytes(key, text));

/** Expects traces and metrics with this protocol, the attributes of the pod and the names of the GenAI conventions. */
function expectArrived(deliveries: Delivery[], protocol: OtlpProtocol): void {
  const http = protocol === 'http/protobuf';
  for (const [signal, path] of [
    ['traces', http ? '/v1/traces' : '/opentelemetry.proto.collector.trace.v1.TraceService/Export'],
    ['metrics', http ? '/v1/metrics' : '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export'],
  ] as const) {
    const found = deliveries.filter(
      (delivery) =>
        delivery.path === path &&
        has(delivery, 'service.name', APP) &&
        has(delivery, 'gen_ai.request.model', 'gpt-4o-mini'),
    );
    expect(found.length, `${signal} in ${JSON.stringify(deliveries.map((delivery) => delivery.path))}`).toBeGreaterThan(
      0,
    );
    for (const delivery of found) {
      expect(delivery.contentType).toMatch(http ? /^application\/x-protobuf/ : /^application\/grpc/);
      for (const [key, text] of Object.entries({
        'service.namespace': 'shop',
        'deployment.environment.name': 'staging',
        'k8s.namespace.name': 'shop',
        'k8s.pod.name': 'checkout-0',
        'k8s.pod.uid': 'uid-1',
        'k8s.node.name': 'node-1',
        'genops.team': 'payments & more',
        'gen_ai.operation.name': 'chat',
        'gen_ai.provider.name': 'openai',
      }))
        expect(has(delivery, key, text), `${signal}: ${key}=${text}`).toBe(true);
      if (signal === 'traces')
        for (const name of ['chat gpt-4o-mini', 'gen_ai.usage.input_tokens', 'gen_ai.usage.output_tokens'])
          expect(delivery.body.includes(name), name).toBe(true);
      else
        for (const name of ['gen_ai.client.operation.duration', 'gen_ai.client.token.usage'])
          expect(delivery.body.includes(name), name).toBe(true);
      // The last bucket boundaries of the conventions, as doubles.
      if (signal === 'metrics')
        for (const boundary of [81.92, 4 ** 13])
          expect(delivery.body.includes(double(boundary)), String(boundary)).toBe(true);
    }
  }
}

/** What one process sent. */
async function sentBy(program: () => Promise<Done>, to = receiver): Promise<Delivery[]> {
  to.deliveries.length = 0;
  const { code, output } = await program();
  expect(code, output.slice(-3000)).toBe(0);
  expect(output).not.toMatch(/Failed to export|Transient error|exporter.*error|not sent|Traceback/i);
  return [...to.deliveries];
}

const words = (command = ''): string[] => command.split(' ');

/** Installs from all registries in parallel: they take most of the time. */
let ready: Record<'python' | 'node' | 'java', Ready>;
beforeAll(async () => {
  const pip = (args: string[]): [string, ...string[]] => [
    'venv/bin/python',
    '-m',
    'pip',
    ...args,
    '--quiet',
    '--no-compile',
    '--retries',
    '0',
    '--timeout',
    '20',
  ];
  const pom = `<project>
    <modelVersion>4.0.0</modelVersion><groupId>t</groupId><artifactId>t</artifactId><version>1</version>
    <dependencies><dependency>
      <groupId>io.opentelemetry</groupId><artifactId>opentelemetry-api</artifactId><version>${javaApi()}</version>
    </dependency></dependencies></project>`;
  const [python, node, java] = await Promise.all([
    prepared('python', [
      ['python3', '-m', 'venv', 'venv'],
      // Both exporters in one environment, and the dependencies of gateway.py.
      pip(
        [...new Set(OTLP_PROTOCOLS.flatMap((protocol) => words(snippet('python', protocol).install).slice(1)))].concat(
          'fastapi==0.165.0',
          'httpx==0.28.1',
        ),
      ),
    ]),
    prepared('node', [
      [
        'npm',
        ...new Set(OTLP_PROTOCOLS.flatMap((protocol) => words(snippet('node', protocol).install).slice(1))),
        '--no-audit',
        '--no-fund',
        '--fetch-retries=0',
      ],
    ]),
    prepared(
      'java',
      [
        ['javac', '-version'],
        ['mvn', '-q', '-B', ...words(snippet('java', 'grpc').install).slice(1)],
        ['mvn', '-q', '-B', 'dependency:copy-dependencies', '-DoutputDirectory=lib'],
      ],
      { 'pom.xml': pom },
    ),
  ]);
  ready = { python, node, java };
}, PATIENCE);

/** The version in the notes. */
function javaApi(): string {
  const [, found = ''] = /opentelemetry-api:([\d.]+)/.exec(snippet('java', 'grpc').notes.join(' ')) ?? [];
  return found;
}

it('the receiver of these tests rejects clients without a certificate', async ({ skip }) => {
  if (!strict) skip(noCerts);
  const ca = readFileSync(join(scratch, 'certs', 'ca.crt'));
  const said = await new Promise<unknown>((settle) => {
    const call = request(`${strict?.url['http/protobuf']}/v1/traces`, { method: 'POST', ca }, (answer) =>
      settle(answer.statusCode),
    );
    call.once('error', (error: NodeJS.ErrnoException) => settle(error.code ?? error.message));
    call.end();
  });
  expect(said).toMatch(/CERTIFICATE_REQUIRED|ECONNRESET|EPIPE/);
});

describe('python', () => {
  const python = (context: TestContext): string => join(folderOf(ready.python, context), 'venv', 'bin', 'python');

  it.for(OTLP_PROTOCOLS)('example.py sends %s', { timeout: PATIENCE }, async (protocol, context) => {
    const program = python(context);
    const printed = snippet('python', protocol);
    const dir = folder('python', protocol, printed);
    expectArrived(await sentBy(() => run(program, ['example.py'], dir, kubelet(printed.env))), protocol);
  });

  it.for(OTLP_PROTOCOLS)(
    'example.py sends %s with its certificate',
    { timeout: PATIENCE },
    async (protocol, context) => {
      const program = python(context);
      const printed = strictSnippet('python', protocol, context);
      const dir = folder('python-strict', protocol, printed);
      // CA bundles of this machine would override the mounted one.
      const env = { ...mounted(kubelet(printed.env)), REQUESTS_CA_BUNDLE: '', CURL_CA_BUNDLE: '' };
      expectArrived(await sentBy(() => run(program, ['example.py'], dir, env), strict), protocol);
    },
  );

  it('gateway.py counts by team and status, and propagates its trace', { timeout: PATIENCE }, async (context) => {
    const program = python(context);
    const printed = snippet('python', 'http/protobuf');
    const dir = folder('gateway', 'http/protobuf', printed);
    writeFileSync(
      join(dir, 'ask.py'),
      `import asyncio, httpx, os, gateway
async def ask():
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=gateway.app), base_url="http://gateway") as client:
        answer = await client.post("/api/quant/predict", headers={"X-Correlation-ID": "c-1"})
        assert answer.json() == {"answer": "hello"}, answer.text
        assert (await client.post("/api/quant/nothing")).status_code == 404
asyncio.run(ask())
with gateway.trace.get_tracer("test").start_as_current_span("caller"):
    httpx.get(os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] + "/model")
`,
    );
    const deliveries = await sentBy(() => run(program, ['ask.py'], dir, kubelet(printed.env)));
    const of = (path: string): Delivery =>
      deliveries.find((delivery) => delivery.path === path) ?? {
        path,
        contentType: '',
        traceparent: '',
        body: Buffer.alloc(0),
      };
    const [traces, metrics] = [of('/v1/traces'), of('/v1/metrics')];
    expect(traces.body.includes('POST /api/{team}/predict')).toBe(true);
    // httpx propagates W3C trace context.
    expect(of('/model').traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-0[13]$/);
    const [, trace = ''] = of('/model').traceparent.split('-');
    expect(traces.body.includes(Buffer.from(trace, 'hex'))).toBe(true);
    // OTEL_SEMCONV_STABILITY_OPT_IN selects the new names of http.*.
    expect(traces.body.includes('http.response.status_code')).toBe(true);
    expect(has(traces, 'team', 'quant') && has(traces, 'correlation_id', 'c-1')).toBe(true);
    for (const name of [
      'gateway.requests',
      'gateway.request.duration',
      'http.server.request.duration',
      'http.client.request.duration',
    ])
      expect(metrics.body.includes(name), name).toBe(true);
    expect(has(metrics, 'team', 'quant') && has(metrics, 'status', '200')).toBe(true);
    // Unit s, so that the name in Prometheus has the suffix _seconds once.
    expect(metrics.body.includes('gateway.request.duration\x1a\x01s')).toBe(true);
  });

  it('json_logs.py writes lines with level, time and trace', { timeout: PATIENCE }, async (context) => {
    const program = python(context);
    const printed = snippet('python', 'http/protobuf');
    const dir = folder('logs', 'http/protobuf', printed);
    writeFileSync(
      join(dir, 'say.py'),
      `import json_logs, logging, telemetry
telemetry.setup_telemetry()
json_logs.setup_logging()
logging.getLogger("shop").info("outside")
with telemetry.create_span("inside"):
    logging.getLogger("shop").error("it broke", extra={"order": 7})
`,
    );
    // Fails on a deprecation warning: the formatter's old module name causes one.
    const { code, output } = await run(
      program,
      ['-W', 'error::DeprecationWarning', 'say.py'],
      dir,
      kubelet(printed.env),
    );
    expect(code, output).toBe(0);
    const [outside, inside] = output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(outside).toMatchObject({ level: 'INFO', name: 'shop', message: 'outside' });
    expect(outside).not.toHaveProperty('trace_id');
    expect(inside).toMatchObject({ level: 'ERROR', message: 'it broke', order: 7 });
    expect(inside?.['trace_id']).toMatch(/^[0-9a-f]{32}$/);
    expect(inside?.['span_id']).toMatch(/^[0-9a-f]{16}$/);
    expect(Number.isNaN(Date.parse(String(inside?.['timestamp'])))).toBe(false);
  });
});

describe('node', () => {
  it.for(OTLP_PROTOCOLS)('example.mjs sends %s', { timeout: PATIENCE }, async (protocol, context) => {
    const packages = folderOf(ready.node, context);
    const printed = snippet('node', protocol);
    // Node resolves packages from the folders above a file.
    const dir = join(packages, slug(protocol));
    write(dir, printed);
    expectArrived(
      await sentBy(() =>
        run(process.execPath, ['--import', './telemetry.mjs', 'example.mjs'], dir, kubelet(printed.env)),
      ),
      protocol,
    );
  });

  it.for(OTLP_PROTOCOLS)(
    'example.mjs sends %s with its certificate',
    { timeout: PATIENCE },
    async (protocol, context) => {
      const packages = folderOf(ready.node, context);
      const printed = strictSnippet('node', protocol, context);
      const dir = join(packages, `strict-${slug(protocol)}`);
      write(dir, printed);
      const env = mounted(kubelet(printed.env));
      expectArrived(
        await sentBy(() => run(process.execPath, ['--import', './telemetry.mjs', 'example.mjs'], dir, env), strict),
        protocol,
      );
    },
  );
});

describe('java', () => {
  it.for(OTLP_PROTOCOLS)('Example.java sends %s', { timeout: PATIENCE }, async (protocol, context) => {
    const packages = folderOf(ready.java, context);
    const printed = snippet('java', protocol);
    const dir = folder('java', protocol, printed);
    const classes = `${dir}:${join(packages, 'lib', '*')}`;
    expect(await run('javac', [`-J${QUICK_JVM}`, '-cp', classes, 'Example.java'], dir)).toEqual({
      code: 0,
      output: '',
    });
    const agent = `-javaagent:${join(packages, 'opentelemetry-javaagent.jar')}`;
    expectArrived(
      await sentBy(() =>
        run('java', [QUICK_JVM, ...QUICK_AGENT, agent, '-cp', classes, 'Example'], dir, kubelet(printed.env)),
      ),
      protocol,
    );
  });

  it.for(OTLP_PROTOCOLS)(
    'Example.java sends %s with its certificate',
    { timeout: PATIENCE },
    async (protocol, context) => {
      const packages = folderOf(ready.java, context);
      const printed = strictSnippet('java', protocol, context);
      const dir = folder('java-strict', protocol, printed);
      const classes = `${dir}:${join(packages, 'lib', '*')}`;
      expect(await run('javac', [`-J${QUICK_JVM}`, '-cp', classes, 'Example.java'], dir)).toEqual({
        code: 0,
        output: '',
      });
      const agent = `-javaagent:${join(packages, 'opentelemetry-javaagent.jar')}`;
      const env = mounted(kubelet(printed.env));
      expectArrived(
        await sentBy(
          () => run('java', [QUICK_JVM, ...QUICK_AGENT, agent, '-cp', classes, 'Example'], dir, env),
          strict,
        ),
        protocol,
      );
    },
  );
});
