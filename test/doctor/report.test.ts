import type { Finding } from '../../src/checks/lib/check.ts';
import type { FactMap } from '../../src/checks/lib/facts.ts';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { CHECKS } from '../../src/checks/index.ts';
import { junit } from '../../src/doctor/report/junit.ts';
import { exitCodeOf, json, type Report, short, summarise } from '../../src/doctor/report/report.ts';
import type { Paint } from '../../src/core/text.ts';
import { table, wrap } from '../../src/doctor/report/table.ts';
import { diagnose } from '../../src/doctor/run.ts';
import { healthy, quickstart } from './support.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const plain: Paint = { ok: String, warn: String, fail: String, dim: String, bold: String };

function report(findings: Finding[], extra: Partial<Report> = {}): Report {
  return {
    schemaVersion: 1,
    tool: { name: 'genai-obs', version: '0.1.0' },
    context: 'example',
    namespace: 'genai-observability',
    profile: 'quickstart',
    startedAt: '2026-11-21T03:15:41.241Z',
    ms: 1834,
    summary: summarise(findings),
    exitCode: exitCodeOf(findings),
    findings,
    ...extra,
  };
}

const base = (id: string): Finding => ({
  id,
  title: `Title of ${id}`,
  area: 'LOKI',
  status: 'ok',
  evidence: 'healthy',
  docs: `docs/checks.md#${id.toLowerCase()}`,
});
const SOME: Finding[] = [
  {
    ...base('LOKI-01'),
    status: 'fail',
    evidence:
      '0 of 1 pod ready: loki-0 CrashLoopBackOff after 7 restarts, last log line: ' +
      'level=error msg="mkdir /loki: permission denied"',
    cause: 'the volume belongs to another user',
    fix: 'kubectl -n genai-observability logs loki-0 --previous',
    object: 'StatefulSet genai-observability/loki',
  },
  { ...base('LOKI-02'), status: 'blocked', blockedBy: 'LOKI-01', evidence: '/ready 503' },
  { ...base('LOKI-04'), status: 'unknown', evidence: 'could not check: k8s:Event: forbidden' },
  { ...base('LOKI-08'), status: 'warn', evidence: 'retention <none> & "unlimited"\u0007', cause: 'c', fix: 'f' },
  { ...base('LOKI-03') },
  { ...base('LOKI-11'), status: 'skip', evidence: 'does not apply' },
];

describe('table', () => {
  const text = table(report(SOME), plain);

  it('begins with the cause in full and the findings that it explains', () => {
    const lines = text.split('\n');
    const at = lines.indexOf('Cause (fix this first)');
    expect(at).toBeLessThan(5);
    expect(lines[at + 1]).toBe('✖ LOKI-01 Title of LOKI-01');
    for (const part of [
      'seen   0 of 1 pod ready',
      'on     StatefulSet',
      'cause  the volume',
      'fix    kubectl -n genai-observability logs',
      'docs   docs/checks.md#loki-01',
      'explains 1 more finding: LOKI-02',
    ])
      expect(text).toContain(part);
  });
  it('fits into 80 columns', () =>
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80));
  it('has one line per area, and all checks with verbose', () => {
    expect(text).toContain('Loki                 1 ok, 1 warning, 1 failed, 1 could not check, 1 blocked');
    expect(text).not.toContain('LOKI-03');
    expect(table(report(SOME), plain, { verbose: true })).toMatch(/✔ LOKI-03 +healthy/);
  });
  it('is short for a healthy stack', () =>
    expect(table(report([base('LOKI-03')]), plain)).toContain('1 check in 1.8 s: all ok'));
  it('does not break a long word', () =>
    expect(wrap(`see ${'x'.repeat(100)} now`, 80, 4)).toEqual(['see', 'x'.repeat(100), 'now']));
});

describe('short', () => {
  it('has one line per finding that is not ok, then the counts', () => {
    const lines = short(report(SOME)).trimEnd().split('\n');
    expect(lines).toHaveLength(5);
    expect(lines[1]).toBe('blocked LOKI-02 (caused by LOKI-01): /ready 503');
    expect(lines[4]).toBe('6 checks: 1 ok, 1 warn, 1 fail, 1 unknown, 1 blocked, 1 skip');
  });
});

describe('json', () => {
  const schema: unknown = JSON.parse(readFileSync(`${ROOT}docs/schemas/doctor-report.schema.json`, 'utf8'));
  const validate = new Ajv2020({
    allErrors: true,
    strict: true,
    strictRequired: false,
    formats: { 'date-time': true },
  }).compile(schema as object);
  const check = (one: Report) => (validate(JSON.parse(json(one))), validate.errors ?? []);

  it('matches the published schema', () => expect(check(report(SOME))).toEqual([]));
  it('matches it for all checks and with the probe', () => {
    const facts = healthy();
    const probe = facts['probe:result'];
    const findings = diagnose(facts, quickstart(), CHECKS, { probe: true });
    expect(check(report(findings, probe?.ok ? { probe: probe.value as NonNullable<Report['probe']> } : {}))).toEqual(
      [],
    );
  });
  it('is invalid when a blocked finding names no cause, or with an unknown status', () => {
    expect(check(report([{ ...base('LOKI-02'), status: 'blocked' }]))).not.toEqual([]);
    expect(check(report([{ ...base('LOKI-02'), status: 'fine' as 'ok' }]))).not.toEqual([]);
  });
});

describe('junit', () => {
  const xml = junit(report(SOME));
  it('is well-formed with special characters in the evidence', () => {
    expect(malformed(xml)).toBeUndefined();
    expect(malformed(xml.replace('&lt;none', '<none'))).toBeDefined();
    expect(xml).toContain('retention &lt;none&gt; &amp; &quot;unlimited&quot;\uFFFD');
  });
  it('counts failures, errors and skipped cases', () =>
    expect(xml).toContain('tests="6" failures="2" errors="1" skipped="1"'));
});

/** The first error that an XML parser would report: tags that do not match, bare `<` or `&`, unquoted attributes. */
function malformed(xml: string): string | undefined {
  const open: string[] = [];
  const body = xml.replace(/^<\?xml [^?]*\?>\n/, '');
  for (const [, close, name, attributes, empty, text] of body.matchAll(
    /<(\/?)([a-z-]+)((?: [a-z]+="[^"<]*")*)(\/?)>([^<]*)|(<)/g,
  )) {
    if (name === undefined) return 'a bare <';
    if (/&(?!(amp|lt|gt|quot|#10);)/.test(`${attributes}${text}`)) return `a bare & in ${name}`;
    if (close && open.pop() !== name) return `</${name}> closes another tag`;
    if (!close && !empty) open.push(name);
  }
  return open.length ? `${open.join()} is not closed` : undefined;
}

describe('docs/checks.md', () => {
  it('is current', () =>
    expect(() =>
      execFileSync(process.execPath, ['scripts/checks-doc.mjs', '--check'], { cwd: ROOT, stdio: 'pipe' }),
    ).not.toThrow());
  it('has the anchor of every check', () => {
    const text = readFileSync(`${ROOT}docs/checks.md`, 'utf8');
    const blind: FactMap = {};
    for (const finding of diagnose(blind, quickstart(), CHECKS, { probe: true })) {
      const [file = '', anchor = ''] = finding.docs.split('#');
      expect(existsSync(ROOT + file)).toBe(true);
      expect(text).toContain(`<a id="${anchor}"></a>`);
    }
  });
});
