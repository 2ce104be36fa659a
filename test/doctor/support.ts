import type { Check, Finding } from '../../src/checks/lib/check.ts';
import type { FactMap } from '../../src/checks/lib/facts.ts';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { ConfigSchema, type Config } from '../../src/profile/schema.ts';
import { judge } from '../../src/doctor/run.ts';
import { applySet, edit, type FactEdits } from './support-edit.ts';

/**
 * Fixtures of the doctor.
 *
 * - `fixtures/healthy.json`: facts of the quickstart stack under load, recorded on the bed by scripts/record-facts.mjs.
 * - `fixtures/healthy.d/*.json`: facts that the recording lacks, written manually; recorded ones take precedence.
 * - `fixtures/red/<area>.yaml`: at least one case per check that is not ok, as a small change of the healthy facts:
 *
 * ```yaml
 * - check: PROM-07
 *   set:
 *     "http:prometheus-server:/api/v1/status/flags":
 *       /body/data/web.enable-remote-write-receiver: "false"  # keys with "/": edits of the value
 *     "k8s:StatefulSet": []                                   # anything else: the whole value
 *     "promql:up": { $error: connection refused }             # the fact could not be collected
 *   config: { storage.enabled: false }                        # changes of profiles/quickstart.yaml, dotted
 *   status: fail        # fail, warn, unknown; ok and skip are green cases
 *   evidence: part of the evidence, cause or fix
 * ```
 *
 * Path segments of an edit: a key, an index, `-` (append), `*` (every item), `@loki` (the item whose metadata.name,
 * name or uid is or starts with it), `@job=loki` (item whose field or metric label equals it). A dot in a key needs no
 * escape, `~1` is "/". The value `{ $remove: true }` removes; `{ $replace: [pattern, by] }` edits a string.
 */
export interface Case {
  check: string;
  about?: string;
  set?: Record<string, unknown>;
  config?: FactEdits;
  status: Finding['status'];
  evidence?: string;
}

const HERE = fileURLToPath(new URL('.', import.meta.url));
const ROOT = fileURLToPath(new URL('../../', import.meta.url));

function readJson(path: string): unknown {
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined;
}

const recorded = (readJson(`${HERE}fixtures/healthy.json`) as { facts?: FactMap } | undefined)?.facts ?? {};
const written = existsSync(`${HERE}fixtures/healthy.d`)
  ? readdirSync(`${HERE}fixtures/healthy.d`)
      .filter((file) => file.endsWith('.json'))
      .map((file) => readJson(`${HERE}fixtures/healthy.d/${file}`) as FactMap)
  : [];

const base = Object.assign({}, ...written, recorded) as FactMap;

/** A fresh copy of the facts of a healthy stack. */
export function healthy(): FactMap {
  return structuredClone(base);
}

export function quickstart(changes: FactEdits = {}): Config {
  const config: unknown = parse(readFileSync(`${ROOT}profiles/quickstart.yaml`, 'utf8'));
  let changed = config;
  for (const [path, value] of Object.entries(changes)) changed = edit(changed, `/${path.replaceAll('.', '/')}`, value);
  return v.parse(ConfigSchema, changed);
}

/** The check alone, without dependencies, over the facts of a case. */
export function runCase(check: Check, one: Pick<Case, 'set' | 'config'>): ReturnType<typeof judge> {
  // The facts are frozen as they are read, and an edit works on a copy.
  return judge(check, applySet(base, one.set ?? {}), quickstart(one.config));
}

/** Cases of `fixtures/red/<file>.yaml`; without a file all of them. */
export function casesOf(file?: string): Case[] {
  const dir = `${HERE}fixtures/red/`;
  const files = file
    ? [`${file}.yaml`]
    : existsSync(dir)
      ? readdirSync(dir).filter((name) => name.endsWith('.yaml'))
      : [];
  return files.flatMap((name) =>
    existsSync(dir + name) ? ((parse(readFileSync(dir + name, 'utf8'), { merge: true }) as Case[] | null) ?? []) : [],
  );
}

/** Tests of one area: all its cases, and each check over the healthy facts. Call it from test/doctor/<area>.test.ts. */
export function describeArea(file: string, checks: Check[]): void {
  const byId = new Map(checks.map((check) => [check.id, check]));
  describe(`${file}: cases`, () => {
    for (const one of casesOf(file)) {
      it(`${one.check} ${one.status}: ${one.about ?? one.evidence ?? ''}`, () => {
        const check = byId.get(one.check);
        if (!check) throw new Error(`no check ${one.check} in ${file}`);
        const verdict = runCase(check, one);
        const text = [verdict.evidence, verdict.cause, verdict.fix, verdict.object].join('\n');
        expect({ status: verdict.status, text }).toEqual({
          status: one.status,
          text: expect.stringContaining(one.evidence ?? '') as unknown,
        });
        if (verdict.status === 'warn' || verdict.status === 'fail')
          expect(Boolean(verdict.cause && verdict.fix)).toBe(true);
        expect(verdict.evidence).not.toContain('\n');
      });
    }
  });
  describe(`${file}: healthy`, () => {
    for (const check of checks) {
      it(`${check.id} is ok or says why it does not apply`, () => {
        const verdict = runCase(check, {});
        expect(['ok', 'skip'], `${verdict.status}: ${verdict.evidence}`).toContain(verdict.status);
      });
    }
  });
}
