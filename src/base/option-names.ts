/** Names of options that a program gives. */
import { fault } from './errors.ts';
import { escapeName } from './printable.ts';
import { hint } from './suggestion.ts';

/** Characters that are shown of a name that there is not. */
const MOST_SHOWN = 80;

/** An option that is undefined is none. @throws BeelineError USAGE with the nearest name that there is */
export function checkOptionNames(of: string, known: readonly string[], options: object | undefined): void {
  for (const [name, value] of Object.entries(options ?? {}))
    if (value !== undefined && !known.includes(name))
      throw fault('OPTION_UNKNOWN', {
        of,
        name: escapeName(name.slice(0, MOST_SHOWN)),
        meant: hint(name, known),
      });
}
