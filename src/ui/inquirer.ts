// By name: so the bundle leaves out the prompt that opens an editor, and its tables of character sets.
export { confirm, input, password, select } from '@inquirer/prompts';
