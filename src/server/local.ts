/** A connection without a socket, for the process that hosts the rendezvous itself. */
import type { Mailboxes } from './mailboxes.ts';

export interface LocalConnection {
  send(text: string): void;
  /** Leaves; `closed` is not called for it. */
  close(): void;
}

/** Texts for the caller arrive in a later turn of the event loop, as from a socket, so that it is not re-entered. */
export function openLocal(
  mailboxes: Mailboxes,
  receive: (text: string) => void,
  closed: () => void,
): LocalConnection {
  let open = true;
  const later = (act: () => void) => setImmediate(() => open && act());
  const seat = mailboxes.open({
    address: 'this process',
    local: true,
    send: (text) => later(() => receive(text)),
    close: () =>
      later(() => {
        open = false;
        closed();
      }),
  });
  return {
    send(text) {
      if (open) seat.receive(text);
    },
    close() {
      if (!open) return;
      open = false;
      seat.closed();
    },
  };
}
