/** The URL of a file as a person gives it: without the credentials and the fragment in it, and how it is shown. */
import { fault } from '../../base/errors.ts';
import { escapeName } from '../../base/printable.ts';

/** Characters, as servers and proxies bound them too. */
const MAX_URL = 8192;
/** Of those that are shown. */
const SHOWN = 200;
/** The secret of a link of `beeline serve`, which stands first in the path. */
const SECRET = /(?<=^[a-z]+:\/\/[^/?#]*\/)[\w-]{22}(?=[/?#]|$)/i;

export interface FileUrl {
  /** Without credentials and fragment. */
  readonly url: URL;
  /** The value of an Authorization header, for this URL's origin alone. */
  readonly authorization?: string;
}

/** @throws BeelineError USAGE */
export function placeOf(text: string): FileUrl {
  const refuse = (why: string) => fault('URL_UNFIT', { url: shownText(text), why });
  if (text.length > MAX_URL) throw refuse(`it is longer than ${MAX_URL} characters`);
  if (!URL.canParse(text)) throw refuse('it is malformed');
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw refuse('it begins with neither http:// nor https://');
  const { username, password } = url;
  url.username = url.password = url.hash = '';
  if (isShortened(url.href)) throw refuse('its `...` stands for what is not shown, so give all of it');
  if (username === '' && password === '') return { url };
  try {
    const user = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    return { url, authorization: `Basic ${Buffer.from(user).toString('base64')}` };
  } catch {
    throw refuse('the name or password in it is malformed');
  }
}

/** Whether a word of the command line is a URL rather than a code. */
export function isHttpUrl(text: string): boolean {
  return /^https?:\/\//i.test(text);
}

/** For people: a query may hold a secret, such as a signature, and is not shown, nor is the secret of a link. */
export function shownUrl(url: URL): string {
  return shortened(`${url.origin}${url.pathname}${url.search === '' ? '' : '?...'}`);
}

/** Whether that is what `shownUrl` has left of another one. */
export function isShortened(text: string): boolean {
  if (/^[^?]*\?\.\.\.$/.test(text) || /^[a-z]+:\/\/[^/]*\/\.\.\.(?:[/?]|$)/i.test(text)) return true;
  return text.length === SHOWN + 3 && text.endsWith('...');
}

/** What may not be a URL at all: without what stands before an @. */
function shownText(text: string): string {
  return shortened(text.replace(/\/\/[^/]*@/, '//').replace(/[?#].*$/s, ''));
}

function shortened(text: string): string {
  const masked = text.replace(SECRET, '...');
  return escapeName(masked.length > SHOWN ? `${masked.slice(0, SHOWN)}...` : masked);
}
