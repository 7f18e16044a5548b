/** From what a person writes after `--server` to the WebSocket URL of one of the server's services. */
import { fault } from '../base/errors.ts';
import { RELAY_PATH, RENDEZVOUS_PATH } from '../wire/rendezvous.ts';

const SCHEMES: Record<string, string> = { 'ws:': 'ws:', 'wss:': 'wss:', 'http:': 'ws:', 'https:': 'wss:' };

/**
 * Accepts ws, wss, http and https URLs; a path is kept as a prefix, for servers behind a proxy.
 * @throws BeelineError USAGE.
 */
export function serviceUrl(text: string, path: typeof RENDEZVOUS_PATH | typeof RELAY_PATH): string {
  let url: URL;
  try {
    url = new URL(text);
  } catch (cause) {
    throw fault('URL_MALFORMED', { text }, { cause });
  }
  const protocol = SCHEMES[url.protocol];
  if (!protocol || url.hostname === '') throw fault('URL_OTHER_SCHEME', { text });
  url.protocol = protocol;
  url.hash = '';
  let prefix = url.pathname.replace(/\/+$/, '');
  // Somebody who copied the rendezvous' own URL means the server.
  if (prefix.endsWith(RENDEZVOUS_PATH)) prefix = prefix.slice(0, -RENDEZVOUS_PATH.length);
  url.pathname = prefix + path;
  return url.href;
}

/** `host:port` of a WebSocket URL, for people and logs. */
export function authorityOf(url: string): string {
  const { hostname, port, protocol } = new URL(url);
  return `${hostname}:${port || (protocol === 'wss:' ? 443 : 80)}`;
}

/** @throws BeelineError USAGE. */
export function rendezvousUrl(text: string): string {
  return serviceUrl(text, RENDEZVOUS_PATH);
}

/** Of the path of an instance, in characters: what a server may have its clients ask another host for. */
const MAX_PREFIX = 32;

/** Whether an instance may be at that path of a URL: `/i/1`. */
export function isInstancePath(path: string): boolean {
  return path.length <= MAX_PREFIX && /^(?:\/[\w.~-]+)*\/?$/.test(path);
}

/**
 * Where a server says that its relay carries a lane: the WebSocket URL there. A server that is met over TLS sends nobody on without
 * it, and none sends a name, a password, a query or a long path along.
 * @param from the URL where it said so
 * @throws BeelineError PROTOCOL
 */
export function movedUrl(text: string, from: string): string {
  const there = URL.canParse(text) ? new URL(text) : undefined;
  const plain =
    there &&
    !there.username &&
    !there.password &&
    !there.search &&
    !there.hash &&
    isInstancePath(there.pathname);
  const scheme = there && SCHEMES[there.protocol];
  if (!plain || !there.hostname || !scheme || (scheme !== 'wss:' && from.startsWith('wss:')))
    throw fault('SERVER_MISBEHAVES', { what: 'names another place that cannot be gone to' });
  return serviceUrl(text, RELAY_PATH);
}
