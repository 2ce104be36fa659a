import * as v from 'valibot';
import { interval, name, off, ownNamespace, text } from './values.ts';

/** Settings for data that leave the cluster (alerts, copies of telemetry, Grafana Cloud) and their Secrets. */

const secretKey = v.pipe(v.string(), v.regex(/^[-._a-zA-Z0-9]+$/, 'must be a key of a Secret'));

/** Receivers of notifications. Their credentials are in Secrets of Alertmanager's namespace. */
export const notify = v.optional(
  v.strictObject({
    slack: v.optional(
      v.strictObject({
        secret: name,
        key: v.optional(secretKey, 'webhook-url'),
        channel: v.pipe(v.string(), v.minLength(1)),
        /** Channels of single receivers: `cost-critical: "#genops-cost-critical"`. */
        channels: v.optional(v.record(v.string(), v.string()), {}),
      }),
    ),
    pagerduty: v.optional(v.strictObject({ secret: name, key: v.optional(secretKey, 'routing-key') })),
    webhook: v.optional(v.strictObject({ secret: name, key: v.optional(secretKey, 'url') })),
    email: v.optional(
      v.strictObject({
        to: v.pipe(v.string(), v.minLength(1)),
        from: v.pipe(v.string(), v.minLength(1)),
        smarthost: v.pipe(v.string(), v.regex(/^\S+:\d+$/, 'must be host:port')),
        requireTls: v.optional(v.boolean(), true),
        username: v.optional(v.string(), ''),
        /** Secret with the password; empty: no login. */
        secret: ownNamespace,
        key: v.optional(secretKey, 'password'),
      }),
    ),
  }),
  {},
);

/** Prometheus, Mimir or Thanos servers that get a copy of every sample; Secrets are in Prometheus' namespace. */
export const remoteWrite = v.optional(
  v.array(
    v.strictObject({
      url: v.pipe(v.string(), v.regex(/^https?:\/\/[^\s/@]+(\/\S*)?$/, 'must be a URL without credentials')),
      /** X-Scope-OrgID of Mimir; empty: no header. */
      tenant: text,
      secret: v.exactOptional(
        v.strictObject({
          name,
          usernameKey: v.optional(secretKey, 'username'),
          passwordKey: v.optional(secretKey, 'password'),
          /** Key of a bearer token, instead of user and password. */
          tokenKey: v.exactOptional(secretKey),
        }),
      ),
    }),
  ),
  [],
);

/** Every platform is off by default and names the Secret of its API key. */
const platform = (secret: string, key: string) => ({
  enabled: off,
  secret: v.optional(name, secret),
  key: v.optional(secretKey, key),
});

/** Platforms that get a copy of telemetry; Secrets are in the gateway's namespace. */
export const exporters = v.optional(
  v.pipe(
    v.strictObject({
      datadog: v.optional(
        v.strictObject({ ...platform('datadog', 'api-key'), site: v.optional(v.string(), 'datadoghq.com') }),
        {},
      ),
      honeycomb: v.optional(
        v.strictObject({
          ...platform('honeycomb', 'api-key'),
          endpoint: v.optional(v.string(), 'api.honeycomb.io:443'),
        }),
        {},
      ),
      splunk: v.optional(
        v.strictObject({
          ...platform('splunk', 'hec-token'),
          /** URL of the HTTP event collector. */
          endpoint: v.optional(v.pipe(v.string(), v.regex(/^(https?:\/\/\S+)?$/, 'must be a URL')), ''),
          index: text,
        }),
        {},
      ),
    }),
    v.check(
      ({ splunk }) => !splunk.enabled || splunk.endpoint !== '',
      'splunk requires the endpoint of its event collector',
    ),
  ),
  {},
);

const endpoint = v.optional(
  v.strictObject({
    url: v.optional(
      v.pipe(v.string(), v.regex(/^(https?:\/\/[^\s/@]+(\/\S*)?)?$/, 'must be a URL without credentials')),
      '',
    ),
    /** Instance ID, which is not secret; empty: the Secret holds it. */
    user: v.optional(v.string(), ''),
  }),
  {},
);
export const cloud = v.strictObject({
  enabled: off,
  namespace: ownNamespace,
  destination: v.optional(
    v.strictObject({
      /** `otlp`: one gateway for all signals; `separate`: remote write, Loki push, and OTLP for traces. */
      mode: v.optional(v.picklist(['otlp', 'separate']), 'otlp'),
      otlp: endpoint,
      prometheus: endpoint,
      loki: endpoint,
    }),
    {},
  ),
  /** Secret with users and token; install adds missing keys. */
  secret: v.optional(
    v.strictObject({ name: v.optional(name, 'grafana-cloud'), tokenKey: v.optional(v.string(), 'token') }),
    {},
  ),
  scrapeInterval: v.optional(interval, '60s'),
  podLogs: v.optional(v.picklist(['loki', 'opentelemetry']), 'loki'),
  zipkin: v.optional(v.boolean(), false),
  /** Treatment of span attributes that hold the text of prompts. */
  promptText: v.optional(v.picklist(['hash', 'drop', 'keep']), 'hash'),
});

/** Secrets created from this machine's environment or files at install time; the configuration holds no value. */
export const secrets = v.optional(
  v.array(
    v.pipe(
      v.strictObject({
        name,
        namespace: ownNamespace,
        key: secretKey,
        env: v.exactOptional(v.pipe(v.string(), v.regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of a variable'))),
        file: v.exactOptional(v.pipe(v.string(), v.minLength(1))),
      }),
      v.check(({ env, file }) => (env === undefined) !== (file === undefined), 'requires either env or file'),
    ),
  ),
  [],
);
