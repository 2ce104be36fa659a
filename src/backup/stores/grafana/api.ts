import { type Grafana, openGrafana } from '../../../adapters/grafana.ts';
import { placeOf } from '../../../parts/catalog.ts';
import { ObsError, messageOf } from '../../../core/errors.ts';
import { GRAFANA_ADMIN } from '../../../core/labels.ts';
import { redact } from '../../../core/redact.ts';
import { type Context, checkpoint } from '../../types.ts';

/** Grafana's API as administrator, through a port-forward: the API server's proxy strips the Authorization header. */
export interface GrafanaApi {
  /** Undefined for 404. @throws ObsError for other errors */
  get: <T>(path: string) => Promise<T | undefined>;
  /** `editable` (default): users can edit the object in Grafana. @throws Error with Grafana's message */
  send: (method: 'POST' | 'PUT', path: string, body: unknown, editable?: boolean) => Promise<void>;
}

export async function withGrafana<T>(ctx: Context, use: (api: GrafanaApi) => Promise<T>): Promise<T> {
  const grafana = await openGrafana(ctx.kube, ctx.kubectl, placeOf(ctx.config, 'grafana'));
  try {
    return await use(apiOver(ctx, grafana));
  } catch (error) {
    // Ctrl-C also ends the port-forward. Reports the cancellation, not the broken connection.
    checkpoint(ctx);
    throw error;
  } finally {
    await grafana.close();
  }
}

function apiOver(ctx: Context, grafana: Grafana): GrafanaApi {
  const { namespace, service, workload } = placeOf(ctx.config, 'grafana');
  const object = `Service ${namespace}/${service.name}`;
  return {
    async get<T>(path: string) {
      const answer = await grafana.request('GET', path).catch((error: unknown) => {
        throw new ObsError({
          what: 'Grafana does not answer',
          object,
          cause: messageOf(error),
          next: 'genai-obs doctor',
        });
      });
      if (answer.status === 404) return undefined;
      if (answer.status === 401)
        throw new ObsError({
          what: 'Grafana rejects the administrator password of its Secret',
          object: `Secret ${namespace}/${GRAFANA_ADMIN}`,
          cause: 'the password was changed in Grafana or in the Secret',
          next:
            `kubectl -n ${namespace} exec ${workload.kind.toLowerCase()}/${workload.name} -- ` +
            'grafana cli admin reset-admin-password',
        });
      if (answer.status !== 200)
        throw new ObsError({
          what: `Grafana rejected GET ${path}`,
          object,
          cause: `HTTP ${answer.status} ${redact(answer.body.slice(0, 200))}`,
          next: 'genai-obs doctor',
        });
      return JSON.parse(answer.body) as T;
    },
    async send(method, path, body, editable = true) {
      // Without X-Disable-Provenance, Grafana marks the object as provisioned, and users cannot edit it.
      const answer = await grafana.request(
        method,
        path,
        JSON.stringify(body),
        editable ? { 'x-disable-provenance': 'true' } : {},
      );
      if (answer.status >= 300) throw new Error(`Grafana: HTTP ${answer.status} ${redact(messageIn(answer.body))}`);
    },
  };
}

function messageIn(text: string): string {
  try {
    return (JSON.parse(text) as { message?: string }).message ?? text.slice(0, 200);
  } catch {
    return text.slice(0, 200);
  }
}
