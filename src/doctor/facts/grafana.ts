import { parsed } from './http.ts';
import type { Collector } from './context.ts';
import { scrub } from './scrub.ts';

/** `/path` of Grafana's API as its administrator. */
export const grafanaGet: Collector = async (path, context) => {
  const grafana = await context.grafana();
  return scrub(parsed(await grafana.request('GET', path)));
};

/** `/path#{json}`: a POST that changes nothing, such as a query. */
export const grafanaPost: Collector = async (rest, context) => {
  const hash = rest.indexOf('#');
  const grafana = await context.grafana();
  return scrub(
    parsed(
      await grafana.request('POST', hash < 0 ? rest : rest.slice(0, hash), hash < 0 ? '{}' : rest.slice(hash + 1)),
    ),
  );
};
