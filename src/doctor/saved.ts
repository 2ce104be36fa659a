import { readFileSync, writeFileSync } from 'node:fs';
import * as v from 'valibot';
import type { FactMap } from '../checks/lib/facts.ts';
import { messageOf, usageError } from '../core/errors.ts';
import { redact } from '../core/redact.ts';
import { type Config, ConfigSchema } from '../profile/schema.ts';

/** A facts file: facts with all that is needed to judge them again on another machine. */
export interface Saved {
  schemaVersion: 1;
  tool: string;
  context: string;
  takenAt: string;
  probe: boolean;
  config: Config;
  facts: FactMap;
}

const SavedSchema = v.object({
  schemaVersion: v.literal(1),
  tool: v.string(),
  context: v.string(),
  takenAt: v.string(),
  probe: v.boolean(),
  config: ConfigSchema,
  facts: v.record(
    v.string(),
    v.union([
      v.object({ ok: v.literal(true), value: v.unknown() }),
      v.object({ ok: v.literal(false), error: v.string() }),
    ]),
  ),
});

/** Blanks registered secrets in every string: a second safeguard, because facts are scrubbed when they are read. */
function safe<T>(value: T): T {
  if (typeof value === 'string') return blank(value) as T;
  if (Array.isArray(value)) return value.map((item: unknown) => safe(item)) as T;
  if (value !== null && typeof value === 'object')
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, safe(item)])) as T;
  return value;
}

/**
 * Blanks registered secrets only: an invisible mark hides `password: x` from the patterns of `redact`, which would
 * rewrite ordinary text and so change verdicts.
 */
function blank(text: string): string {
  const mark = '\u200b';
  const marked = text
    .replace(/(Bearer)(\s)/g, `$1${mark}$2`)
    .replace(/(password|token|api[_-]?key|secret)(\\*"?\s*[:=])/gi, `$1${mark}$2`);
  return redact(marked).replaceAll(mark, '');
}

export function saveFacts(path: string, saved: Saved): void {
  writeFileSync(path, `${JSON.stringify(safe(saved), null, 1)}\n`, { mode: 0o600 });
}

/** @throws usage error when the file is not a facts file */
export function loadFacts(path: string): Saved {
  let data: unknown;
  try {
    data = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw usageError(
      `cannot read the facts file ${path}`,
      'genai-obs doctor --save-facts facts.json',
      messageOf(error),
    );
  }
  const result = v.safeParse(SavedSchema, data);
  if (!result.success) {
    const issue = result.issues[0];
    throw usageError(
      `${path} is not a facts file of this version of genai-obs`,
      'genai-obs doctor --save-facts facts.json',
      `${issue.path?.map((item) => String(item.key)).join('.') ?? ''}: ${issue.message}`,
    );
  }
  return result.output;
}
