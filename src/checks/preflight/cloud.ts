import { type Signal, destinationsOf } from '../../parts/cloud.ts';
import type { Check, Look, Verdict } from '../../doctor/types.ts';
import { fail, ok, warn } from '../../doctor/types.ts';

interface Answer {
  url: string;
  status?: number;
  text?: string;
  missing?: string;
}

const POLICY = 'Grafana Cloud, Administration, Access policies';

function writes(look: Look, signal: Signal): Verdict {
  const { url, status = 0, text = '', missing } = look.fact<Answer>(`cloud:${signal}`);
  const { secret } = look.config['k8s-monitoring'];
  const object = `Secret ${secret.name}`;
  const said = text ? `: ${text.slice(0, 120)}` : '';
  const fresh = `put a token that is valid into key ${secret.tokenKey}: ${look.kubectl} delete secret ${secret.name}; export GRAFANA_CLOUD_TOKEN, and install again`;
  if (!url)
    return fail(`no URL is set for ${signal}`, {
      cause: 'the profile leaves the address of your Grafana Cloud stack to you',
      fix: 'genai-obs install --profile grafana-cloud --cloud-url https://otlp-gateway-<zone>.grafana.net/otlp --cloud-user <instance id>',
    });
  if (missing)
    return fail(`nobody has given ${missing}`, {
      object,
      cause: `neither Secret ${secret.name} nor this machine holds it`,
      fix: `export ${missing}, or ${missing}_FILE=path of a file that holds it`,
    });
  if (status === 0)
    return fail(`${url} does not answer${said}`, {
      object: url,
      cause: 'wrong host, or DNS, proxy or egress rules of this machine stand between',
      fix: `curl -sSI ${url}; then check k8s-monitoring.destination`,
    });
  // Grafana Cloud answers a token without the scope with 401 or 403, depending on the endpoint, and says so.
  if (status === 403 || (status === 401 && /scope/i.test(text)))
    return fail(`${url} answers ${status}: the token lacks the scope ${signal}:write${said}`, {
      object,
      cause: 'the access policy of the token does not allow to write this signal',
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
      cause: 'it limits the rate, or has trouble of its own',
      fix: 'try again later: genai-obs doctor --stage preflight --only CLD',
    });
  // An empty write may be called a bad one: by then it was let in.
  if ((status >= 200 && status < 300) || status === 400 || status === 422)
    return ok(`${url} lets ${signal} in (${status})`);
  return fail(`${url} answers ${status}${said}`, {
    object: url,
    cause: 'the path is not that of an endpoint for writing',
    fix: `compare with the details page of your stack: ${expected(look, signal)}`,
  });
}

function expected(look: Look, signal: Signal): string {
  const protocol = destinationsOf(look.config).find(({ signals }) => signals.includes(signal))?.protocol ?? 'otlp';
  return { otlp: '…/otlp', prometheus: '…/api/prom/push', loki: '…/loki/api/v1/push' }[protocol];
}

const about = (signal: Signal): string =>
  `Sends an empty write of ${signal} from this machine with the user and the token that the collectors use; nothing is stored. Failed: no URL, no token, no answer, a token that is refused (401) or that lacks the scope ${signal}:write (403). Warning: a rate limit, or an error of the service. Neither token nor user is in the facts.`;

function check(id: string, signal: Signal): Check {
  return {
    area: 'CLD',
    stage: 'preflight',
    id,
    title: `Grafana Cloud lets ${signal} in`,
    about: about(signal),
    sources: 'ALLOY-05, PRE-25, 002-DEP-02, 002-GOAL-02, 002-GOAL-03',
    reads: () => [`cloud:${signal}`],
    skipIf: (config) => (config['k8s-monitoring'].enabled ? undefined : 'this profile sends nothing to Grafana Cloud'),
    run: (look) => writes(look, signal),
  };
}

/** The credentials of Grafana Cloud, before anything is installed. */
export const cloudChecks: Check[] = [check('CLD-01', 'metrics'), check('CLD-02', 'logs'), check('CLD-03', 'traces')];
