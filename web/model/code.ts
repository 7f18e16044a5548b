/** Codes as people type, paste and open them, in words for the page. What is one, src/identity/code.ts says. Pure. */
import { codeIn, type Doubt, formatCode, parseCode } from '../../src/browser/light.ts';
import { say } from '../words/index.ts';
import { list } from '../words/numbers.ts';

export { codeIn } from '../../src/browser/light.ts';

const ADDRESS = /^https?:\/\//i;

/** Why a text is no code, in words for the person; undefined if it is one. */
export function codeProblem(text: string): string | undefined {
  const code = codeIn(text);
  if (code === '') return say('code.example');
  if (ADDRESS.test(code)) return say('code.noneInLink');
  try {
    parseCode(code);
    return undefined;
  } catch {
    if (/^[^-\s]+-+$/.test(code)) return say('code.nothingAfter');
    return /[-\d]/.test(code) ? say('code.notOne') : say('code.twoParts');
  }
}

/** The code as both sides write it. @throws BeelineError USAGE where `codeProblem` says why. */
export function plainCode(text: string): string {
  return formatCode(parseCode(text));
}

/** What to ask before a code that looks mistyped is tried. */
export interface CodeQuestion {
  text: string;
  /** The code that was probably meant, if there is only one. */
  meant: string | undefined;
}

/** What knows the words of codes: the engine, for they are many. */
interface Doubter {
  doubtAbout(password: string): Doubt | undefined;
}

/** Undefined if there is nothing to ask. @param code one without a problem */
export function questionAbout({ doubtAbout }: Doubter, code: string): CodeQuestion | undefined {
  const { nameplate, password } = parseCode(code);
  const doubt = doubtAbout(password);
  if (!doubt) return undefined;
  const meant = doubt.meant === undefined ? undefined : formatCode({ nameplate, password: doubt.meant });
  const near = list(
    doubt.near.map((one) => `'${one}'`),
    'or',
  );
  return { text: say('code.doubt', { word: doubt.word, near }), meant };
}

/** The fragment is never sent to a server, so the secret in it stays between the two people. */
export function linkTo(origin: string, code: string): string {
  return `${origin}/#${encodeURIComponent(code)}`;
}
