/** One mailbox for several sessions, each with a network of its own that watches the same machine. */
import { Alarm, type Clock, realClock } from '../base/clock.ts';
import type { Mailbox } from './ports.ts';

/** In which all of them notice one change of the network. */
const ONE_CHANGE_MS = 1_000;

/** The same mailbox. It dials again once for a change that several sessions tell of. */
export function sharedMailbox(mailbox: Mailbox, clock: Clock = realClock): Mailbox {
  let last = Number.NEGATIVE_INFINITY;
  // Of two changes in one second the second one counts too.
  const again = new Alarm(clock);
  const reconnect = () => {
    last = clock.now();
    mailbox.reconnect();
  };
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
      const since = clock.now() - last;
      if (since >= ONE_CHANGE_MS) reconnect();
      else again.set(ONE_CHANGE_MS - since, reconnect);
    },
    close() {
      again.clear();
      mailbox.close();
    },
  };
}
