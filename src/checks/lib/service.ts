import { type Answer } from './values.ts';
import { type Verdict, ok, warn, fail } from './check.ts';
import { FactUnavailable, fact, type Reads, type Facts } from './facts.ts';
import { labelText, isReady, selects, podsOf, objectsIn } from './objects.ts';
import { asText, at, listAt, textAt, numberAt } from '../../core/json.ts';
import { oneLine, plural } from '../../core/text.ts';
import type { PlacedId } from '../../parts/catalog.ts';
import type { KubeObject } from '../../core/types.ts';
import { resourceOf, serviceObject } from './place.ts';

/** Body of a GET. @throws FactUnavailable for any other status than 200 */
export function bodyOf(facts: Facts, id: PlacedId, path: string): unknown {
  return expect200(facts.http(id, path), path, facts.place(id).service.name);
}

/** The same for Grafana's API. */
export function grafanaBodyOf(facts: Facts, path: string): unknown {
  return expect200(facts.grafana(path), path, 'Grafana');
}

function expect200({ status, body }: Answer, path: string, of: string): unknown {
  if (status === 200) return body;
  const text = bodyText(body, 120);
  throw new FactUnavailable(`GET ${path} of ${of} answers ${status}${text ? `: ${text}` : ''}`);
}

/** The body of an answer in one line. */
export function bodyText(body: unknown, limit = 160): string {
  return oneLine(asText(body ?? ''), limit);
}

export function serviceReads(id: PlacedId): Reads[] {
  return [fact.objects('Service'), fact.pods(), fact.workloads(id)];
}

/** Pods behind a Service's port: the container port, or undefined when no container has it. */
function targetOf(port: unknown, pod: KubeObject | undefined): number | undefined {
  const target = at(port, 'targetPort') ?? at(port, 'port');
  if (typeof target === 'number') return target;
  const ports = listAt(pod, 'spec', 'containers').flatMap((container) => listAt(container, 'ports'));
  return numberAt(
    ports.find((one) => textAt(one, 'name') === target),
    'containerPort',
  );
}

/** Whether the Service exists with its ports (by default the main one) and leads to pods. */
export function serviceVerdict(facts: Facts, id: PlacedId, ports: number[] = [facts.place(id).service.port]): Verdict {
  const {
    title,
    namespace,
    service: { name },
  } = facts.place(id);
  const service = facts.find('Service', name, namespace);
  const object = serviceObject(facts, id);
  const fix = 'genai-obs install   # restores the Service';
  if (!service) return fail(`Service ${name} does not exist`, { cause: 'it was deleted or renamed', fix, object });
  const pods = podsOf(facts, id);
  const behind = pods.filter((pod) => selects(at(service, 'spec', 'selector'), pod));
  if (pods.length && !behind.length) {
    return fail(
      `the selector of Service ${name} (${labelText(at(service, 'spec', 'selector'))}) matches none of ` +
        `${pods.length} pods of ${title}`,
      {
        cause: 'selector and pod labels differ',
        fix,
        object,
      },
    );
  }
  const found = listAt(service, 'spec', 'ports');
  for (const wanted of ports) {
    const port = found.find((one) => numberAt(one, 'port') === wanted);
    if (!port)
      return fail(
        `Service ${name} has no port ${wanted}, only ${found.map((one) => numberAt(one, 'port')).join(', ')}`,
        {
          cause: 'the port was changed manually or by an override',
          fix,
          object,
        },
      );
    if (behind[0] && targetOf(port, behind[0]) === undefined) {
      return fail(
        `port ${wanted} of Service ${name} leads to ${asText(at(port, 'targetPort'))}, which no ` +
          `container of ${behind[0].metadata.name} has`,
        {
          cause: 'targetPort and container port differ',
          fix,
          object,
        },
      );
    }
  }
  return ok(
    `Service ${name}, ${ports.length === 1 ? 'port' : 'ports'} ${ports.join(', ')}, ` +
      `${plural(behind.length, 'pod')} behind it`,
  );
}

/** Ready addresses of a Service, from its EndpointSlices. */
export function endpointsVerdict(facts: Facts, id: PlacedId): Verdict {
  const {
    namespace,
    service: { name },
  } = facts.place(id);
  const object = serviceObject(facts, id);
  const slices = objectsIn(facts, 'EndpointSlice', namespace).filter(
    (slice) => slice.metadata.labels?.['kubernetes.io/service-name'] === name,
  );
  const all = slices.flatMap((slice) => listAt(slice, 'endpoints'));
  const ready = all.filter((one) => at(one, 'conditions', 'ready') === true);
  if (ready.length)
    return ok(
      `${plural(ready.length, 'ready endpoint')}: ` +
        ready.map((one) => textAt(one, 'targetRef', 'name') ?? asText(listAt(one, 'addresses')[0])).join(', '),
    );
  const service = facts.find('Service', name, namespace);
  if (!service)
    return fail(`Service ${name} does not exist`, {
      cause: 'it was deleted or renamed',
      fix: 'genai-obs install',
      object,
    });
  const matching = objectsIn(facts, 'Pod', namespace).filter((pod) => selects(at(service, 'spec', 'selector'), pod));
  const evidence = `Service ${name} has 0 ready endpoints of ${all.length}`;
  if (matching.length === 0) {
    return fail(`${evidence}: its selector ${labelText(at(service, 'spec', 'selector'))} matches no pod`, {
      cause: 'selector and pod labels differ, or there are no pods',
      fix: 'genai-obs install   # restores selector and pods',
      object,
    });
  }
  const unready = matching.filter((pod) => !isReady(pod)).map((pod) => pod.metadata.name);
  return fail(`${evidence}: not ready: ${unready.join(', ') || 'none, the EndpointSlices lag behind'}`, {
    cause: 'its pods are not ready',
    fix: `${facts.kubectlFor(id)} describe pod ${unready[0] ?? ''}`.trim(),
    object,
  });
}

/** A readiness endpoint through the API server's proxy. */
export function readyVerdict(facts: Facts, id: PlacedId, paths: string[], starting?: RegExp): Verdict {
  const { title } = facts.place(id);
  const answers = paths.map((path) => ({ path, ...facts.http(id, path) }));
  const bad = answers.find(({ status }) => status !== 200);
  if (!bad) return ok(answers.map(({ path, status }) => `${path} ${status}`).join(', '));
  const text = bodyText(bad.body);
  const more = {
    fix: `${facts.kubectlFor(id)} logs ${resourceOf(facts, id)} --tail=50`,
    object: serviceObject(facts, id),
  };
  if (starting?.test(text))
    return warn(`${bad.path} answers ${bad.status}: ${text}`, { cause: 'it is still starting', ...more });
  const none = /no endpoints available/.test(text);
  return fail(`${bad.path} answers ${bad.status}${text ? `: ${text}` : ''}`, {
    cause: none ? `no pod of ${title} is ready` : `${title} runs but reports that it is not ready`,
    ...more,
  });
}
