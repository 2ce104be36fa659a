import type { Json, JsonMap } from '../../core/types.ts';
import type { Config } from '../../profile/schema.ts';
import { listAt } from '../../core/json.ts';

/** Who is told of which alert: one way for our own chart, the alertmanager chart and kube-prometheus-stack (rows 003-AM-*). */

export interface SecretKey {
  secret: string;
  key: string;
}

/** Secrets whose keys the receivers read as files. */
export function notifySecrets({ alertmanager: { notify } }: Config): SecretKey[] {
  const all = [
    notify.slack,
    notify.pagerduty,
    notify.webhook,
    notify.email?.secret ? { secret: notify.email.secret, key: notify.email.key } : undefined,
  ];
  return all.flatMap((one) => (one ? [{ secret: one.secret, key: one.key }] : []));
}

/** Where each chart mounts a Secret. */
export const SECRETS_PATH = '/etc/secrets';
const OPERATOR_PATH = '/etc/alertmanager/secrets';

/** Adds receivers and routes; without anybody to tell, and outside GenOps, the one silent receiver stays. */
export function withReceivers(base: JsonMap, config: Config): JsonMap {
  const { notify } = config.alertmanager;
  const anybody = Object.values(notify).some((one) => one !== undefined);
  if (!anybody && !config.genai.genops.enabled) return base;
  const tools = integrations(config);
  const receivers = Object.entries(RECEIVERS).map(([name, kind]): JsonMap => ({ name, ...tools(name, kind) }));
  const known = new Set(Object.keys(RECEIVERS));
  const others = listAt(base, 'receivers').filter((one) => !known.has((one as { name: string }).name));
  const timing: JsonMap = config.genai.genops.enabled ? { group_interval: '10s', repeat_interval: '12h' } : {};
  const route = {
    ...(base['route'] as JsonMap),
    group_by: ['alertname', 'cluster', 'team'],
    ...timing,
    routes: ROUTES,
  };
  return { ...base, route, receivers: [...others, ...receivers] };
}

interface Kind {
  /** Slack's name of the picture before the alert's name (003-AM-20). */
  icon: string;
  /** Pages and mails, too. */
  urgent?: boolean;
  /** PagerDuty's severity where it is not that of the alert. */
  pages?: 'critical' | 'warning';
}

const RECEIVERS: Record<string, Kind> = {
  default: { icon: ':bell:' },
  critical: { icon: ':rotating_light:', urgent: true, pages: 'critical' },
  'cost-critical': { icon: ':moneybag:', urgent: true, pages: 'critical' },
  'cost-warning': { icon: ':moneybag:' },
  'policy-violations': { icon: ':shield:' },
  'performance-alerts': { icon: ':stopwatch:' },
  'infrastructure-alerts': { icon: ':wrench:', pages: 'warning' },
};

/** In this order. Only `cost-critical` and infrastructure end the way of an alert. */
const ROUTES: Json[] = [
  { matchers: ['severity="critical"', 'category="cost"'], receiver: 'cost-critical', group_wait: '1m' },
  // Bad news of the other kinds must wake somebody as well.
  { matchers: ['severity="critical"', 'category=~"policy|performance|quality"'], receiver: 'critical', continue: true },
  { matchers: ['severity="warning"', 'category="cost"'], receiver: 'cost-warning', continue: true },
  { matchers: ['category="policy"'], receiver: 'policy-violations', continue: true },
  { matchers: ['category=~"performance|quality"'], receiver: 'performance-alerts', continue: true },
  { matchers: ['category=~"infrastructure|observability"'], receiver: 'infrastructure-alerts' },
];

/** Integrations of a receiver: only those whose Secret the profile names. */
function integrations(config: Config): (name: string, kind: Kind) => JsonMap {
  const { notify, chart } = config.alertmanager;
  const file = ({ secret, key }: SecretKey): string =>
    `${chart === 'kube-prometheus-stack' ? OPERATOR_PATH : SECRETS_PATH}/${secret}/${key}`;
  const everyday = notify.slack ?? notify.webhook;
  return (name, { icon, urgent = false, pages }) => {
    const { slack, webhook, pagerduty, email } = notify;
    // Twice the same text would only annoy: `critical` comes on top of the receiver of its category.
    const told = name !== 'critical';
    return {
      ...(slack && told
        ? {
            slack_configs: [
              {
                api_url_file: file(slack),
                channel: slack.channels[name] ?? slack.channel,
                send_resolved: true,
                title: `${icon} {{ .CommonLabels.alertname }}{{ if eq .Status "resolved" }} (resolved){{ end }}`,
                text: TEXT,
              },
            ],
          }
        : {}),
      ...(webhook && told ? { webhook_configs: [{ url_file: file(webhook), send_resolved: true }] } : {}),
      ...(pagerduty && pages
        ? {
            pagerduty_configs: [
              {
                routing_key_file: file(pagerduty),
                severity: pages === 'critical' ? pages : '{{ or .CommonLabels.severity "warning" }}',
              },
            ],
          }
        : {}),
      ...(email && (urgent || !everyday)
        ? {
            email_configs: [
              {
                to: email.to,
                from: email.from,
                smarthost: email.smarthost,
                require_tls: email.requireTls,
                send_resolved: true,
                ...(email.username ? { auth_username: email.username } : {}),
                ...(email.secret ? { auth_password_file: file({ secret: email.secret, key: email.key }) } : {}),
              },
            ],
          }
        : {}),
    };
  };
}

const TEXT =
  '{{ range .Alerts }}{{ .Annotations.description }}\n{{ with .Annotations.runbook }}Runbook: {{ . }}\n{{ end }}{{ end }}';
