import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { parse } from 'yaml';
import { describe, expect, it } from 'vitest';

interface Workflow {
  permissions: Record<string, string>;
  jobs: Record<string, { 'timeout-minutes': number; steps: { uses?: string; run?: string }[] }>;
}
interface Form {
  name: string;
  body: { type: string; attributes: { label?: string; render?: string } }[];
}

const WORKFLOWS = '.github/workflows';
const TEMPLATES = '.github/ISSUE_TEMPLATE';
const ACTIONLINT = 'v1.7.12';
const read = (path: string): string => readFileSync(path, 'utf8');
const workflows = readdirSync(WORKFLOWS).map((file) => ({ file, text: read(`${WORKFLOWS}/${file}`) }));
const manifest = JSON.parse(read('package.json')) as { license: string; engines: { node: string }; files: string[] };

describe('workflows', () => {
  /** The command that runs actionlint: from the PATH, or by Go, which builds it once. */
  const command = [['actionlint'], ['go', 'run', `github.com/rhysd/actionlint/cmd/actionlint@${ACTIONLINT}`]].find(
    ([file = '', ...args]) => spawnSync(file, [...args, '-version'], { timeout: 150_000 }).status === 0,
  );
  const note = command ? '' : ' (skipped: neither actionlint nor Go with a module proxy)';

  it.skipIf(!command)(`pass actionlint${note}`, { timeout: 60_000 }, () => {
    const [file = '', ...args] = command ?? [];
    const files = workflows.map((workflow) => `${WORKFLOWS}/${workflow.file}`);
    const { stdout, stderr, status } = spawnSync(file, [...args, '-no-color', ...files], { encoding: 'utf8' });
    expect(`${stdout}${stderr}`).toBe('');
    expect(status).toBe(0);
  });

  it.each(workflows)('$file pins each action to a commit, and names its version', ({ text }) => {
    const uses = text.split('\n').filter((line) => /\buses:/.test(line));
    expect(uses.length).toBeGreaterThan(0);
    expect(uses.filter((line) => !/uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(line))).toEqual([]);
  });

  it.each(workflows)('$file has only the right to read, and a time limit for each job', ({ text }) => {
    const { permissions, jobs } = parse(text) as Workflow;
    expect(permissions).toEqual({ contents: 'read' });
    expect(Object.values(jobs).map((job) => job['timeout-minutes'] > 0)).not.toContain(false);
  });

  it('run the fast suites with the oldest supported Node, and the demo', () => {
    const text = read(`${WORKFLOWS}/ci.yml`);
    const runs = Object.values((parse(text) as Workflow).jobs).flatMap(({ steps }) => steps.map(({ run }) => run));
    expect(runs).toContain('npm test -- fast');
    expect(runs).toContain('npm run demo');
    expect(runs.join('\n')).toContain(`actionlint@${ACTIONLINT}`);
    const versions = [...text.matchAll(/node-version: (\d+)/g)].map(([, version]) => `>=${version}`);
    expect(versions.filter((version) => !manifest.engines.node.startsWith(version))).toEqual([]);
  });
});

describe('issue templates', () => {
  const forms = readdirSync(TEMPLATES)
    .filter((file) => file !== 'config.yml')
    .map((file) => ({ file, form: parse(read(`${TEMPLATES}/${file}`)) as Form }));

  it.each(forms)('$file asks for the report of the doctor as JSON', ({ form }) => {
    const fields = form.body.filter(({ attributes }) => attributes.label?.includes('`genai-obs doctor -o json`'));
    expect(fields.map(({ type, attributes }) => [type, attributes.render])).toEqual([['textarea', 'json']]);
  });
});

describe('package', () => {
  it('has the license that it names, and ships it with the changelog', () => {
    expect(manifest.license).toBe('Apache-2.0');
    expect(read('LICENSE')).toMatch(/^\s+Apache License\n\s+Version 2\.0, January 2004/);
    // npm packs LICENSE and README.md always, CHANGELOG.md only if it is listed.
    expect(manifest.files).toContain('CHANGELOG.md');
  });

  it('has an .editorconfig that agrees with the formatter', () => {
    const { printWidth } = JSON.parse(read('.oxfmtrc.json')) as { printWidth: number };
    const all = /\[\*\]\n([^[]*)/.exec(read('.editorconfig'))?.[1] ?? '';
    expect(all).toContain(`max_line_length = ${printWidth}\n`);
    expect(all).toContain('indent_size = 2\n');
  });
});
