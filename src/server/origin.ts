/**
 * Which pages may open WebSockets here: this server's own. Browsers ask no permission before a page of anywhere talks to
 * a server on the person's network; they only say where the page is from (RFC 6455, 10.2). Commands say nothing.
 */
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { fault } from '../base/errors.ts';

const MAX_ORIGINS = 64;

/** Origins as browsers write them. @throws BeelineError USAGE for what is none */
export function parseOrigins(texts: readonly string[] = []): ReadonlySet<string> {
  if (texts.length > MAX_ORIGINS) throw fault('TOO_MANY_ORIGINS', { most: MAX_ORIGINS, count: texts.length });
  return new Set(texts.map(parseOrigin));
}

function parseOrigin(text: string): string {
  const url = webUrl(text);
  if (url && url.href === `${url.origin}/`) return url.origin;
  throw fault('ORIGIN_MALFORMED', { text: JSON.stringify(text) });
}

/** Whether a page asks. A page cannot hide it, and no command of ours pretends to be one. */
export const isOfPage = (request: IncomingMessage): boolean => request.headers.origin !== undefined;

/** Why the page that this request comes from may not, if it may not. */
export function originRefusal(request: IncomingMessage, allowed: ReadonlySet<string>): string | undefined {
  const { origin, host } = request.headers;
  if (origin === undefined || allowed.has(origin)) return undefined;
  const from = webUrl(origin);
  // Only by way of the page's own scheme do `meet.example` and `meet.example:443` become the same.
  const here = from && host !== undefined ? webUrl(`${from.protocol}//${host}`) : undefined;
  // A page that came without TLS is not this server's own where this server speaks TLS.
  const stripped = (request.socket as Partial<TLSSocket>).encrypted === true && from?.protocol !== 'https:';
  if (from && here && from.host === here.host && !stripped && isSecure(from)) return undefined;
  return 'Pages of other sites may not use this server, unless whoever runs it allows theirs.';
}

/**
 * Whether browsers give a page of this origin cryptography (Secure Contexts, 3.1). One that has none is no page of Beeline's
 * at work, but it may be anybody's whose name leads here for a moment: such a name is `Host` and `Origin` alike, and only
 * TLS tells it from the server's own.
 */
const isSecure = ({ protocol, hostname }: URL): boolean =>
  protocol === 'https:' || /^(?:(?:.+\.)?localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname);

function webUrl(text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url && /^https?:$/.test(url.protocol) ? url : undefined;
}
