/** Kubernetes quantities and Go or Prometheus durations: parsed and printed here only. */

const EXPONENT: Record<string, number> = { n: -9, u: -6, m: -3, '': 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };
const BINARY = ['Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
const QUANTITY = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:([KMGTPE]i)|([numkMGTPE])|[eE]([+-]?\d+))?$/;

/** `250m` is 0.25, `1Gi` is 1073741824, `1e3` is 1000. Undefined for text that is not a Kubernetes quantity. */
export function parseQuantity(text: string | number | undefined): number | undefined {
  const match = QUANTITY.exec(String(text ?? ''));
  if (!match) return undefined;
  const [, number, binary, decimal = '', exponent] = match;
  if (binary) return Number(number) * 1024 ** (BINARY.indexOf(binary) + 1);
  return Number(`${number}e${exponent ?? EXPONENT[decimal] ?? 0}`);
}

/** Like parseQuantity; absent counts as 0. @throws Error for text that is not a quantity */
export function quantity(text: string | number | undefined): number {
  const value = parseQuantity(text ?? 0);
  if (value === undefined) throw new Error(`not a quantity: ${text}`);
  return value;
}

/** `1.5 GiB`, `320 MiB`, `12 KiB`. */
export function formatBytes(count: number): string {
  const power = Math.max(1, Math.min(4, Math.floor(Math.log2(Math.max(1, Math.abs(count))) / 10)));
  const value = count / 1024 ** power;
  return `${value.toFixed(power > 2 && Math.abs(value) < 10 ? 1 : 0)} ${BINARY[power - 1]}B`;
}

/** `250m CPU`, `1.5 CPU`. */
export const formatCores = (count: number): string =>
  count < 1 ? `${Math.round(count * 1000)}m CPU` : `${count.toFixed(1)} CPU`;

const SECONDS: Record<string, number> = {
  ns: 1e-9,
  us: 1e-6,
  µs: 1e-6,
  ms: 1e-3,
  s: 1,
  m: 60,
  h: 3600,
  d: 86_400,
  w: 604_800,
  y: 31_536_000,
};

/** Seconds of a Go or Prometheus duration: `15d`, `1w2d`, `1.5h`, `360h0m0s`, `0`. Undefined for other text. */
export function parseDuration(text: string | undefined): number | undefined {
  if (text === undefined || !/^(?:0+|(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|[smhdwy]))+)$/.test(text)) return undefined;
  const parts = text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|[smhdwy])/g);
  return [...parts].reduce((sum, [, amount, unit = '']) => sum + Number(amount) * (SECONDS[unit] ?? 0), 0);
}

/** `45 s`, `12 min`, `5 h`, `3 days`: one unit, rounded. */
export function formatDuration(seconds: number): string {
  if (seconds < 120) return `${Math.max(0, Math.round(seconds))} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`;
}
