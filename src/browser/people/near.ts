/** Devices near this page: those that show themselves at the same server and address, as this one does meanwhile. */
import { toHex } from '../../base/bytes.ts';
import { keepNear, type Near, type NearEvents } from '../../meeting/near.ts';
import { MAX_NEAR_NAME } from '../../wire/near.ts';
import { thisBrowser } from '../agent.ts';
import { dialRendezvous } from '../rendezvous.ts';
import { watchNetwork } from '../roaming.ts';

/** By it the server knows this page again, for as long as it is open. */
let token: string | undefined;

const NOT_PLAIN = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]+/gu;

/** What a person typed as a name that others may see; nothing of it may be left. */
export function nearName(text: string): string {
  const plain = text
    .normalize('NFC')
    .replace(NOT_PLAIN, ' ')
    .replace(/\p{Default_Ignorable_Code_Point}/gu, '');
  const whole = Array.from(plain.replace(/(\p{M}{3})\p{M}+/gu, '$1').trim());
  let name = '';
  for (const each of whole) if (name.length + each.length <= MAX_NEAR_NAME) name += each;
  return name.trim();
}

/** What this device is called where the person says nothing. */
export const ownNearName = (): string => nearName(thisBrowser(navigator.userAgent));

/** @param name as `nearName` gives it, and not empty */
export function showNear(server: string, name: string, events: NearEvents): Pick<Near, 'call' | 'close'> {
  token ??= toHex(crypto.getRandomValues(new Uint8Array(16)));
  const near = keepNear(dialRendezvous(server), { token, name }, events);
  const unheard = watchNetwork(() => near.reconnect());
  return {
    call: near.call,
    close() {
      unheard();
      near.close();
    },
  };
}
