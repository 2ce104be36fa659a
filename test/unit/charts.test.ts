import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { assetPath, chartDigest, folderAsset } from '../../src/core/assets.ts';
import { COMPONENT_IDS } from '../../src/profile/schema.ts';

const textOf = (id: string): string => Object.values(folderAsset(`templates/${id}/templates`, '')).join('\n');
const names = (text: string, word: string): string[] =>
  [...text.matchAll(new RegExp(`\\b${word} "([\\w.-]+)"`, 'g'))].map((match) => match[1] ?? '');

describe('charts', () => {
  it.each(COMPONENT_IDS)('%s defines every named template that it includes, each exactly once', (id) => {
    const text = textOf(id);
    const defined = names(text, 'define');
    expect(defined).toEqual([...new Set(defined)]);
    expect(names(text, 'include').filter((name) => !defined.includes(name))).toEqual([]);
  });

  it('keep shared templates in one place: git tracks them only in templates/_lib', () => {
    const tracked = execFileSync('git', ['ls-files', '-co', '--exclude-standard', 'templates'], { encoding: 'utf8' });
    expect(tracked.split('\n').filter((path) => /\/_[^/]*\.tpl$/.test(path) && !path.includes('/_lib/'))).toEqual([]);
    expect(readdirSync(assetPath('templates', '_lib')).length).toBeGreaterThan(0);
  });

  it('do not change when they are staged again', () => {
    const before = COMPONENT_IDS.map(chartDigest);
    execFileSync(process.execPath, ['--eval', 'import("./scripts/charts.mjs").then((module) => module.stageCharts())']);
    expect(COMPONENT_IDS.map(chartDigest)).toEqual(before);
  });
});
