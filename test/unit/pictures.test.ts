import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const script: string = '../../scripts/ansiSvg.mjs';
const { ansiSvg } = (await import(script)) as {
  ansiSvg: (text: string, options: { title: string; columns?: number }) => string;
};
const IMAGES = 'docs/images';

describe('terminal output as SVG', () => {
  const text = '\u001b[1mCause\u001b[22m\n\u001b[31m✖\u001b[39m \u001b[2mseen\u001b[22m  a < b & c\u001b[K\nplain';
  const svg = ansiSvg(text, { title: 'doctor <1>' });
  const runs = [...svg.matchAll(/<text x="(\d+)" y="[\d.]+" fill="([^"]+)"([^>]*)>([^<]*)</g)];

  it('draws each run in its style at its column', () => {
    expect(runs.map(([, x, fill, , shown]) => [Number(x), fill, shown])).toEqual([
      [16, '#c9d1d9', 'Cause'],
      [16, '#ff7b72', '✖'],
      [32, '#c9d1d9', 'seen'],
      [80, '#c9d1d9', 'a &lt; b &amp; c'],
      [16, '#c9d1d9', 'plain'],
    ]);
    expect(runs.map(([, , , look = '']) => /font-weight|opacity/.exec(look)?.[0])).toEqual([
      'font-weight',
      undefined,
      'opacity',
      undefined,
      undefined,
    ]);
    expect(runs[3]?.[3]).toContain('textLength="72"');
  });

  it('is wide enough for the longest line, and has an escaped title', () => {
    expect(svg).toContain('viewBox="0 0 672 114"');
    expect(ansiSvg('x'.repeat(100), { title: 'wide' })).toContain('viewBox="0 0 832 78"');
    expect(svg).toContain('<title>doctor &lt;1&gt;</title>');
    expect(svg).not.toContain('\u001b');
  });
});

describe('pictures of the documents', () => {
  it('are PNG or SVG below 250 KiB', () => {
    const files = readdirSync(IMAGES);
    expect(files.filter((file) => !/\.(png|svg)$/.test(file))).toEqual([]);
    expect(files.filter((file) => statSync(join(IMAGES, file)).size > 250 * 1024)).toEqual([]);
  });
});
