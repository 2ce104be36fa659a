const UNITS: Record<string, number> = {
  '': 1,
  m: 0.001,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

/** A Kubernetes quantity as a number: `250m` → 0.25, `1Gi` → 1073741824; absent → 0. */
export function quantity(text: string | number | undefined): number {
  const match = /^([0-9.]+(?:e[0-9]+)?)(m|k|M|G|T|Ki|Mi|Gi|Ti)?$/.exec(String(text ?? 0));
  if (!match) throw new Error(`not a quantity: ${text}`);
  return Number(match[1]) * (UNITS[match[2] ?? ''] ?? 1);
}

/** `1.5 GiB`, `320 MiB`: one unit that people compare. */
export function bytes(count: number): string {
  for (const [unit, size] of [
    ['TiB', 2 ** 40],
    ['GiB', 2 ** 30],
    ['MiB', 2 ** 20],
  ] as const) {
    if (Math.abs(count) >= size) return `${(count / size).toFixed(count / size < 10 ? 1 : 0)} ${unit}`;
  }
  return `${Math.round(count / 1024)} KiB`;
}

export function cores(count: number): string {
  return count < 1 ? `${Math.round(count * 1000)}m CPU` : `${count.toFixed(1)} CPU`;
}

export function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** `1 node`, `2 nodes`, `2 Ingresses`, `3 series`. */
export function count(number: number, noun: string): string {
  if (number === 1 || noun.endsWith('series')) return `${number} ${noun}`;
  return `${number} ${noun}${noun.endsWith('s') ? 'es' : 's'}`;
}

/** At most `max` names, then how many more. */
export function names(list: string[], max = 3): string {
  const rest = list.length - max;
  return rest > 0 ? `${list.slice(0, max).join(', ')} and ${rest} more` : list.join(', ');
}

export function age(ms: number): string {
  const [days, hours, minutes] = [ms / 86_400_000, ms / 3_600_000, ms / 60_000];
  if (days >= 2) return `${Math.floor(days)} days`;
  if (hours >= 2) return `${Math.floor(hours)} hours`;
  return minutes >= 2 ? `${Math.floor(minutes)} minutes` : `${Math.max(0, Math.round(ms / 1000))} s`;
}
