/**
 * Runs an action; prints its error on stderr (or, with `--json`, as one JSON line on stdout) and sets the exit code.
 * Apart from exit.ts, whose imports an action that fails needs and `--help` does not.
 */
export async function guard(json: boolean | undefined, action: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await action();
  } catch (error) {
    const { describe } = await import('./exit.ts');
    const { text, json: data, exit } = describe(error);
    if (json) process.stdout.write(`${JSON.stringify(data)}\n`);
    else process.stderr.write(`${text}\n`);
    process.exitCode = exit;
  }
  // Keep-alive sockets and timers must not hold the process.
  await new Promise<void>((resolve) => process.stdout.write('', () => resolve()));
  process.exit();
}
