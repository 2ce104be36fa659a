import type { Collector } from './context.ts';

/** The fact of the same key in the baseline that was given; null when there is none. */
export const baseline: Collector = (key, context) => {
  if (!context.baseline) return Promise.resolve(null);
  const fact = context.baseline[key];
  if (!fact?.ok) throw new Error(`the baseline has no ${key}`);
  return Promise.resolve(fact.value);
};
