/** What a person calls a trusted device. */
import { fault } from '../base/errors.ts';

/** What every device key begins with as text, and no name. */
export const DEVICE_KEY_PREFIX = 'bl1';

/** Characters of one. */
export const MOST_DEVICE_NAME = 64;

/** Letters, marks, digits, punctuation, symbols and plain spaces: nothing invisible, no control, no bidi override. */
const NAME = new RegExp(`^[\\p{L}\\p{M}\\p{N}\\p{P}\\p{S} ]{1,${MOST_DEVICE_NAME}}$`, 'u');

/** As it is kept. @throws BeelineError USAGE */
export function checkName(given: string): string {
  const name = given.trim().normalize('NFC');
  if (!NAME.test(name) || name.toLowerCase().startsWith(DEVICE_KEY_PREFIX))
    throw fault('DEVICE_NAME_MALFORMED', { prefix: DEVICE_KEY_PREFIX });
  return name;
}
