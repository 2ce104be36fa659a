import type { PlacedId } from '../../parts/catalog.ts';
import type { KubeObject } from '../../core/types.ts';
import { fail, type Look, ok, type Verdict, warn } from '../../doctor/types.ts';
import { oneLine, plural, type Read } from './define.ts';
import { arr, at, num, rec, str } from './json.ts';
import { listIn, resourceOf, serviceObject } from './place.ts';
import { isReady, podsOf, selects, workloadKey } from './pods.ts';

export function serviceReads(id: PlacedId): Read[] {
  return ['k8s:Service', 'k8s:Pod', workloadKey(id)];
}

/** Pods behind a Service's port: the container port, or undefined when the name leads nowhere. */
function targetOf(port: unknown, pod: KubeObject | undefined): number | undefined {
  const target = at(port, 'targetPort') ?? at(port, 'port');
  if (typeof target === 'number') return target;
  const ports = arr(pod, 'spec', 'containers').flatMap((container) => arr(container, 'ports'));
  return num(
    ports.find((one) => str(one, 'name') === target),
    'containerPort',
  );
}

/** The Service has its name, its ports (by default the one of the catalogue) and pods behind it. */
export function serviceVerdict(look: Look, id: PlacedId, ports: number[] = [look.place(id).service.port]): Verdict {
  const {
    title,
    namespace,
    service: { name },
  } = look.place(id);
  const service = look.find('Service', name, namespace);
  const object = serviceObject(look, id);
  const fix = 'genai-obs install   # puts the Service back';
  if (!service)
    return fail(`Service ${name} does not exist`, { cause: 'it was deleted, or renamed by an override', fix, object });
  const pods = podsOf(look, id);
  const behind = pods.filter((pod) => selects(at(service, 'spec', 'selector'), pod));
  if (pods.length && !behind.length) {
    return fail(
      `the selector of Service ${name} (${labelText(at(service, 'spec', 'selector'))}) matches none of ${pods.length} pods of ${title}`,
      {
        cause: 'selector and pod labels differ',
        fix,
        object,
      },
    );
  }
  const found = arr(service, 'spec', 'ports');
  for (const wanted of ports) {
    const port = found.find((one) => num(one, 'port') === wanted);
    if (!port)
      return fail(`Service ${name} has no port ${wanted}, only ${found.map((one) => num(one, 'port')).join(', ')}`, {
        cause: 'the port was changed by hand or by an override',
        fix,
        object,
      });
    if (behind[0] && targetOf(port, behind[0]) === undefined) {
      return fail(
        `port ${wanted} of Service ${name} leads to ${String(at(port, 'targetPort'))}, which no container of ${behind[0].metadata.name} has`,
        {
          cause: 'targetPort and container port differ',
          fix,
          object,
        },
      );
    }
  }
  return ok(
    `Service ${name}, ${ports.length === 1 ? 'port' : 'ports'} ${ports.join(', ')}, ${plural(behind.length, 'pod')} behind it`,
  );
}

/** Ready addresses of a Service, from its EndpointSlices. */
export function endpointsVerdict(look: Look, id: PlacedId): Verdict {
  const {
    namespace,
    service: { name },
  } = look.place(id);
  const object = serviceObject(look, id);
  const slices = listIn(look, 'EndpointSlice', namespace).filter(
    (slice) => slice.metadata.labels?.['kubernetes.io/service-name'] === name,
  );
  const all = slices.flatMap((slice) => arr(slice, 'endpoints'));
  const ready = all.filter((one) => at(one, 'conditions', 'ready') === true);
  if (ready.length)
    return ok(
      `${plural(ready.length, 'ready endpoint')}: ${ready.map((one) => str(one, 'targetRef', 'name') ?? String(arr(one, 'addresses')[0])).join(', ')}`,
    );
  const service = look.find('Service', name, namespace);
  if (!service)
    return fail(`Service ${name} does not exist`, {
      cause: 'it was deleted, or renamed by an override',
      fix: 'genai-obs install',
      object,
    });
  const matching = listIn(look, 'Pod', namespace).filter((pod) => selects(at(service, 'spec', 'selector'), pod));
  const evidence = `Service ${name} has 0 ready endpoints of ${all.length}`;
  if (matching.length === 0) {
    return fail(`${evidence}: its selector ${labelText(at(service, 'spec', 'selector'))} matches no pod`, {
      cause: 'selector and pod labels differ, or there are no pods',
      fix: 'genai-obs install   # puts selector and pods back',
      object,
    });
  }
  const unready = matching.filter((pod) => !isReady(pod)).map((pod) => pod.metadata.name);
  return fail(`${evidence}: not ready are ${unready.join(', ') || 'none, the slices lag behind'}`, {
    cause: 'its pods are not ready',
    fix: `${look.kubectlFor(id)} describe pod ${unready[0] ?? ''}`.trim(),
    object,
  });
}

export function labelText(labels: unknown): string {
  return Object.entries(rec(labels))
    .map(([key, value]) => `${key}=${String(value)}`)
    .join(',');
}

/** A readiness endpoint through the API server's proxy. */
export function readyVerdict(look: Look, id: PlacedId, paths: string[], starting?: RegExp): Verdict {
  const { title } = look.place(id);
  const answers = paths.map((path) => ({ path, ...look.http(id, path) }));
  const bad = answers.find(({ status }) => status !== 200);
  if (!bad) return ok(answers.map(({ path, status }) => `${path} ${status}`).join(', '));
  const text = oneLine(typeof bad.body === 'string' ? bad.body : JSON.stringify(bad.body ?? ''), 160);
  const more = {
    fix: `${look.kubectlFor(id)} logs ${resourceOf(look, id)} --tail=50`,
    object: serviceObject(look, id),
  };
  if (starting?.test(text))
    return warn(`${bad.path} answers ${bad.status}: ${text}`, { cause: 'it is still starting', ...more });
  const none = /no endpoints available/.test(text);
  return fail(`${bad.path} answers ${bad.status}${text ? `: ${text}` : ''}`, {
    cause: none ? `no pod of ${title} is ready` : `${title} runs and says that it cannot serve`,
    ...more,
  });
}
