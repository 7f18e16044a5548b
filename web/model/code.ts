/** Codes as people type, paste and open them, in words for the page. What is one, src/identity/code.ts says. Pure. */
import { type Code, codeIn, type Doubt, formatCode, linkIn, parseCode } from '../../src/browser/light.ts';
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

/** Where this page is from: a `Location`. */
type Here = Pick<Location, 'protocol' | 'host'>;

/** Characters that are shown of a host: its end is what says whose it is. */
const MOST_HOST = 60;

/** Undefined for what is no address. */
function hostOf(address: string): string | undefined {
  try {
    return new URL(address).host;
  } catch {
    return undefined;
  }
}

/** The host of a link that leads to another server, which alone knows its code; undefined where there is no such link. */
export function otherHost(text: string, here: Here): string | undefined {
  const link = linkIn(text);
  if (link === undefined) return undefined;
  const host = hostOf(link.includes('://') ? link : `${here.protocol}//${link}`) ?? link;
  if (host === here.host) return undefined;
  return host.length > MOST_HOST ? `…${host.slice(-MOST_HOST)}` : host;
}

/** Why a link is of no use here, in words; undefined where it is of this page's server, or is none. */
export function elsewhere(text: string, here: Here): string | undefined {
  const host = otherHost(text, here);
  return host === undefined ? undefined : say('link.elsewhere', { host });
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
  lacksNumber(code: Code): boolean;
}

/** Undefined if there is nothing to ask. @param code one without a problem */
export function questionAbout({ doubtAbout, lacksNumber }: Doubter, code: string): CodeQuestion | undefined {
  const { nameplate, password } = parseCode(code);
  if (lacksNumber({ nameplate, password })) return { text: say('code.noNumber'), meant: undefined };
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
