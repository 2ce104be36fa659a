import { stringify } from 'yaml';
import { EXIT } from '../core/errors.ts';
import type { ConfigFlags } from '../profile/flags.ts';
import { profileLayer, profileNames } from '../profile/layers.ts';
import { resolve } from '../profile/resolve.ts';
import { COMPONENT_IDS, type Config, isEnabled } from '../profile/schema.ts';
import { describe } from '../ui/describe.ts';
import { layersOf } from './configure.ts';

const print = (text: string): void => void process.stdout.write(text);

/** Prints a profile's file; with `resolved` or files over it, every setting of the result. @throws ObsError (usage) */
export function show(
  name: string | undefined,
  { resolved = false, file = [] }: { resolved?: boolean; file?: string[] },
): number {
  print(
    resolved || file.length
      ? stringify(configOf({ profile: name, file }))
      : (profileLayer(name ?? 'quickstart').text ?? ''),
  );
  return EXIT.ok;
}

/** Prints each profile with the first line of its comment. */
export function list(): number {
  const names = profileNames();
  const width = Math.max(...names.map((name) => name.length));
  for (const name of names) {
    const about = /^# *(.*)/.exec(profileLayer(name).text ?? '')?.[1] ?? '';
    print(`${`${name.padEnd(width)}  ${about}`.trimEnd()}\n`);
  }
  return EXIT.ok;
}

/** Checks every file, even after an invalid one. */
export function validate(files: string[]): number {
  let code: number = EXIT.ok;
  for (const file of files) {
    try {
      const config = configOf({ file: [file] });
      const components = COMPONENT_IDS.filter((id) => isEnabled(config, id)).length;
      print(`${file} is valid: profile ${config.profile}, ${components} components\n`);
    } catch (error) {
      const { text, exit } = describe(error);
      process.stderr.write(`${text}\n`);
      code = exit;
    }
  }
  return code;
}

const configOf = (flags: ConfigFlags): Config => resolve(layersOf(flags, undefined));
