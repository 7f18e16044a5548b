/** The rendezvous of the server that a person names after `--server`. */
import { RENDEZVOUS_PATH } from '../protocol/rendezvous.ts';
import { serviceUrl } from '../websocket/url.ts';

/** @throws BeelineError USAGE. */
export function rendezvousUrl(text: string): string {
  return serviceUrl(text, RENDEZVOUS_PATH);
}
