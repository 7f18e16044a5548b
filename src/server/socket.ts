/** A WebSocket as a mailbox connection: text only, bounded both ways, dead when it answers no ping. */
import type { WebSocket } from 'ws';
import type { Connection, Mailboxes, Seat } from './mailboxes.ts';

export interface Attached {
  /** Pings, or ends a connection that has answered none within the deadline. */
  check(): void;
  terminate(): void;
  /** Resolves when the connection has closed; a peer that does not close in time is cut off. */
  ended(): Promise<void>;
}

/** How long a closing handshake may take, in milliseconds. */
const CLOSING = 2000;

/** @param tick the milliseconds between two calls of `check`. */
export function attach(
  mailboxes: Mailboxes,
  socket: WebSocket,
  address: string,
  tick: number,
  gone: () => void,
): Attached {
  const { pongDeadline, backlogBytes } = mailboxes.limits;
  // Counted, not timed: a server that was suspended itself must not cut everyone off when it wakes.
  let unanswered = 0;
  let seat: Seat | undefined;

  const close = (code: number) => {
    socket.close(code);
    setTimeout(() => socket.terminate(), CLOSING).unref();
  };
  const connection: Connection = {
    address,
    send(text) {
      if (socket.readyState !== socket.OPEN) return;
      if (socket.bufferedAmount > backlogBytes) socket.terminate();
      else socket.send(text);
    },
    close: () => close(1000),
  };
  const ended = new Promise<void>((resolve) => {
    socket.on('close', () => {
      seat?.closed();
      gone();
      resolve();
    });
  });
  // The 'close' that always follows does the work; ws itself answers oversized frames and bad UTF-8.
  socket.on('error', () => {});
  socket.on('pong', () => {
    unanswered = 0;
  });
  socket.on('message', (data, isBinary) => {
    unanswered = 0;
    if (isBinary) close(1003);
    else seat?.receive(data.toString());
  });
  try {
    // Between the check before the upgrade and now, others may have come.
    seat = mailboxes.open(connection);
  } catch {
    close(1013);
  }

  return {
    check() {
      if (unanswered * tick >= pongDeadline) return socket.terminate();
      unanswered++;
      if (socket.readyState === socket.OPEN) socket.ping();
    },
    terminate: () => socket.terminate(),
    ended: () => {
      close(1001);
      return ended;
    },
  };
}
