import { Command, CommanderError } from '@commander-js/extra-typings';
import { guard } from './app/guard.ts';
import { connect } from './cli/connect.ts';
import { data } from './cli/data.ts';
import { files } from './cli/files.ts';
import { lifecycle } from './cli/lifecycle.ts';
import { observe } from './cli/observe.ts';
import { examples } from './cli/options.ts';
import { version } from './core/root.ts';

const program = new Command('genai-obs')
  .description(
    'Installs, proves, diagnoses, backs up and removes an observability stack for LLM applications on Kubernetes.',
  )
  .version(version())
  .showHelpAfterError('(genai-obs --help shows all commands)')
  .exitOverride()
  .addHelpText(
    'after',
    examples(['genai-obs install', 'genai-obs doctor --probe', 'genai-obs open', 'genai-obs uninstall --delete-data']),
  );

lifecycle(program);
observe(program);
data(program);
connect(program);
files(program);

program
  .command('completion')
  .argument('<shell>')
  .description('Print a completion script for bash, zsh or fish')
  .addHelpText(
    'after',
    examples([
      'source <(genai-obs completion bash)',
      'genai-obs completion fish > ~/.config/fish/completions/genai-obs.fish',
    ]),
  )
  .action((shell) => guard(false, async () => (await import('./commands/completion.ts')).completion(shell, program)));

// A closed pipe, as in `genai-obs plan | head`, must not abort an installation.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? 0 : 2;
}
