/** What networks use of a mailbox: this side's place at the server, and what the server does besides. */
import { oncePerTurn } from '../base/callback.ts';
import type { Mailbox } from './ports.ts';

export type MailboxPlace = Pick<Mailbox, 'token' | 'services' | 'reconnect'>;

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

/** For the networks of several sessions: all of them tell of one change in the same turn, and the server is dialled anew once. */
export function sharedPlace(mailbox: Mailbox): MailboxPlace {
  return placeAt(
    mailbox,
    oncePerTurn(() => mailbox.reconnect()),
  );
}
