/**
 * Runs an action and sets the exit code. Prints an error on stderr, or with `--json` as one JSON line on stdout.
 * Separate from ui/describe.ts, because `--help` needs none of its imports.
 */
export async function guard(json: boolean | undefined, action: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await action();
  } catch (error) {
    const { describe } = await import('../ui/describe.ts');
    const { text, json: data, exit } = describe(error);
    if (json) process.stdout.write(`${JSON.stringify(data)}\n`);
    else process.stderr.write(`${text}\n`);
    process.exitCode = exit;
  }
  // Keep-alive sockets and timers must not keep the process alive.
  await new Promise<void>((resolve) => process.stdout.write('', () => resolve()));
  process.exit();
}
