/** Never printed, logged or journalled. Code that reads or creates a secret registers it here. */
const secrets = new Set<string>();

export function registerSecret(value: string): void {
  // Short values would redact ordinary words.
  if (value.length >= 6) {
    const forms = [
      value,
      Buffer.from(value).toString('base64'),
      JSON.stringify(value).slice(1, -1),
      encodeURIComponent(value),
    ];
    for (const form of forms) secrets.add(form);
  }
}

export function redact(text: string): string {
  let out = text;
  // The longest first: one secret may be a prefix of another.
  for (const secret of [...secrets].sort((a, b) => b.length - a.length)) out = out.replaceAll(secret, '[redacted]');
  return (
    out
      .replace(/(Bearer\s+)[A-Za-z0-9._~+/=-]{12,}/g, '$1[redacted]')
      // Keeps quotes and escapes: the text may be JSON.
      .replace(
        /((?:password|token|api[_-]?key|secret)\\*"?\s*[:=]\s*(?:\\*")?)(?!\[redacted\])[^\s",}\\]{6,}/gi,
        '$1[redacted]',
      )
  );
}
