/** From what a person writes after `--server` to the WebSocket URL of the rendezvous. */
import { BeelineError } from '../protocol/errors.ts';
import { RENDEZVOUS_PATH } from '../protocol/rendezvous.ts';

const SCHEMES: Record<string, string> = { 'ws:': 'ws:', 'wss:': 'wss:', 'http:': 'ws:', 'https:': 'wss:' };

/**
 * Accepts ws, wss, http and https URLs; a path is kept as a prefix, for servers behind a proxy.
 * @throws BeelineError USAGE.
 */
export function rendezvousUrl(text: string): string {
  let url: URL;
  try {
    url = new URL(text);
  } catch (cause) {
    throw new BeelineError('USAGE', `"${text}" is not a URL. Write it like https://beeline.example.`, {
      cause,
    });
  }
  const protocol = SCHEMES[url.protocol];
  if (!protocol || url.hostname === '')
    throw new BeelineError('USAGE', `"${text}" is not a ws, wss, http or https URL with a host.`);
  url.protocol = protocol;
  url.hash = '';
  const path = url.pathname.replace(/\/+$/, '');
  url.pathname = path.endsWith(RENDEZVOUS_PATH) ? path : path + RENDEZVOUS_PATH;
  return url.href;
}
