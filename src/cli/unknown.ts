/** A first word that is no command: what was probably meant. */
import { existsSync } from 'node:fs';
import { BeelineError } from '../base/errors.ts';
import { escapeName } from '../base/printable.ts';
import { nearest } from '../base/suggestion.ts';
import { COMMANDS } from './flags.ts';
import { shellWord } from './format.ts';

/** A number and words with dashes between them, or a link with a code. */
const CODE = /^\d+-[a-z]+(?:-[a-z]+)*$|^https?:\/\/[^#]*#/i;
/** Characters of a path that are looked at. */
const MOST_PATH = 4096;

export function unknownCommand(word: string): BeelineError {
  return new BeelineError('USAGE', `There is no command ${escapeName(word)}. ${meant(word)}`);
}

function meant(word: string): string {
  if (word.startsWith('-'))
    return 'Flags come after a command: beeline send PATH --qr. `beeline help` lists all.';
  const command = nearest(word, COMMANDS);
  if (command !== undefined) return `Did you mean beeline ${command}? \`beeline help\` lists them.`;
  if (CODE.test(word)) return 'To receive with a code: beeline receive CODE';
  if (word.length <= MOST_PATH && existsSync(word)) return `To send it: beeline send ${shellWord(word)}`;
  return '`beeline help` lists them.';
}
