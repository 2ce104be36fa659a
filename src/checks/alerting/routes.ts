import { asText, at, mapAt, listAt, textAt, textsAt, isJsonMap } from '../../core/json.ts';

export type Labels = Record<string, string>;
interface Matcher {
  name: string;
  test: (value: string) => boolean;
}

/** `severity="critical"`, `team=~"a|b"`, `x != y`; a list of them, or the older maps match and match_re. */
export function matchersOf(texts: string[], equal: unknown = {}, pattern: unknown = {}): Matcher[] {
  const modern = texts
    .flatMap((text) => text.replace(/^\{|\}$/g, '').split(/,(?=\s*\w+\s*(?:=|!))/))
    .flatMap((text): Matcher[] => {
      const [, name = '', operator = '=', raw = ''] = /^\s*(\w+)\s*(=~|!~|!=|=)\s*(.*?)\s*$/s.exec(text) ?? [];
      if (!name) return [];
      const value = raw.replace(/^"(.*)"$/s, '$1');
      const full = operator.endsWith('~') ? anchored(value) : undefined;
      return [{ name, test: (given) => (full ? full(given) : given === value) !== operator.startsWith('!') }];
    });
  const exact = Object.entries(mapAt(equal)).map(([name, value]): Matcher => ({
    name,
    test: (given) => given === asText(value),
  }));
  const loose = Object.entries(mapAt(pattern)).map(([name, value]): Matcher => ({
    name,
    test: anchored(asText(value)),
  }));
  return [...modern, ...exact, ...loose];
}

function anchored(pattern: string): (given: string) => boolean {
  try {
    const regex = new RegExp(`^(?:${pattern})$`);
    return (given) => regex.test(given);
  } catch {
    return () => false;
  }
}

export function fits(matchers: Matcher[], labels: Labels): boolean {
  return matchers.every(({ name, test }) => test(labels[name] ?? ''));
}

/** Receivers that an alert with these labels reaches; `byDefault`: only the root of the routing tree matches. */
export function receiversOf(root: unknown, labels: Labels): { receivers: string[]; byDefault: boolean } {
  const children = walk(root, labels, textAt(root, 'receiver') ?? '');
  return children.length
    ? { receivers: children, byDefault: false }
    : { receivers: [textAt(root, 'receiver') ?? '?'], byDefault: true };
}

function walk(route: unknown, labels: Labels, inherited: string): string[] {
  const found: string[] = [];
  for (const child of listAt(route, 'routes')) {
    if (!fits(matchersOf(textsAt(child, 'matchers'), at(child, 'match'), at(child, 'match_re')), labels)) continue;
    const receiver = textAt(child, 'receiver') ?? inherited;
    const deeper = walk(child, labels, receiver);
    found.push(...(deeper.length ? deeper : [receiver]));
    if (at(child, 'continue') !== true) break;
  }
  return found;
}

/** Names of the receivers in a routing tree. */
export function usedReceivers(route: unknown): string[] {
  const own = textAt(route, 'receiver');
  return [...new Set([...(own ? [own] : []), ...listAt(route, 'routes').flatMap(usedReceivers)])];
}

/** Integrations of a receiver, such as `slack`; without one it notifies nobody. */
export function integrations(receiver: unknown): string[] {
  return isJsonMap(receiver)
    ? Object.entries(receiver)
        .filter(([key, value]) => key.endsWith('_configs') && Array.isArray(value) && value.length > 0)
        .map(([key]) => key.replace('_configs', ''))
    : [];
}
