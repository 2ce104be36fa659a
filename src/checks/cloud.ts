import { checksOf, type Verdict, type Area, type Check, ok, warn, fail } from './lib/check.ts';
import { fact, type Facts } from './lib/facts.ts';
import { type Signal, destinationsOf } from '../parts/cloud.ts';

const cld = checksOf('CLD', 'preflight');
const POLICY = 'Grafana Cloud, Administration, Access policies';

function writes(facts: Facts, signal: Signal): Verdict {
  const { url, status = 0, text = '', missing } = facts.cloud(signal);
  const { secret } = facts.config['k8s-monitoring'];
  const object = `Secret ${secret.name}`;
  const said = text ? `: ${text.slice(0, 120)}` : '';
  const fresh =
    `put a token that is valid into key ${secret.tokenKey}: ${facts.kubectl} delete secret ` +
    `${secret.name}; export GRAFANA_CLOUD_TOKEN, and install again`;
  if (!url)
    return fail(`no URL is set for ${signal}`, {
      cause: 'the profile does not contain the address of your Grafana Cloud stack',
      fix:
        'genai-obs install --profile grafana-cloud --cloud-url ' +
        'https://otlp-gateway-<zone>.grafana.net/otlp --cloud-user <instance id>',
    });
  if (missing)
    return fail(`${missing} is not set`, {
      object,
      cause: `it is neither in Secret ${secret.name} nor in the environment`,
      fix: `export ${missing}, or ${missing}_FILE with the path of a file that contains it`,
    });
  if (status === 0)
    return fail(`${url} does not answer${said}`, {
      object: url,
      cause: 'wrong host, or DNS, proxy or egress rules of this machine block the way',
      fix: `curl -sSI ${url}; then check k8s-monitoring.destination`,
    });
  // A token without the scope gets 401 or 403, depending on the endpoint, and a text that names the scope.
  if (status === 403 || (status === 401 && /scope/i.test(text)))
    return fail(`${url} answers ${status}: the token lacks the scope ${signal}:write${said}`, {
      object,
      cause: 'the access policy of the token does not allow writes of this signal',
      fix: `add ${signal}:write to its policy (${POLICY})`,
    });
  if (status === 401)
    return fail(`${url} answers 401: user or token is refused${said}`, {
      object,
      cause: 'the token is wrong, expired or of another stack, or the user is not its instance id',
      fix: fresh,
    });
  if (status === 429 || status >= 500)
    return warn(`${url} answers ${status}${said}`, {
      object: url,
      cause: 'a rate limit, or a failure of the service',
      fix: 'try again later: genai-obs doctor --stage preflight --only CLD',
    });
  // 400 and 422 reject the empty body after the token was accepted.
  if ((status >= 200 && status < 300) || status === 400 || status === 422)
    return ok(`${url} accepts ${signal} (${status})`);
  return fail(`${url} answers ${status}${said}`, {
    object: url,
    cause: 'the path is not that of a write endpoint',
    fix: `compare with the details page of your stack: ${expected(facts, signal)}`,
  });
}

function expected(facts: Facts, signal: Signal): string {
  const protocol = destinationsOf(facts.config).find(({ signals }) => signals.includes(signal))?.protocol ?? 'otlp';
  return { otlp: '…/otlp', prometheus: '…/api/prom/push', loki: '…/loki/api/v1/push' }[protocol];
}

const about = (signal: Signal): string =>
  `Sends an empty write of ${signal} from this machine with the user and token of the collectors; ` +
  'nothing is stored. Warning: a rate limit, or an error of the service. Failed: no URL, no token, no ' +
  `answer, a refused token (401), or a token without the scope ${signal}:write (403). Neither token ` +
  'nor user is in the facts.';

function writeCheck(number: string, signal: Signal): Check {
  return cld(number, `Grafana Cloud accepts ${signal}`, {
    about: about(signal),
    sources: 'ALLOY-05, PRE-25, 002-DEP-02, 002-GOAL-02, 002-GOAL-03',
    reads: fact.cloud(signal),
    skipIf: (config) => (config['k8s-monitoring'].enabled ? undefined : 'this profile sends nothing to Grafana Cloud'),
    run: (facts) => writes(facts, signal),
  });
}

/** The credentials of Grafana Cloud, before anything is installed. */
export const cloudArea: Area = {
  id: 'CLD',
  title: 'Grafana Cloud',
  about: 'Whether Grafana Cloud accepts the user and token. Part of the preflight stage, for profiles that send there.',
  checks: [writeCheck('01', 'metrics'), writeCheck('02', 'logs'), writeCheck('03', 'traces')],
};
