import type { Json, JsonMap } from '../../core/types.ts';
import type { Config } from '../../profile/schema.ts';
import { listAt } from '../../core/json.ts';
import { SECRETS_PATH, type SecretKey } from '../secretFiles.ts';

export function notifySecrets({ alertmanager: { notify } }: Config): SecretKey[] {
  const all = [
    notify.slack,
    notify.pagerduty,
    notify.webhook,
    notify.email?.secret ? { secret: notify.email.secret, key: notify.email.key } : undefined,
  ];
  return all.flatMap((one) => (one ? [{ secret: one.secret, key: one.key }] : []));
}

/** Folder of Secrets in pods of the Prometheus operator. */
const OPERATOR_PATH = '/etc/alertmanager/secrets';

/** Adds receivers and routes; without `notify` and GenOps, the only receiver stays the one that sends nothing. */
export function withReceivers(configuration: JsonMap, config: Config): JsonMap {
  const { notify } = config.alertmanager;
  const hasTargets = Object.values(notify).some((one) => one !== undefined);
  if (!hasTargets && !config.genai.genops.enabled) return configuration;
  const tools = integrations(config);
  const receivers = Object.entries(RECEIVERS).map(([name, kind]): JsonMap => ({ name, ...tools(name, kind) }));
  const known = new Set(Object.keys(RECEIVERS));
  const others = listAt(configuration, 'receivers').filter((one) => !known.has((one as { name: string }).name));
  const timing: JsonMap = config.genai.genops.enabled ? { group_interval: '10s', repeat_interval: '12h' } : {};
  const route = {
    ...(configuration['route'] as JsonMap),
    group_by: ['alertname', 'cluster', 'team'],
    ...timing,
    routes: ROUTES,
  };
  return { ...configuration, route, receivers: [...others, ...receivers] };
}

interface Kind {
  /** Slack emoji before the alert's name. */
  icon: string;
  /** Also sends mail. */
  urgent?: boolean;
  /** Pages with this severity; `warning` stands for the severity of the alert. */
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

/** Order matters: only `cost-critical` and infrastructure end the matching. */
const ROUTES: Json[] = [
  { matchers: ['severity="critical"', 'category="cost"'], receiver: 'cost-critical', group_wait: '1m' },
  { matchers: ['severity="critical"', 'category=~"policy|performance|quality"'], receiver: 'critical', continue: true },
  { matchers: ['severity="warning"', 'category="cost"'], receiver: 'cost-warning', continue: true },
  { matchers: ['category="policy"'], receiver: 'policy-violations', continue: true },
  { matchers: ['category=~"performance|quality"'], receiver: 'performance-alerts', continue: true },
  { matchers: ['category=~"infrastructure|observability"'], receiver: 'infrastructure-alerts' },
];

function integrations(config: Config): (name: string, kind: Kind) => JsonMap {
  const { notify, chart } = config.alertmanager;
  const file = ({ secret, key }: SecretKey): string =>
    `${chart === 'kube-prometheus-stack' ? OPERATOR_PATH : SECRETS_PATH}/${secret}/${key}`;
  const everyday = notify.slack ?? notify.webhook;
  return (name, { icon, urgent = false, pages }) => {
    const { slack, webhook, pagerduty, email } = notify;
    // `critical` matches in addition to the receiver of a category, which already sends the message.
    const sendsMessage = name !== 'critical';
    return {
      ...(slack && sendsMessage
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
      ...(webhook && sendsMessage ? { webhook_configs: [{ url_file: file(webhook), send_resolved: true }] } : {}),
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
  '{{ range .Alerts }}{{ .Annotations.description }}\n' +
  '{{ with .Annotations.runbook }}Runbook: {{ . }}\n{{ end }}{{ end }}';
