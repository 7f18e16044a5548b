/** Codes as people type, paste and open them: bare, or at the end of a link. Pure. */
import { BeelineError, parseCode } from '../../src/browser/index.ts';

/** A link (with or without its scheme) or a bare fragment; what follows the '#' is the code. */
const LINK = /^(?:[a-z][a-z0-9+.-]*:\/\/\S*?|[\w.-]+(?::\d{1,5})?\/)?#(.*)$/i;
const ADDRESS = /^https?:\/\//i;

/** The code in a text, or the text itself where it is no link. */
export function codeIn(text: string): string {
  const trimmed = text.trim();
  const fragment = LINK.exec(trimmed)?.[1];
  if (fragment === undefined) return trimmed;
  try {
    return decodeURIComponent(fragment);
  } catch {
    // A '%' that encodes nothing was typed as such.
    return fragment;
  }
}

/** Why a text is no code, in words for the person; undefined if it is one. */
export function codeProblem(text: string): string | undefined {
  const code = codeIn(text);
  if (code === '') return 'Type or paste the code that the sender shows, like 7-crossover-clockwork.';
  if (ADDRESS.test(code))
    return 'That link has no code in it. The link that the sender shows ends in # and the code.';
  try {
    parseCode(code);
    return undefined;
  } catch (thrown) {
    return thrown instanceof BeelineError ? thrown.message : 'That is not a code.';
  }
}

/** The fragment is never sent to a server, so the secret in it stays between the two people. */
export function linkTo(origin: string, code: string): string {
  return `${origin}/#${encodeURIComponent(code)}`;
}
