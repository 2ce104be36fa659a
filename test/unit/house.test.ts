import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

/** Files under version control, so that nothing that lies about counts. */
const tracked = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '-z'], { encoding: 'utf8' })
  .split('\0')
  .filter(Boolean);
const textOf = (path: string): string => readFileSync(path, 'utf8');
const matching = (pattern: RegExp): { path: string; lines: string[] }[] =>
  tracked.filter((path) => pattern.test(path)).map((path) => ({ path, lines: textOf(path).split('\n') }));

const SRC = matching(/^src\/.*\.ts$/);
const CODE = matching(/^(src|test|demo|bench|scripts|bin)\/.*\.(ts|mjs|js)$/).filter(
  ({ path }) => !path.includes('/fixtures/') && !path.startsWith('test/golden/connect'),
);
/** What people read: code with its messages and comments, documents, templates. */
const PROSE = [
  ...CODE,
  ...matching(
    /^(README|CONTRIBUTING|SECURITY|CHANGELOG)\.md$|^docs\/.*\.md$|^test\/bed\/(README\.md|bed)$|^bench\/.*\.md$/,
  ),
  ...matching(/^(templates|profiles)\//),
].filter(({ path }) => path !== 'test/unit/house.test.ts');

/** Length and place of each block of `//` lines, and of the text in each block comment. */
function comments(lines: string[]): { at: number; kind: 'line' | 'block'; length: number }[] {
  const found: { at: number; kind: 'line' | 'block'; length: number }[] = [];
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]?.trim() ?? '';
    if (line.startsWith('//')) {
      const at = i;
      while (lines[i + 1]?.trim().startsWith('//')) i++;
      found.push({ at: at + 1, kind: 'line', length: i - at + 1 });
    } else if (line.startsWith('/*')) {
      const at = i;
      while (!lines[i]?.includes('*/') && i < lines.length) i++;
      const text = lines.slice(at, i + 1).filter((one) => /\w/.test(one) && !/^\s*\* (@|\|)/.test(one));
      found.push({ at: at + 1, kind: 'block', length: text.length });
    }
  }
  return found;
}

describe('sizes', () => {
  it('the median file of src has at most 110 lines, and none is over 300', () => {
    const sizes = SRC.map(({ lines }) => lines.length - 1).toSorted((a, b) => a - b);
    expect(sizes[Math.floor(sizes.length / 2)]).toBeLessThanOrEqual(110);
    expect(SRC.filter(({ lines }) => lines.length - 1 > 300).map(({ path }) => path)).toEqual([]);
  });

  it('no line of code is over 120 columns', () => {
    const wide = CODE.flatMap(({ path, lines }) =>
      lines.flatMap((line, i) => (line.length > 120 ? [`${path}:${i + 1} (${line.length})`] : [])),
    );
    expect(wide).toEqual([]);
  });

  it('a comment has at most two lines, a docstring at most four', () => {
    const long = SRC.flatMap(({ path, lines }) =>
      comments(lines)
        .filter(({ kind, length }) => length > (kind === 'line' ? 2 : 4))
        .map(({ at, length }) => `${path}:${at} (${length} lines)`),
    );
    expect(long).toEqual([]);
  });
});

/** Phrases that readers stumbled over, and what a platform engineer would write. */
const INSTEAD: [RegExp, string][] = [
  [/\bwhoever\b/i, 'anyone who, any signed-in user'],
  [/\banew\b/i, 'again, recreated'],
  [/\b(is|are|be|been|was|were|being) told\b/i, 'is reported, is shown, gets notified'],
  [/twice is as once/i, 'idempotent; running it again changes nothing'],
  [/\ba way out\b/i, 'air-gapped; a next command'],
  [/\bof its own accord\b/i, 'by itself'],
  [/\bmend(s|ed|ing)?\b/i, 'fix, repair'],
  [/\bcould not look\b/i, 'could not check'],
  [/\bcarr(y|ies|ied) on\b/i, 'resume'],
  [/\bhad before anything\b/i, 'downloaded before anything changes'],
  [/\bdoes not tell\b|\btells nothing\b/i, 'does not report'],
  [/\bfor ever\b/i, 'without limit, permanently'],
];

describe('plain English', () => {
  it.each(INSTEAD)('never says %s', (pattern, instead) => {
    const found = PROSE.flatMap(({ path, lines }) =>
      lines.flatMap((line, i) => (pattern.test(line) ? [`${path}:${i + 1} ${line.trim().slice(0, 90)}`] : [])),
    );
    expect(found, `write: ${instead}`).toEqual([]);
  });

  it('cites nothing that a reader of the repository cannot open', () => {
    const documents = ['upstream', 'peers', 'defects', 'code-review', 'requirements', 'anchors'];
    const rows = [
      String.raw`\bX-\d\d`,
      'seeds? 00',
      'rows? 00',
      String.raw`appendix \d`,
      String.raw`00[0-4]-[A-Z0-9]+-\d`,
    ];
    const cited = new RegExp(String.raw`\b(${documents.join('|')})\.md\b|\b(${rows.join('|')})`);
    const found = PROSE.filter(({ path }) => path !== 'docs/fixes.md' && !path.startsWith('test/')).flatMap(
      ({ path, lines }) =>
        lines.flatMap((line, i) =>
          cited.test(line) &&
          !/^\s*(sources:|'.*00[0-4]-)/.test(line) &&
          !(path === 'docs/checks.md' && /00[0-4]-/.test(line))
            ? [`${path}:${i + 1} ${line.trim().slice(0, 90)}`]
            : [],
        ),
    );
    expect(found).toEqual([]);
  });
});
