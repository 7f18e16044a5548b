/**
 * Who may have what is served: whoever has the link, whoever knows the password, or everybody. A link is a path that nobody guesses, and
 * stands in front of every other path. No cookie is set: what a browser sends by itself, another site could make it send.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { isAddress } from '../../base/addresses.ts';
import { newLink } from '../../identity/kept-link.ts';
import { Windowed } from '../../server/counts.ts';

/** `link`: a new one, or the one that is given: 22 characters that nobody guesses. `password`: by HTTP Basic (RFC 7617), with any user name. */
export type AccessWay = 'link' | 'public' | { readonly link: string } | { readonly password: string };

export interface AccessRequest {
  /** As it was sent, without the query. */
  path: string;
  host: string | undefined;
  authorization: string | undefined;
  /** Whose it is: what limits count by. */
  key: string;
  /** Milliseconds, of whatever clock. */
  now: number;
}

/** `rest` begins with a slash, or is empty where the link was asked for without its last one. */
export type Admission =
  | { rest: string }
  | { refused: 'unknown' | 'unauthorized' | 'host' }
  | { refused: 'guessing'; seconds: number };

/** Wrong passwords, or wrong links, of one address in one window of time. */
const GUESSES = 20;
const WINDOW_MS = 5 * 60_000;

export class Access {
  /** What stands before every path: '/' and the link's secret, or nothing. */
  readonly prefix: string;
  readonly #way: 'link' | 'password' | 'public';
  readonly #hosts: ReadonlySet<string>;
  readonly #wrong = new Windowed(WINDOW_MS);
  readonly #secret: Uint8Array;

  /** @param hosts names by which browsers may ask, in lower case; they matter only where everybody may come */
  constructor(way: AccessWay, hosts: readonly string[] = []) {
    this.#hosts = new Set(['localhost', ...hosts]);
    const password = typeof way === 'object' && 'password' in way ? way.password : undefined;
    this.#way = way === 'public' ? way : password === undefined ? 'link' : 'password';
    const link = typeof way === 'object' && 'link' in way ? way.link : newLink();
    this.prefix = this.#way === 'link' ? `/${link}` : '';
    this.#secret = digest(password ?? this.prefix);
  }

  admit(asked: AccessRequest): Admission {
    if (this.#way === 'link') return this.#byLink(asked);
    if (this.#way !== 'public') return this.#byPassword(asked);
    return this.#isOurs(asked.host) ? { rest: asked.path } : { refused: 'host' };
  }

  /** A path for logs: without the secret. */
  masked(path: string): string {
    return this.#way === 'link' && path.startsWith(this.prefix)
      ? `/…${path.slice(this.prefix.length)}`
      : path;
  }

  /** The right link always opens: nobody finds it by trying, and who shares an address with a guesser is not to suffer. */
  #byLink({ path, key, now }: AccessRequest): Admission {
    const end = path.indexOf('/', 1);
    const first = end < 0 ? path : path.slice(0, end);
    if (this.#fits(first)) return { rest: end < 0 ? '' : path.slice(end) };
    return this.#wrong.hit(key, now) > GUESSES ? this.#guessing(key, now) : { refused: 'unknown' };
  }

  /** A password can be found by trying: whoever tried too often is not heard for a while, whatever comes. */
  #byPassword({ path, authorization, key, now }: AccessRequest): Admission {
    const given = passwordOf(authorization);
    // A browser asks without one first, and that is no guess.
    if (given === undefined) return { refused: 'unauthorized' };
    if (this.#wrong.of(key, now) >= GUESSES) return this.#guessing(key, now);
    if (this.#fits(given)) return { rest: path };
    this.#wrong.hit(key, now);
    return { refused: 'unauthorized' };
  }

  #guessing(key: string, now: number): Admission {
    return { refused: 'guessing', seconds: Math.ceil(this.#wrong.wait(key, now) / 1000) };
  }

  /** In the same time whatever it is. */
  #fits(given: string): boolean {
    return timingSafeEqual(digest(given), this.#secret);
  }

  /**
   * A page of another site whose name leads here for a moment (DNS rebinding) says that name. An address cannot be led elsewhere. Behind
   * a link or a password that page would have neither.
   */
  #isOurs(host: string | undefined): boolean {
    const name = hostNameOf(host);
    return name !== undefined && (isAddress(name) || this.#hosts.has(name));
  }
}

function digest(text: string): Uint8Array {
  return createHash('sha256').update(text).digest();
}

/** Undefined: none was given. */
function passwordOf(authorization: string | undefined): string | undefined {
  const encoded = /^basic +([a-z0-9+/=_-]*) *$/i.exec(authorization ?? '')?.[1];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 0 ? undefined : text.slice(colon + 1);
}

/** The name or address in a Host header, in lower case, without port and brackets; undefined for what is none. */
export function hostNameOf(host: string | undefined): string | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]+?)\.?)(?::\d{1,5})?$/i.exec(host ?? '');
  return (match?.[1] ?? match?.[2])?.toLowerCase();
}
