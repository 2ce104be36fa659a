import { join } from 'node:path';
import { stringify } from 'yaml';
import type { OtlpProtocol } from '../parts/collectors/endpoint.ts';
import { folderAsset } from '../core/assets.ts';
import { type Volume, type VolumeMount, certificateMount, certificateNote } from './certificate.ts';
import { type EnvVar, type Language, type Sender, environmentOf, scrapeAnnotations, tracesEndpoint } from './env.ts';
import { type Injection, isInjectable } from './operator.ts';

/** Everything that an application needs to send telemetry. `snippetText` prints it. */
export interface Snippet {
  language: Language;
  app: string;
  endpoint: string;
  protocol: OtlpProtocol;
  /** Variables for the containers. Empty when the operator injects them. */
  env: EnvVar[];
  annotations: Record<string, string>;
  /** For the pod template and for the container, when a client certificate is required. */
  volumes?: Volume[];
  volumeMounts?: VolumeMount[];
  /** Custom resource, when the OpenTelemetry operator injects the SDK. */
  instrumentation?: object;
  install?: string;
  files: { name: string; text: string }[];
  notes: string[];
}

/** Version of opentelemetry-api that matches the Java agent of templates/connect/java. */
const JAVA_API = '1.67.0';

/** `injection` replaces environment, packages and set-up if the operator supports the language. */
export function snippetOf(sender: Sender, injection?: Injection): Snippet {
  const { language, app, endpoint, protocol } = sender;
  const injected = injection && isInjectable(language) ? injection : undefined;
  const { 'install.txt': install, 'notes.txt': notes = '', ...files } = templates(language, '', sender);
  const { certificate } = sender;
  const mount = certificate ? certificateMount(certificate.secret) : undefined;
  const common = templates('', 'notes.txt', sender)['notes.txt'] ?? '';
  return {
    language,
    app,
    endpoint,
    protocol,
    env: injected ? [] : environmentOf(sender),
    annotations: injected ? injected.annotations : scrapeAnnotations(language),
    ...(mount ? { volumes: [mount.volume], volumeMounts: [mount.volumeMount] } : {}),
    ...(injected ? { instrumentation: injected.object } : {}),
    ...(install && !injected ? { install: install.trim() } : {}),
    files: injected ? [] : Object.entries(files).map(([name, text]) => ({ name, text })),
    notes: [
      ...(certificate ? [certificateNote(certificate)] : []),
      ...(injected ? injected.notes : lines(notes)),
      ...lines(common),
    ],
  };
}

const lines = (text: string): string[] => text.split('\n').filter(Boolean);

/** The templates of templates/connect/<folder>, filled in. Examples come last. */
function templates(folder: string, ending: string, sender: Sender): Record<string, string> {
  const http = sender.protocol === 'http/protobuf';
  const values: Record<string, string> = {
    app: sender.app,
    endpoint: sender.endpoint,
    tracesEndpoint: tracesEndpoint(sender),
    protocol: sender.protocol,
    port: new URL(sender.endpoint).port,
    // Python packages are named after the transport, JavaScript packages after the encoding.
    transport: http ? 'http' : 'grpc',
    nodeTransport: http ? 'proto' : 'grpc',
    javaApi: JAVA_API,
  };
  const fill = (text: string): string => text.replace(/\{\{(\w+)\}\}/g, (all, name: string) => values[name] ?? all);
  const isExample = (name: string): number => Number(/^example\./i.test(name));
  return Object.fromEntries(
    Object.entries(folderAsset(join('templates', 'connect', folder), ending))
      .toSorted(([a], [b]) => isExample(a) - isExample(b))
      .map(([name, text]) => [name, fill(text)]),
  );
}

const yaml = (value: unknown): string => stringify(value, { lineWidth: 0 });

/** Sections with comment lines as headings. Without files (language `env`), the text is valid YAML. */
export function snippetText(snippet: Snippet): string {
  const { language, app, endpoint, protocol, env, annotations, volumes, volumeMounts, files, notes } = snippet;
  const sections: [string, string][] = [];
  if (snippet.instrumentation)
    sections.push([
      'For the OpenTelemetry operator, once per namespace: kubectl apply -f -',
      yaml(snippet.instrumentation),
    ]);
  if (Object.keys(annotations).length) sections.push(['Annotations of the pod template', yaml({ annotations })]);
  if (volumes) sections.push(['Volume of the pod template', yaml({ volumes })]);
  if (volumeMounts) sections.push(['Volume mount of the container', yaml({ volumeMounts })]);
  if (env.length) sections.push(['Environment of the container', yaml({ env })]);
  if (snippet.install) sections.push(['Packages', `${snippet.install}\n`]);
  for (const { name, text } of files) sections.push([name, text]);
  return [
    `# ${language === 'env' ? 'any language' : language}: ${app} sends ${protocol} to ${endpoint}\n`,
    ...sections.map(([title, text]) => `# --- ${title}\n${text}`),
    `# --- Notes\n${notes.map((note) => `# - ${note}\n`).join('')}`,
  ].join('\n');
}
