import * as v from 'valibot';

/** Kinds of values that settings take. */
export const name = v.pipe(
  v.string(),
  v.regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'must be a DNS label: lower-case letters, digits and dashes'),
);
/** No `m`: the stores read it as minutes, people as months. */
export const duration = v.pipe(v.string(), v.regex(/^[1-9]\d*[hdwy]$/, 'must be a duration such as 48h, 15d or 2w'));
export const quantity = v.pipe(v.string(), v.regex(/^\d+(Mi|Gi|Ti)$/, 'must be a size such as 512Mi or 8Gi'));
/** Prometheus counts its units by 1024, as Kubernetes' Gi. Empty: no cap. */
export const cap = v.optional(
  v.pipe(v.string(), v.regex(/^([1-9]\d*(MB|GB|TB))?$/, 'must be a size such as 512MB or 50GB')),
  '',
);
export const interval = v.pipe(v.string(), v.regex(/^[1-9]\d*[sm]$/, 'must be an interval such as 30s or 1m'));
/** Empty: the namespace of the installation. */
export const ownNamespace = v.optional(v.union([v.literal(''), name]), '');
export const off = v.optional(v.boolean(), false);
export const text = v.optional(v.string(), '');
/** Empty, or a name of an object. */
export const objectName = v.optional(
  v.pipe(v.string(), v.regex(/^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$/, 'must be the name of an object in the cluster')),
  '',
);
export const texts = v.optional(v.record(v.string(), v.string()), {});
/** Host and port without a scheme; empty: none. */
export const address = v.optional(
  v.pipe(v.string(), v.regex(/^([a-zA-Z0-9.-]+(:\d+)?)?$/, 'must be host or host:port, without http://')),
  '',
);

/** A `quantity`, a `cap`, or what Prometheus makes of one (`1TiB512GiB`), in MiB. */
export const mebibytes = (size: string): number =>
  [...size.matchAll(/(\d+)([MGT])i?B?/g)].reduce(
    (sum, [, count, unit = 'M']) => sum + Number(count) * 1024 ** 'MGT'.indexOf(unit),
    0,
  );

/** An `interval` in seconds. */
export const secondsIn = (every: string): number => Number.parseInt(every, 10) * (every.endsWith('m') ? 60 : 1);

/** A `duration` in hours. */
export const hoursIn = (time: string): number =>
  Number.parseInt(time, 10) * ({ h: 1, d: 24, w: 168, y: 8760 }[time.at(-1) ?? ''] ?? 1);
