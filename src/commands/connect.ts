import { explainKube } from '../adapters/kube.ts';
import { type Session, installed, openSession } from '../app/session.ts';
import { certificateFor } from '../connect/certificate.ts';
import { deploymentRef } from '../connect/deployment.ts';
import { LANGUAGES, type Language, type Sender } from '../connect/env.ts';
import { proposeConnect, proposeDisconnect } from '../connect/flow.ts';
import { hasOperator, injectionOf } from '../connect/operator.ts';
import { type Snippet, snippetOf, snippetText } from '../connect/snippets.ts';
import { type State, connected } from '../connect/state.ts';
import { EXIT, ObsError, usageError } from '../core/errors.ts';
import { OTLP_PROTOCOLS, type OtlpProtocol, gatewayEndpoint } from '../parts/collectors/endpoint.ts';
import { resolve } from '../profile/resolve.ts';
import type { Config } from '../profile/schema.ts';
import { layersOf } from './configure.ts';
import { confirmAndApply } from './connectApply.ts';

export interface ConnectFlags {
  context?: string | undefined;
  namespace?: string | undefined;
  profile?: string | undefined;
  file?: string[] | undefined;
  app?: string | undefined;
  appNamespace?: string | undefined;
  team?: string | undefined;
  protocol?: string | undefined;
  apply?: string | undefined;
  remove?: string | undefined;
  yes?: boolean | undefined;
  json?: boolean | undefined;
}

const APP_NAMESPACE = 'default';

/** `genai-obs connect`: prints, applies or removes what an application needs to send telemetry to the stack. */
export async function connect(language: string | undefined, flags: ConnectFlags): Promise<number> {
  const chosen = languageOf(language);
  const protocol = protocolOf(flags.protocol, chosen);
  checkApp(flags.app);
  if (flags.apply && flags.remove) throw usageError('--apply and --remove exclude each other', 'give one of them');
  const namespace = flags.appNamespace ?? APP_NAMESPACE;
  if (flags.remove) {
    const session = await openSession(flags);
    const ref = deploymentRef(namespace, deploymentName('--remove', flags.remove));
    return confirmAndApply(session, ref, flags, 'not connected', () => proposeDisconnect(session.kube, ref));
  }
  const name = flags.apply === undefined ? undefined : deploymentName('--apply', flags.apply);
  const { config, operator, session } = await stackOf(flags, name !== undefined);
  const endpoints = gatewayEndpoint(config);
  if (name === undefined && !language) return list(config, endpoints, operator, flags);
  const app = flags.app ?? name ?? 'my-app';
  const certificate = certificateFor(config, app, namespace);
  const sender: Sender = {
    language: chosen,
    app,
    team: flags.team,
    environment: config.global.environment,
    protocol,
    endpoint: endpoints[protocol],
    certificate,
  };
  const injection = operator ? injectionOf(sender, namespace, endpoints) : undefined;
  const snippet = snippetOf(sender, injection);
  if (session && name !== undefined) {
    const ref = deploymentRef(namespace, name);
    const companions = { certificate, injection: snippet.instrumentation ? injection : undefined };
    const make = changeFor(snippet, flags);
    return confirmAndApply(session, ref, flags, 'already connected', () =>
      proposeConnect(session.kube, ref, make, companions),
    );
  }
  process.stdout.write(flags.json ? `${JSON.stringify(snippet)}\n` : snippetText(snippet));
  return EXIT.ok;
}

/** The change of a Deployment that `--apply` makes. */
function changeFor({ env, annotations, volumes }: Snippet, { app }: ConnectFlags): (state: State) => State {
  const secret = volumes?.[0]?.secret?.secretName;
  return (state) => connected(state, { env, annotations, secret, named: app !== undefined });
}

/** Of the installed stack; with `--profile` or `-f` without a cluster. @throws ObsError if not installed */
async function stackOf(
  flags: ConnectFlags,
  mustBeInstalled: boolean,
): Promise<{ config: Config; operator: boolean; session?: Session }> {
  const { namespace, profile, file } = flags;
  if (profile || file?.length) {
    if (mustBeInstalled)
      throw usageError('--apply needs the installed stack, not a profile', 'leave out --profile and -f');
    return { config: resolve(layersOf({ namespace, profile, file }, undefined)), operator: false };
  }
  const session = await openSession(flags);
  const { config } = await installed(session);
  try {
    return { config, operator: await hasOperator(session.kube), session };
  } catch (error) {
    throw explainKube(error, session.kube, 'looking for the OpenTelemetry operator');
  }
}

function list(config: Config, endpoints: Record<OtlpProtocol, string>, operator: boolean, flags: ConnectFlags): number {
  const stack = {
    namespace: config.namespace,
    profile: config.profile,
    environment: config.global.environment,
    endpoints,
    operator,
    languages: LANGUAGES,
  };
  if (flags.json) process.stdout.write(`${JSON.stringify(stack)}\n`);
  else
    process.stdout.write(
      [
        `stack          ${config.profile} in namespace ${config.namespace}, environment ${config.global.environment}`,
        ...OTLP_PROTOCOLS.map((protocol) => `${protocol.padEnd(14)} ${endpoints[protocol]}`),
        `operator       ${operator ? 'OpenTelemetry operator: injects python, node and java' : NO_OPERATOR}`,
        '',
        ...ABOUT.map(([language, what]) => `genai-obs connect ${language.padEnd(8)} ${what}`),
        '',
      ].join('\n'),
    );
  return EXIT.ok;
}

const NO_OPERATOR = 'none: environment variables';

const ABOUT: [Language, string][] = [
  ['python', 'packages, telemetry.py, an example'],
  ['node', 'packages, telemetry.mjs, an example'],
  ['java', 'the agent, an example'],
  ['vllm', 'flag for traces, annotations for metrics'],
  ['litellm', 'callbacks of the proxy, annotations for metrics'],
  ['env', 'environment variables only, for any OpenTelemetry SDK'],
];

function languageOf(text: string | undefined): Language {
  const found = LANGUAGES.find((language) => language === (text ?? 'env'));
  if (!found) throw usageError(`there is no snippet for "${text}"`, `choose one of: ${LANGUAGES.join(', ')}`);
  return found;
}

/** HTTP passes proxies and spreads requests over the gateway's replicas; vLLM's own default is gRPC. */
function protocolOf(text: string | undefined, language: Language): OtlpProtocol {
  if (text === undefined) return language === 'vllm' ? 'grpc' : 'http/protobuf';
  const found = OTLP_PROTOCOLS.find((protocol) => protocol === text);
  if (!found)
    throw usageError(`--protocol takes ${OTLP_PROTOCOLS.join(' or ')}, not "${text}"`, 'genai-obs connect --help');
  return found;
}

/** The name goes into code and environment variables. @throws ObsError (usage) */
function checkApp(app: string | undefined): void {
  if (app !== undefined && !/^[A-Za-z0-9][A-Za-z0-9._/-]{0,254}$/.test(app))
    throw usageError(
      `--app takes letters, digits, dots, dashes, slashes and underscores, not "${app}"`,
      'for example: --app checkout',
    );
}

function deploymentName(flag: string, text: string): string {
  const [, name] = /^(?:deployments?|deploy)(?:\.apps)?\/([a-z0-9]([-a-z0-9.]*[a-z0-9])?)$/.exec(text) ?? [];
  if (!name)
    throw new ObsError({
      what: `${flag} takes deployment/NAME, not "${text}"`,
      next: `${flag} deployment/my-app`,
      exit: EXIT.usage,
    });
  return name;
}
