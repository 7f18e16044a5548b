/** The client's end of a nameplate: opened once, then kept through lost connections until it is closed or given up. */
import { fault } from '../base/errors.ts';
import { keepMailbox } from './keeper.ts';
import type { Dial, Mailbox, MailboxOptions, Wire } from './ports.ts';
import { dialWebSocket, type Target } from './websocket.ts';

export { type Address, formatAddress } from '../wire/candidate.ts';
export type { Mailbox, MailboxOptions } from './ports.ts';
export type { Target } from './websocket.ts';

/**
 * Opens a mailbox at a server (`url`) or at a sender that hosts its own (what `find` finds, tried all at once).
 * @throws BeelineError USAGE (bad URL or nameplate), NO_PEER, CROWDED, SERVER, VERSION, PROTOCOL, TIMEOUT (deadline),
 * INTERRUPTED (signal).
 */
export async function openMailbox(options: MailboxOptions & Target): Promise<Mailbox> {
  return keepMailbox(dialWebSocket(options), options);
}

/** What a sender's own rendezvous offers inside its process; `server/` has it. */
interface LocalRendezvous {
  local(receive: (text: string) => void, closed: () => void): Wire;
}

/** The same without a socket. Its loss is final: the rendezvous has been closed. */
export async function localMailbox(rendezvous: LocalRendezvous, options: MailboxOptions): Promise<Mailbox> {
  const dial: Dial = async (events) =>
    rendezvous.local(events.text, () => events.closed(fault('RENDEZVOUS_CLOSED')));
  return keepMailbox(dial, { ...options, reconnect: false });
}
