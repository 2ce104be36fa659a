import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import { EXIT, usageError } from '../core/errors.ts';

/** Prints a script generated from the command tree. @throws ObsError (usage) for an unsupported shell */
export function completion(shell: string, program: CommandUnknownOpts): number {
  const verbs = program.commands.map((command) => ({
    name: command.name(),
    about: command.description(),
    words: [
      ...command.registeredArguments.flatMap((argument) => argument.argChoices ?? []),
      ...command.commands.map((inner) => inner.name()),
    ],
    flags: command.options.flatMap((option) => (option.long ? [{ flag: option.long, about: option.description }] : [])),
  }));
  const make = { bash, zsh: bash, fish }[shell as 'bash' | 'zsh' | 'fish'];
  if (!make) throw usageError(`there is no completion for "${shell}"`, 'genai-obs completion bash | zsh | fish');
  process.stdout.write(`${shell === 'zsh' ? 'autoload -U +X bashcompinit && bashcompinit\n' : ''}${make(verbs)}`);
  return EXIT.ok;
}

interface Verb {
  name: string;
  about: string;
  /** Values of its arguments, and subcommands such as `verify` of `backup`. */
  words: string[];
  flags: { flag: string; about: string }[];
}

function bash(verbs: Verb[]): string {
  const cases = verbs
    .map((verb) => `    ${verb.name}) words="${[...verb.words, ...verb.flags.map((f) => f.flag)].join(' ')} --help";;`)
    .join('\n');
  return `_genai_obs() {
  local words
  case "\${COMP_WORDS[1]}" in
${cases}
    *) words="${verbs.map((v) => v.name).join(' ')} --help --version";;
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _genai_obs genai-obs
`;
}

function fish(verbs: Verb[]): string {
  const quote = (text: string): string => `'${text.replaceAll("'", "\\'")}'`;
  const names = verbs.map(
    (verb) => `complete -c genai-obs -n __fish_use_subcommand -f -a ${verb.name} -d ${quote(verb.about)}`,
  );
  const flags = verbs.flatMap((verb) =>
    verb.flags.map(
      ({ flag, about }) =>
        `complete -c genai-obs -n '__fish_seen_subcommand_from ${verb.name}' -l ${flag.slice(2)} -d ${quote(about)}`,
    ),
  );
  const words = verbs.flatMap((verb) =>
    verb.words.map((word) => `complete -c genai-obs -n '__fish_seen_subcommand_from ${verb.name}' -f -a ${word}`),
  );
  return `${[...names, ...words, ...flags].join('\n')}\n`;
}
