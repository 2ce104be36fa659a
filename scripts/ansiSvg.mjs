// Renders terminal output with ANSI colours as SVG.
// No font is embedded: textLength keeps every run on the character grid.
const CELL = { width: 8, height: 18 };
const PADDING = 16;
const TITLE = 28;
const COLORS = {
  black: '#484f58',
  red: '#ff7b72',
  green: '#3fb950',
  yellow: '#d29922',
  blue: '#58a6ff',
  magenta: '#bc8cff',
  cyan: '#39c5cf',
  white: '#b1bac4',
};
const BASIC = Object.values(COLORS);
const FONT = 'ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace';
const TEXT = '#c9d1d9';
/**
 * @param {string} text terminal output; colours of the 16-colour palette, bold, dim
 * @param {{ title: string, columns?: number }} options
 * @returns {string} an SVG document
 */
export function ansiSvg(text, { title, columns = 80 }) {
  const lines = text.replace(/\s+$/, '').split('\n');
  const style = { bold: false, dim: false, color: TEXT };
  const rows = lines.map((line) => runs(line, style));
  const widest = Math.max(columns, ...rows.map((row) => row.reduce((sum, { text: one }) => sum + [...one].length, 0)));
  const width = 2 * PADDING + widest * CELL.width;
  const height = TITLE + 2 * PADDING + rows.length * CELL.height;
  const size = `width="${width}" height="${height}"`;
  const body = rows.flatMap((row, y) => draw(row, TITLE + PADDING + (y + 0.75) * CELL.height));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" ${size} role="img">`,
    `<title>${escape(title)}</title>`,
    `<style>text{font:13px ${FONT};white-space:pre}</style>`,
    `<rect ${size} rx="8" fill="#0d1117"/>`,
    ...['#ff5f56', '#ffbd2e', '#27c93f'].map((fill, i) => `<circle cx="${20 + 18 * i}" cy="16" r="5" fill="${fill}"/>`),
    `<text x="${width / 2}" y="20" text-anchor="middle" fill="#8b949e">${escape(title)}</text>`,
    ...body,
    '</svg>',
    '',
  ].join('\n');
}

/** Splits a line into runs of one style. The style carries over to the next line, as in a terminal. */
function runs(line, style) {
  const [before = '', ...sequences] = line.replaceAll('\r', '').split('\u001b[');
  const found = [{ ...style, text: before }];
  for (const sequence of sequences) {
    const [, codes = '', kind, text = ''] = /^([0-9;?]*)([A-Za-z])?(.*)$/.exec(sequence) ?? [];
    if (kind === 'm') apply(style, codes);
    found.push({ ...style, text });
  }
  return found.filter(({ text }) => text);
}

function apply(style, codes) {
  for (const code of codes.split(';').map(Number)) {
    if (code === 0) Object.assign(style, { bold: false, dim: false, color: TEXT });
    else if (code === 1) style.bold = true;
    else if (code === 2) style.dim = true;
    else if (code === 22) Object.assign(style, { bold: false, dim: false });
    else if (code === 39) style.color = TEXT;
    else if ((code >= 30 && code <= 37) || (code >= 90 && code <= 97)) style.color = BASIC[code % 10];
  }
}

function draw(row, y) {
  let column = 0;
  return row.flatMap(({ text, bold, dim, color }) => {
    const length = [...text].length;
    const start = length - [...text.trimStart()].length;
    const x = PADDING + (column + start) * CELL.width;
    column += length;
    const shown = text.trim();
    if (!shown) return [];
    const look = `${bold ? ' font-weight="700"' : ''}${dim ? ' opacity="0.65"' : ''}`;
    const fit = `textLength="${[...shown].length * CELL.width}" lengthAdjust="spacingAndGlyphs"`;
    return [`<text x="${x}" y="${y}" fill="${color}"${look} ${fit}>${escape(shown)}</text>`];
  });
}

const escape = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
