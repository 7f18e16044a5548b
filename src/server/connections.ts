/** How a connection gets at the mailboxes: over a WebSocket, or without one, for the process that hosts the rendezvous itself. */
import { CLOSE } from '../wire/relay.ts';
import type { Mailboxes, Seat } from './mailboxes.ts';
import type { ClientSocket } from './socket.ts';
import type { SeatConnection } from './tunnels.ts';

/** A close code that the relay has no use for (RFC 6455, 7.4.1). */
const UNSUPPORTED = 1003;

/** Who has opened a WebSocket. */
export type Stranger = Pick<SeatConnection, 'address' | 'ofPage' | 'near'>;

/**
 * Text only, and no more queued to it than its limit.
 * @param first what the client has said already, in its request
 */
export function sitDown(
  mailboxes: Mailboxes,
  socket: ClientSocket,
  who: Stranger,
  first: string | undefined,
): void {
  const { webSocket } = socket;
  let seat: Seat;
  try {
    seat = mailboxes.open({
      ...who,
      get queued() {
        return webSocket.bufferedAmount;
      },
      send(text) {
        if (!socket.open) return;
        if (webSocket.bufferedAmount > mailboxes.limits.backlogBytes) socket.terminate();
        else webSocket.send(text);
      },
      close: () => socket.refuse('', CLOSE.normal),
    });
  } catch {
    // Between the check before the upgrade and now, others may have come.
    return socket.refuse('', CLOSE.busy);
  }
  webSocket.on('close', () => seat.closed());
  webSocket.on('message', (data, isBinary) => {
    if (isBinary) socket.refuse('', UNSUPPORTED);
    else seat.receive(data.toString());
  });
  if (first !== undefined) seat.receive(first);
}

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
