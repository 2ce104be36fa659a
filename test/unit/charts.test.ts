import { describe, expect, it } from 'vitest';
import { readAsset } from '../../src/core/assets.ts';
import { COMPONENT_IDS } from '../../src/profile/schema.ts';

describe('charts', () => {
  it('share one _common.tpl', () => {
    const texts = new Set(COMPONENT_IDS.map((id) => readAsset('templates', id, 'templates', '_common.tpl')));
    expect(texts.size).toBe(1);
  });
});
