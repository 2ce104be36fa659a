import { Chalk, supportsColorStderr } from 'chalk';
import type { Paint } from '../core/text.ts';

const noColor = Boolean(process.env['NO_COLOR']);

function paintFor(level: 0 | 1 | 2 | 3): Paint {
  const chalk = new Chalk({ level });
  return { ok: chalk.green, warn: chalk.yellow, fail: chalk.red, dim: chalk.dim, bold: chalk.bold };
}

/** For stderr: progress and errors. */
export const paint: Paint = paintFor(noColor || !supportsColorStderr ? 0 : supportsColorStderr.level);

/** For stdout: data. */
export const paintStdout = (): Paint =>
  paintFor(noColor || (!process.stdout.isTTY && !process.env['FORCE_COLOR']) ? 0 : 1);
