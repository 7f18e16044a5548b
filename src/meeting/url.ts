/** The rendezvous of the server that a person names after `--server`. */

import { serviceUrl } from '../websocket/url.ts';
import { RENDEZVOUS_PATH } from '../wire/rendezvous.ts';

/** @throws BeelineError USAGE. */
export function rendezvousUrl(text: string): string {
  return serviceUrl(text, RENDEZVOUS_PATH);
}
