import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import { audit } from '../../src/commands/harden.ts';

const dir = mkdtempSync(join(tmpdir(), 'genai-obs-harden-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('harden audit', () => {
  it('writes policy, settings and steps that refer to each other', async () => {
    const stdout = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const out = join(dir, 'new');
    expect(await audit({ out })).toBe(0);
    expect(stdout.mock.calls.map(([text]) => String(text)).join('')).toContain(join(out, 'README.md'));
    vi.restoreAllMocks();
    expect(readdirSync(out).toSorted()).toEqual(['10-audit.yaml', 'README.md', 'audit-policy.yaml']);
    const text = (name: string): string => readFileSync(join(out, name), 'utf8');
    const args = (parse(text('10-audit.yaml')) as { 'kube-apiserver-arg+': string[] })['kube-apiserver-arg+'];
    const value = (name: string): string =>
      args.find((arg) => arg.startsWith(`${name}=`))?.slice(name.length + 1) ?? '';
    for (const name of ['audit-policy-file', 'audit-log-path']) expect(text('README.md')).toContain(value(name));
  });

  it('never logs the content of a Secret, and omits no change', () => {
    const policy = parse(readFileSync('templates/audit/audit-policy.yaml', 'utf8')) as {
      kind: string;
      rules: { level: string; verbs?: string[]; resources?: { group: string; resources?: string[] }[] }[];
    };
    expect(policy.kind).toBe('Policy');
    const first = (resource: string, verb: string): string | undefined =>
      policy.rules.find(
        ({ verbs, resources, ...rule }) =>
          !('nonResourceURLs' in rule) &&
          (!verbs || verbs.includes(verb)) &&
          (!resources ||
            resources.some(({ group, resources: names }) => group === '' && (!names || names.includes(resource)))),
      )?.level;
    for (const verb of ['get', 'list', 'create', 'update']) expect(first('secrets', verb)).toBe('Metadata');
    expect(first('pods', 'delete')).toBe('Metadata');
    expect(first('pods', 'get')).toBe('None');
  });

  it('overwrites nothing', () => {
    writeFileSync(join(dir, 'mine'), '');
    expect(() => audit({ out: dir })).toThrow('not empty');
    expect(() => audit({ out: join(dir, 'mine') })).toThrow('cannot be written');
    expect(() => audit({})).toThrow('needs an output folder');
  });
});
