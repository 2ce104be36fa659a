/** One line of at most `limit` characters. */
export function oneLine(text: string, limit = 240): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > limit ? `${line.slice(0, limit - 1)}…` : line;
}

/** `1 node`, `2 nodes`, `2 Ingresses`, `2 policies`, `3 series`. */
export function plural(count: number, noun: string): string {
  if (count === 1 || noun.endsWith('series')) return `${count} ${noun}`;
  if (/[^aeiou]y$/.test(noun)) return `${count} ${noun.slice(0, -1)}ies`;
  return `${count} ${noun}${/(?:s|x|ch|sh)$/.test(noun) ? 'es' : 's'}`;
}

/** `a, b, c and 3 more`. */
export function list(items: readonly string[], most = 4): string {
  const more = items.length - most;
  return items.slice(0, most).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

/** `12 %`, `0.4 %`: shares under one percent keep one digit. */
export function percent(share: number): string {
  const value = share * 100;
  return `${value > 0 && value < 1 ? value.toPrecision(1) : Math.round(value)} %`;
}

/** Colours by meaning; `src/ui` owns the library behind them. */
export interface Paint {
  ok: (text: string) => string;
  warn: (text: string) => string;
  fail: (text: string) => string;
  dim: (text: string) => string;
  bold: (text: string) => string;
}
