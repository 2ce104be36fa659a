/**
 * Facts are saved, sent and pasted into issues, so they must not hold secrets. Anything that looks like one is replaced
 * by `[secret:KIND]` when it is read; SEC-05 reports these marks, also from a saved file.
 */
const KINDS: [kind: string, pattern: RegExp][] = [
  ['private key', /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)/g],
  ['API key', /\b(sk|pk|rk)-(?:proj-|ant-|live-|test-)?[A-Za-z0-9_-]{20,}/g],
  ['AWS key', /\b(AKIA|ASIA)[A-Z0-9]{16}\b/g],
  ['GitHub token', /\bgh[pousr]_[A-Za-z0-9]{30,}/g],
  ['Grafana token', /\bgl(c|sa)_[A-Za-z0-9_=-]{30,}/g],
  ['Slack webhook', /https:\/\/hooks\.slack\.com\/services\/T[A-Za-z0-9/_-]{20,}/g],
  ['token', /\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{5,}/g],
  ['URL password', /(?<=:\/\/[^\s/:@"']{1,64}:)(?![$<[{])[^\s/@"']{3,}(?=@)/g],
];

const NAMES =
  'password|passwd|api[_-]?key|secret[_-]?key|client[_-]?secret|auth[_-]?token|access[_-]?token|service[_-]?key';
/** Values that are no secret: `${X}`, `$X`, `<…>`, a mark, a template, a literal, an export of an Alloy component. */
const REFERENCES = [
  String.raw`\$|<|\[secret:|\{\{|null\b|true\b|false\b|%`,
  String.raw`(?:convert\.nonsensitive\()?(?:remote\.kubernetes|local\.file|sys\.env)\b`,
].join('|');
/** Keys whose literal value is a secret. */
const ASSIGNED = new RegExp(
  String.raw`((?:^|[\s"'{,_-])(?:admin_?)?(?:${NAMES})["']?\s*[:=]\s*)(["']?)` +
    String.raw`(?![\s"']|${REFERENCES})([^\s"',}]{4,})`,
  'gim',
);

export function scrubText(text: string): string {
  let out = text;
  for (const [kind, pattern] of KINDS) out = out.replace(pattern, `[secret:${kind}]`);
  return out.replace(ASSIGNED, '$1$2[secret:password]');
}

/** Every string in a JSON value. */
export function scrub<T>(value: T): T {
  if (typeof value === 'string') return scrubText(value) as T;
  if (Array.isArray(value)) return value.map((item: unknown) => scrub(item)) as T;
  if (value !== null && typeof value === 'object') {
    if (isSecretVariable(value)) return { ...value, value: '[secret:password]' };
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, scrubEntry(key, item)])) as T;
  }
  return value;
}

function scrubEntry(key: string, item: unknown): unknown {
  if (typeof item !== 'string') return scrub(item);
  const probe = `${key}: ${item}`;
  return item && !item.includes('\n') && scrubText(probe) !== probe ? `[secret:password]` : scrubText(item);
}

/** An environment variable of a pod with a secret as plain text. */
function isSecretVariable(value: object): boolean {
  const { name, value: text } = value as { name?: unknown; value?: unknown };
  if (typeof name !== 'string' || typeof text !== 'string' || text === '' || /^[/$]/.test(text)) return false;
  return /(PASSWORD|PASSWD|_TOKEN|API_?KEY|_SECRET)$/.test(name);
}

/** Well-known defaults and placeholders. */
export function isWeak(value: string): boolean {
  return (
    /^(admin|password|changeme|change-me|secret|prom-operator|grafana|test|1234(5678?)?)$/i.test(value.trim()) ||
    /YOUR[_-]|example\.(com|org)|<[^>]+>|REPLACE|xxxx/i.test(value)
  );
}
