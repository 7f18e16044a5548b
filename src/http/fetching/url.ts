/** The URL of a file as a person gives it: without the credentials and the fragment in it, and how it is shown. */
import { fault } from '../../base/errors.ts';
import { escapeName } from '../../base/printable.ts';

/** Characters, as servers and proxies bound them too. */
const MAX_URL = 8192;
/** Of those that are shown. */
const SHOWN = 200;

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

/** For people: a query may hold a secret, such as a signature, and is not shown. */
export function shownUrl(url: URL): string {
  const text = `${url.origin}${url.pathname}${url.search === '' ? '' : '?...'}`;
  return escapeName(text.length > SHOWN ? `${text.slice(0, SHOWN)}...` : text);
}

/** What may not be a URL at all: without what stands before an @. */
function shownText(text: string): string {
  const bare = text.replace(/\/\/[^/]*@/, '//').replace(/[?#].*$/s, '');
  return escapeName(bare.length > SHOWN ? `${bare.slice(0, SHOWN)}...` : bare);
}
