/** Credentials for a TURN server that shares a secret with this one: coturn's REST scheme (`--use-auth-secret`). */
import { createHmac } from 'node:crypto';
import { fault } from '../base/errors.ts';
import type { TurnServer } from '../wire/rendezvous.ts';

export interface TurnCredentialOptions {
  /** `turn:host[:port][?transport=tcp]`, or `turns:` for TLS (RFC 7065); 1 to 8. */
  urls: string[];
  /** What coturn has as `static-auth-secret`. */
  secret: string;
  /** Seconds that a credential is good for; default: a day. A running allocation outlives it. */
  ttl?: number;
  /** Milliseconds since 1970; default: the clock's. */
  now?: () => number;
}

const DAY = 86_400;
const MAX_URLS = 8;
/** What the decoder of Services takes. */
const MAX_URL = 256;
const TURN_URL = /^turns?:[a-z0-9._:[\]-]+(\?transport=(tcp|udp))?$/i;

/**
 * Makes credentials for one user at a time; the name is for the TURN server's log and its quota.
 * @throws BeelineError USAGE
 */
export function turnCredentials(options: TurnCredentialOptions): (user: string) => TurnServer {
  const { urls, secret, ttl = DAY, now = Date.now } = options;
  if (urls.length < 1 || urls.length > MAX_URLS)
    throw fault('TURN_COUNT', { most: MAX_URLS, count: urls.length });
  const wrong = urls.find((url) => url.length > MAX_URL || !TURN_URL.test(url));
  if (wrong !== undefined) throw fault('TURN_URL_MALFORMED', { text: JSON.stringify(wrong) });
  if (secret === '') throw fault('TURN_SECRET_MISSING');
  return (user) => {
    const username = `${Math.floor(now() / 1000) + ttl}:${user}`;
    const credential = createHmac('sha1', secret).update(username).digest('base64');
    return { urls: [...urls], username, credential };
  };
}
