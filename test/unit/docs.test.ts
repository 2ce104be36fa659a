import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parse } from 'yaml';
import { describe, expect, it } from 'vitest';
import { ruleFiles } from '../../src/parts/prometheus/rulefiles.ts';
import { lokiRules } from '../../src/parts/prometheus/teams.ts';
import { ROOT, assetPath, readAsset } from '../../src/core/assets.ts';
import type { JsonMap } from '../../src/core/types.ts';
import { profileLayer } from '../../src/profile/layers.ts';
import { resolve } from '../../src/profile/resolve.ts';
import { SETTINGS, lineFor } from '../../src/profile/settings.ts';

function leaves(map: JsonMap, path: string[] = []): string[] {
  return Object.entries(map).flatMap(([key, value]) =>
    value && typeof value === 'object' && !Array.isArray(value) && Object.keys(value).length
      ? leaves(value, [...path, key])
      : [[...path, key].join('.')],
  );
}

describe('documentation', () => {
  it('has every setting, and no other', () => {
    const all = leaves(resolve([profileLayer('quickstart')]) as unknown as JsonMap);
    expect(all.filter((path) => lineFor(path) === undefined)).toEqual([]);
    expect(Object.keys(SETTINGS).toSorted()).toEqual([...new Set(all.map((path) => lineFor(path) ?? ''))].toSorted());
  });

  it('of the configuration is up to date', () => {
    expect(() =>
      execFileSync(process.execPath, ['scripts/config-doc.mjs', '--check'], { cwd: ROOT, stdio: 'pipe' }),
    ).not.toThrow();
  });

  it('links only to files that exist', () => {
    for (const file of [
      'README.md',
      'CONTRIBUTING.md',
      'SECURITY.md',
      'CHANGELOG.md',
      ...readdirSync(assetPath('docs'))
        .filter((name) => name.endsWith('.md'))
        .map((name) => join('docs', name)),
    ]) {
      for (const [, target = ''] of readAsset(file).matchAll(/\]\((?!https?:|#)([^)#]+)/g))
        expect(existsSync(join(ROOT, dirname(file), target)), `${file} → ${target}`).toBe(true);
    }
  });

  it('has a runbook for every alert, at the link of the alert', () => {
    const data = {
      macos: { enabled: true },
      genai: { cost: { monthlyLimit: 9 }, genops: { enabled: true } },
      prometheus: { server: { retention: '30d' } },
      teams: [{ name: 'quant', namespace: 'quant' }],
    };
    const config = resolve([profileLayer('quickstart'), { source: 'test', data }]);
    const anchors = new Set(
      [...readAsset('docs', 'runbooks.md').matchAll(/^## (\S+)$/gm)].map(([, name = '']) => name.toLowerCase()),
    );
    const alerts = [...Object.values(ruleFiles(config)), ...Object.values(lokiRules(config) ?? {})].flatMap((text) =>
      (
        parse(text) as { groups: { rules: { alert?: string; annotations?: Record<string, string> }[] }[] }
      ).groups.flatMap((group) => group.rules.filter((rule) => rule.alert)),
    );
    expect(alerts.length).toBeGreaterThan(15);
    for (const { alert = '', annotations } of alerts) {
      expect(annotations?.['runbook'], alert).toBe(`docs/runbooks.md#${alert.toLowerCase()}`);
      expect(anchors.has(alert.toLowerCase()), `runbook of ${alert}`).toBe(true);
    }
  });
});
