import jsonPatch from 'fast-json-patch';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { OTLP_PROTOCOLS, type OtlpProtocol, gatewayEndpoint } from '../../src/parts/collectors/endpoint.ts';
import { differences, patchOf } from '../../src/connect/patch.ts';
import { MEMORY, type State, type Wanted, connected, disconnected, stateOf } from '../../src/connect/state.ts';
import { type EnvVar, LANGUAGES, type Language, type Sender, environmentOf } from '../../src/connect/env.ts';
import { injectionOf } from '../../src/connect/operator.ts';
import { type Snippet, snippetOf, snippetText } from '../../src/connect/snippets.ts';
import { readAsset } from '../../src/core/assets.ts';
import type { KubeObject } from '../../src/core/types.ts';
import { quickstart, without } from './support/config.ts';
import { golden } from './support/golden.ts';

const endpoints = gatewayEndpoint(quickstart());
const sender = (language: Language, protocol: OtlpProtocol = 'http/protobuf', team?: string): Sender => ({
  language,
  app: 'checkout',
  environment: 'production',
  protocol,
  endpoint: endpoints[protocol],
  ...(team ? { team } : {}),
});
const valueOf = (env: EnvVar[], name: string): string | undefined => env.find((entry) => entry.name === name)?.value;
const ALL = LANGUAGES.flatMap((language) => OTLP_PROTOCOLS.map((protocol) => ({ language, protocol })));

describe('the endpoint', () => {
  it('is the gateway’s Service, with one port per protocol', () => {
    expect(gatewayEndpoint(quickstart({ namespace: 'watch' }))).toEqual({
      grpc: 'http://opentelemetry-collector.watch.svc:4317',
      'http/protobuf': 'http://opentelemetry-collector.watch.svc:4318',
    });
  });

  it('uses the ports of the chart’s Service', () => {
    const ports = readAsset('templates', 'opentelemetry-collector', 'templates', 'service.yaml');
    for (const url of Object.values(endpoints)) expect(ports).toMatch(new RegExp(`port: ${new URL(url).port}\\b`));
  });

  it('is an error without a gateway', () => {
    expect(() => gatewayEndpoint(without(['opentelemetry-collector']))).toThrow(/no gateway/);
  });
});

describe('snippets', () => {
  it.each(ALL)('$language, $protocol: port matches protocol, prompts are left out', ({ language, protocol }) => {
    const snippet = snippetOf(sender(language, protocol, 'payments'));
    const text = snippetText(snippet);
    expect(text).not.toMatch(/\{\{|undefined|\[object/);
    const [right, wrong] = protocol === 'grpc' ? ['4317', '4318'] : ['4318', '4317'];
    expect(valueOf(snippet.env, 'OTEL_EXPORTER_OTLP_ENDPOINT')).toBe(
      `http://opentelemetry-collector.genai-observability.svc:${right}`,
    );
    expect(valueOf(snippet.env, 'OTEL_EXPORTER_OTLP_PROTOCOL')).toBe(protocol);
    expect(text).not.toContain(`.svc:${wrong}`);
    expect(valueOf(snippet.env, 'OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT')).toBe('NO_CONTENT');
    expect(valueOf(snippet.env, 'OTEL_SEMCONV_STABILITY_OPT_IN')).toBe('gen_ai_latest_experimental,http');
    expect(snippet.notes.join('\n')).toMatch(/personal data/);
  });

  it.each(ALL)('$language with $protocol: code and packages match the protocol', ({ language, protocol }) => {
    const { install = '', files } = snippetOf(sender(language, protocol));
    const code = [install, ...files.map((file) => file.text)].join('\n');
    const other =
      protocol === 'grpc'
        ? /otlp-proto-http|otlp\.proto\.http|otlp-proto@|otlp-proto'/
        : /otlp-proto-grpc|otlp\.proto\.grpc|otlp-grpc/;
    expect(code).not.toMatch(other);
    for (const [pinned] of install.matchAll(/\S+(==|@)\S+/g)) expect(pinned).toMatch(/(==|@)\d+(\.\d+)+(b\d+)?$/);
    expect(
      install
        .split(' ')
        .slice(2)
        .filter((word) => !/==|.@|^-D/.test(word)),
      'packages without a version',
    ).toEqual([]);
  });

  it.each([
    ...LANGUAGES.map((language) => ({
      language,
      protocol: language === 'vllm' ? ('grpc' as const) : ('http/protobuf' as const),
    })),
    { language: 'python' as const, protocol: 'grpc' as const },
    { language: 'vllm' as const, protocol: 'http/protobuf' as const },
  ])('$language with $protocol equals its golden file', ({ language, protocol }) =>
    golden(
      `connect/${language}-${protocol.replace('/', '-')}.txt`,
      snippetText(snippetOf(sender(language, protocol, 'payments'))),
    ),
  );

  it.each(['python', 'node', 'java'] as const)(
    'with the operator: %s equals its golden file, without environment and packages',
    (language) => {
      const who = sender(language, 'grpc', 'payments');
      const snippet = snippetOf(who, injectionOf(who, 'shop', endpoints));
      golden(`connect/operator-${language}.txt`, snippetText(snippet));
      expect(snippet).toMatchObject({ env: [], files: [] });
      expect(snippet.install).toBeUndefined();
      const { spec } = snippet.instrumentation as {
        spec: { exporter: { endpoint: string }; env: EnvVar[]; python: { env: EnvVar[] } };
      };
      expect([spec.exporter.endpoint, valueOf(spec.env, 'OTEL_EXPORTER_OTLP_PROTOCOL')]).toEqual([
        endpoints.grpc,
        'grpc',
      ]);
      expect([
        valueOf(spec.python.env, 'OTEL_EXPORTER_OTLP_ENDPOINT'),
        valueOf(spec.python.env, 'OTEL_EXPORTER_OTLP_PROTOCOL'),
      ]).toEqual([endpoints['http/protobuf'], 'http/protobuf']);
    },
  );

  it('with a certificate: the SDK variables name mounted files, and vLLM uses TLS', () => {
    const certificate = { secret: 'otel-client-shop', from: 'genai-observability' };
    const strict = {
      ...sender('vllm', 'grpc'),
      endpoint: 'https://opentelemetry-collector.genai-observability.svc:4319',
      certificate,
    };
    golden('connect/strict-vllm.txt', snippetText(snippetOf(strict)));
    const { env, volumes, volumeMounts } = snippetOf(strict);
    const [mount] = volumeMounts ?? [];
    for (const name of ['CERTIFICATE', 'CLIENT_CERTIFICATE', 'CLIENT_KEY'])
      expect(valueOf(env, `OTEL_EXPORTER_OTLP_${name}`)).toMatch(new RegExp(`^${mount?.mountPath}/`));
    expect(volumes?.map(({ name }) => name)).toEqual([mount?.name]);
    expect(valueOf(env, 'OTEL_EXPORTER_OTLP_TRACES_INSECURE')).toBe('false');
  });

  it('the operator changes nothing for languages that it does not inject', () => {
    for (const language of ['vllm', 'litellm', 'env'] as const)
      expect(snippetOf(sender(language), injectionOf(sender(language), 'shop', endpoints))).toEqual(
        snippetOf(sender(language)),
      );
  });

  it('the output for env is valid YAML', () => {
    const { env } = parse(snippetText(snippetOf(sender('env')))) as { env: EnvVar[] };
    expect(env).toEqual(environmentOf(sender('env')));
  });

  it('resource attributes are percent-encoded, and reference only variables above them', () => {
    const env = environmentOf(sender('env', 'grpc', 'R&D, west=$(X)'));
    const attributes = valueOf(env, 'OTEL_RESOURCE_ATTRIBUTES') ?? '';
    expect(attributes).toContain('genops.team=R%26D%2C%20west%3D%24(X)');
    const index = env.findIndex((entry) => entry.name === 'OTEL_RESOURCE_ATTRIBUTES');
    const above = new Set(env.slice(0, index).map((entry) => entry.name));
    const used = [...attributes.matchAll(/(?<!%24)\$\((\w+)\)/g)].map(([, name]) => name);
    expect(used.length).toBeGreaterThan(4);
    expect(used.filter((name) => !above.has(name ?? ''))).toEqual([]);
  });
});

describe('servers of models', () => {
  const file = (snippet: Snippet, name: string): unknown =>
    parse(snippet.files.find((one) => one.name === name)?.text ?? '');

  it('vLLM: its flag, for HTTP with the path, which vLLM does not add', () => {
    const host = 'http://opentelemetry-collector.genai-observability.svc';
    expect(file(snippetOf(sender('vllm', 'grpc')), 'args.yaml')).toEqual({
      args: [`--otlp-traces-endpoint=${host}:4317`],
    });
    const http = snippetOf(sender('vllm', 'http/protobuf'));
    expect(file(http, 'args.yaml')).toEqual({ args: [`--otlp-traces-endpoint=${host}:4318/v1/traces`] });
    expect(valueOf(http.env, 'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL')).toBe('http/protobuf');
  });

  it('LiteLLM: both callbacks, without messages', () => {
    expect(file(snippetOf(sender('litellm')), 'config.yaml')).toEqual({
      litellm_settings: { callbacks: ['otel', 'prometheus'], turn_off_message_logging: true },
    });
  });

  it('the annotations are those that Prometheus reads', () => {
    const { scrape_configs } = parse(readAsset('templates', 'prometheus', 'config.yaml')) as {
      scrape_configs: { job_name: string; relabel_configs: { source_labels: string[] }[] }[];
    };
    const read = scrape_configs
      .find((job) => job.job_name === 'kubernetes-pods')
      ?.relabel_configs.flatMap((rule) => rule.source_labels);
    for (const language of ['vllm', 'litellm'] as const) {
      const names = Object.keys(snippetOf(sender(language)).annotations);
      expect(names).toHaveLength(3);
      for (const name of names)
        expect(read).toContain(`__meta_kubernetes_pod_annotation_${name.replace(/[./]/g, '_')}`);
    }
  });
});

const deployment = (env: EnvVar[] | undefined, annotations?: Record<string, string>): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: {
    name: 'checkout',
    namespace: 'shop',
    resourceVersion: '7',
    annotations: { 'deployment.kubernetes.io/revision': '1' },
  },
  spec: {
    template: {
      metadata: { labels: { app: 'checkout' }, ...(annotations ? { annotations } : {}) },
      spec: {
        containers: [
          { name: 'app', image: 'a', ...(env ? { env } : {}) },
          { name: 'sidecar', image: 'b' },
        ],
      },
    },
  },
});

describe('connecting and disconnecting a Deployment', () => {
  const wantedOf = (who: Sender, named = false): Wanted => {
    const { env, annotations } = snippetOf(who);
    return { env, annotations, named };
  };
  const wanted = wantedOf(sender('vllm'));
  /** Applies the patch as the API server does; throws for a path whose parent is missing. */
  const changed = (object: KubeObject, after: State): KubeObject =>
    jsonPatch.applyPatch(object, patchOf(object, after), true, false).newDocument;
  const put = (object: KubeObject, want: Wanted): KubeObject => changed(object, connected(stateOf(object), want));
  const take = (object: KubeObject): KubeObject => changed(object, disconnected(stateOf(object)));
  /** With a volume of its own. */
  const spacious = (): KubeObject => {
    const object = deployment(undefined);
    const { spec } = (
      object['spec'] as { template: { spec: { volumes?: object[]; containers: { volumeMounts?: object[] }[] } } }
    ).template;
    spec.volumes = [{ name: 'data', emptyDir: {} }];
    for (const container of spec.containers) container.volumeMounts = [{ name: 'data', mountPath: '/data' }];
    return object;
  };
  const envOf = (object: KubeObject): EnvVar[] => stateOf(object).containers[0]?.env ?? [];

  const cases: [string, KubeObject][] = [
    ['no variables', deployment(undefined)],
    [
      'own variables',
      deployment([
        { name: 'A', value: '1' },
        { name: 'B', value: '$(A)' },
      ]),
    ],
    ['other annotations', deployment(undefined, { 'prometheus.io/scrape': 'false', other: 'x' })],
    [
      'existing OpenTelemetry variables',
      deployment([
        { name: 'OTEL_RESOURCE_ATTRIBUTES', value: 'team=a,k8s.pod.name=x' },
        { name: 'OTEL_EXPORTER_OTLP_ENDPOINT', valueFrom: { configMapKeyRef: { name: 'c', key: 'k' } } },
        { name: 'OTEL_SERVICE_NAME', value: 'theirs' },
        { name: 'Z' },
      ]),
    ],
  ];

  it.each(cases)('%s: connecting is idempotent, and disconnecting restores the original exactly', (_name, before) => {
    const once = put(before, wanted);
    expect(differences(stateOf(before), stateOf(once)).length).toBeGreaterThan(5);
    expect(patchOf(once, connected(stateOf(once), wanted))).toEqual([]);
    expect(take(once)).toEqual(before);
    expect(patchOf(before, disconnected(stateOf(before)))).toEqual([]);
  });

  it.each(cases)('%s: a later run restores what it no longer wants', (_name, before) => {
    const team = put(before, wantedOf(sender('litellm', 'grpc', 'payments'), true));
    const later = put(team, wanted);
    expect(differences(stateOf(later), stateOf(put(before, wanted)))).toEqual([]);
    expect(take(later)).toEqual(before);
  });

  it.each([
    ['without a volume', deployment(undefined)],
    ['with a volume', spacious()],
  ] as [string, KubeObject][])('%s: a certificate is mounted and unmounted', (_name, before) => {
    const secure = { ...wanted, secret: 'otel-client-shop' };
    const once = put(before, secure);
    expect(stateOf(once).volumes.at(-1)).toMatchObject({
      name: 'genai-obs-otlp',
      secret: { secretName: 'otel-client-shop' },
    });
    expect(stateOf(once).containers.map(({ mounts }) => mounts.at(-1)?.mountPath)).toEqual([
      '/etc/genai-obs/otlp',
      '/etc/genai-obs/otlp',
    ]);
    expect(patchOf(once, connected(stateOf(once), secure))).toEqual([]);
    expect(put(once, wanted)).toEqual(put(before, wanted));
    expect(take(once)).toEqual(before);
  });

  it('--remove keeps a volume that was added by hand', () => {
    const before = spacious();
    const { spec } = (before['spec'] as { template: { spec: { volumes: object[] } } }).template;
    spec.volumes.push({ name: 'genai-obs-otlp', secret: { secretName: 'otel-client-shop' } });
    expect(patchOf(before, disconnected(stateOf(before)))).toEqual([]);
  });

  it('fields of the pod come before the variables that reference them', () => {
    const env = envOf(put(deployment([{ name: 'OTEL_RESOURCE_ATTRIBUTES', value: 'a=b' }]), wanted)).map(
      (entry) => entry.name,
    );
    expect(env.indexOf('OTEL_K8S_POD_UID')).toBeLessThan(env.indexOf('OTEL_RESOURCE_ATTRIBUTES'));
  });

  it('an application keeps its own attributes, and its own name unless --app is passed', () => {
    const [, theirs] = cases[3] ?? [];
    if (!theirs) throw new Error('no such case');
    const env = envOf(put(theirs, wanted));
    expect(valueOf(env, 'OTEL_SERVICE_NAME')).toBe('theirs');
    expect(valueOf(env, 'OTEL_RESOURCE_ATTRIBUTES')).toMatch(
      /^team=a,service\.namespace=[^]*k8s\.pod\.name=\$\(OTEL_K8S_POD_NAME\)/,
    );
    expect(valueOf(env, 'OTEL_RESOURCE_ATTRIBUTES')).not.toContain('=x');
    expect(env.find((entry) => entry.name === 'OTEL_EXPORTER_OTLP_ENDPOINT')).toEqual({
      name: 'OTEL_EXPORTER_OTLP_ENDPOINT',
      value: endpoints['http/protobuf'],
    });
    expect(valueOf(envOf(put(theirs, wantedOf(sender('env'), true))), 'OTEL_SERVICE_NAME')).toBe('checkout');
  });

  it('the patch changes env and annotations only, and contains the resourceVersion that was read', () => {
    const before = deployment([{ name: 'A', value: '1' }]);
    const state: State = connected(stateOf(before), wanted);
    const paths = patchOf(before, state).map(({ op, path }) => `${op} ${path}`);
    expect(paths).toEqual([
      'replace /metadata/resourceVersion',
      'add /spec/template/spec/containers/0/env',
      'add /spec/template/spec/containers/1/env',
      'add /spec/template/metadata/annotations',
      'add /metadata/annotations',
    ]);
    expect(Object.keys(put(before, wanted).metadata.annotations ?? {})).toContain(MEMORY);
  });
});
