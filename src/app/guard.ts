/** Sets the exit code; prints errors. Without imports of ui/describe.ts, which `--help` does not need. */
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
