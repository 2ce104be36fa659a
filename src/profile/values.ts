import * as v from 'valibot';
import { parseDuration, parseQuantity } from '../core/quantity.ts';

export const name = v.pipe(
  v.string(),
  v.regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'must be a DNS label: lower-case letters, digits and dashes'),
);
/** Without `m`: backends read it as minutes, people as months. */
export const duration = v.pipe(v.string(), v.regex(/^[1-9]\d*[hdwy]$/, 'must be a duration such as 48h, 15d or 2w'));
export const quantity = v.pipe(v.string(), v.regex(/^\d+(Mi|Gi|Ti)$/, 'must be a size such as 512Mi or 8Gi'));
/** Prometheus' GB is 1024³ bytes, like Kubernetes' Gi. Empty: no cap. */
export const cap = v.optional(
  v.pipe(v.string(), v.regex(/^([1-9]\d*(MB|GB|TB))?$/, 'must be a size such as 512MB or 50GB')),
  '',
);
export const interval = v.pipe(v.string(), v.regex(/^[1-9]\d*[sm]$/, 'must be an interval such as 30s or 1m'));
/** Empty: the namespace of the installation. */
export const ownNamespace = v.optional(v.union([v.literal(''), name]), '');
export const off = v.optional(v.boolean(), false);
export const text = v.optional(v.string(), '');
/** Name of a Kubernetes object, or empty. */
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

/** MiB of a `quantity`, a `cap`, or of Prometheus' spelling of a cap (`1TiB512GiB`). */
export const mebibytes = (size: string): number =>
  [...size.matchAll(/(\d+[MGT])i?B?/g)].reduce((sum, [, amount]) => sum + (parseQuantity(`${amount}i`) ?? 0), 0) /
  1024 ** 2;

export const secondsIn = (time: string): number => parseDuration(time) ?? 0;

export const hoursIn = (time: string): number => secondsIn(time) / 3600;
