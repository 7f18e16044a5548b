/** What networks use of a mailbox: this side's place at the server, and what the server does besides. */
import { type Clock, realClock, Spaced } from '../base/clock.ts';
import type { Mailbox } from './ports.ts';

export type MailboxPlace = Pick<Mailbox, 'token' | 'services' | 'reconnect'>;

/** In which the networks of several sessions notice one change of this machine's network. */
const ONE_CHANGE_MS = 1_000;

/** For one of several networks that must not dial the server anew: another one does. */
export function placeAt(
  mailbox: Pick<Mailbox, 'token' | 'services'>,
  reconnect = (): void => {},
): MailboxPlace {
  return {
    get token() {
      return mailbox.token;
    },
    get services() {
      return mailbox.services;
    },
    reconnect,
  };
}

/** For the networks of several sessions, each of which watches the same machine: they dial the server anew together. */
export function sharedPlace(mailbox: Mailbox, clock: Clock = realClock): MailboxPlace & { close(): void } {
  // Of two changes in one second the second one counts too.
  const changes = new Spaced(clock, ONE_CHANGE_MS, () => mailbox.reconnect());
  const place = placeAt(mailbox, () => changes.ask());
  return Object.assign(place, { close: () => changes.clear() });
}
