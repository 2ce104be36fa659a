// Collects the licence texts of the bundled packages.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** @param {string[]} inputs files of the bundle @returns {Promise<string>} markdown */
export async function notices(inputs) {
  const packages = new Map();
  for (const input of inputs) {
    const match = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input);
    if (!match || packages.has(match[1])) continue;
    const manifest = JSON.parse(readFileSync(join(match[1], 'package.json'), 'utf8'));
    const file = readdirSync(match[1]).find((name) => /^(licen[cs]e|copying)/i.test(name));
    const text =
      file && existsSync(join(match[1], file))
        ? readFileSync(join(match[1], file), 'utf8').trim()
        : '(the package ships no licence file)';
    const license = typeof manifest.license === 'string' ? manifest.license : 'see below';
    packages.set(match[1], { title: `${manifest.name} ${manifest.version} (${license})`, text });
  }
  const parts = [...packages.values()]
    .sort((a, b) => (a.title < b.title ? -1 : 1))
    .map(({ title, text }) => `## ${title}\n\n\`\`\`\n${text}\n\`\`\`\n`);
  return `# Third-party notices\n\ngenai-obs bundles these packages.\n\n${parts.join('\n')}`;
}
