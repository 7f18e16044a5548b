/** A first word that is no command: what was probably meant. */
import { existsSync } from 'node:fs';
import { BeelineError } from '../base/errors.ts';
import { escapeName } from '../base/printable.ts';
import { nearest } from '../base/suggestion.ts';
import { COMMANDS } from './flags.ts';
import { shellWord } from './format.ts';
import { isFileUrl } from './values.ts';

/** A number and words with dashes between them, or a link with a code. */
const CODE = /^\d+-[a-z]+(?:-[a-z]+)*$|^https?:\/\/[^#]*#/i;
/** Flags that stand without a command. */
const ALONE = ['--help', '--version', '-V', '-h'];
/** Characters of a path that are looked at. */
const MOST_PATH = 4096;

export function unknownCommand(word: string): BeelineError {
  return new BeelineError('USAGE', `There is no command ${escapeName(word)}. ${meant(word)}`);
}

function meant(word: string): string {
  const known = word.startsWith('-') ? nearest(word, ALONE) : undefined;
  if (known !== undefined) return `Did you mean beeline ${known}?`;
  if (word.startsWith('-'))
    return 'Flags come after a command: beeline send PATH --qr. `beeline help` lists all.';
  const command = nearest(word, COMMANDS);
  if (command !== undefined) return `Did you mean beeline ${command}? \`beeline help\` lists them.`;
  if (CODE.test(word)) return 'To receive with a code: beeline receive CODE';
  if (isFileUrl(word)) return 'To fetch it: beeline receive URL';
  if (word.length <= MOST_PATH && existsSync(word)) return `To send it: beeline send ${shellWord(word)}`;
  return '`beeline help` lists them.';
}
