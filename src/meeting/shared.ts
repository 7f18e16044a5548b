/** One mailbox for several sessions, each with a network of its own that watches the same machine. */
import { type Clock, realClock } from '../base/clock.ts';
import type { Mailbox } from './ports.ts';

/** In which all of them notice one change of the network. */
const ONE_CHANGE_MS = 1_000;

/** The same mailbox. It dials again once for a change that several sessions tell of. */
export function sharedMailbox(mailbox: Mailbox, clock: Clock = realClock): Mailbox {
  let last = Number.NEGATIVE_INFINITY;
  return {
    get nameplate() {
      return mailbox.nameplate;
    },
    get token() {
      return mailbox.token;
    },
    get services() {
      return mailbox.services;
    },
    get guests() {
      return mailbox.guests;
    },
    send: (body, guest) => mailbox.send(body, guest),
    drop: (guest) => mailbox.drop(guest),
    keep: (guest) => mailbox.keep(guest),
    reconnect() {
      if (clock.now() - last < ONE_CHANGE_MS) return;
      last = clock.now();
      mailbox.reconnect();
    },
    close: () => mailbox.close(),
  };
}
