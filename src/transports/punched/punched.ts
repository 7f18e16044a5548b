/** One punched lane: tries until a connection is there that TLS accepts, all within one deadline. */
import type { Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import { asBeelineError, fault } from '../../base/errors.ts';
import { LANE_OPEN_DEADLINE } from '../../base/limits.ts';
import type { Pipe } from '../../secure/pipe.ts';
import type { Over } from '../../secure/tls.ts';
import { type Address, formatAddress } from '../../wire/candidate.ts';
import { type PunchBudget, Puncher } from './attempt.ts';
import type { PunchPort } from './punch-port.ts';

/** Does a side's half of TLS. @throws BeelineError AUTHENTICATION when it is surely not the peer */
export type Secure = (socket: Socket, over: Over) => Promise<{ pipe: Pipe; fingerprint?: string }>;

export interface Punch {
  port: PunchPort;
  to: Address;
  budget: PunchBudget;
  context: SecureContext;
  secure: Secure;
}

export interface Punched {
  pipe: Pipe;
  /** Hex SHA-256 of the peer's certificate; empty where `secure` does not tell. */
  fingerprint: string;
  /** Resolves when the connection is gone and its port may be used again. */
  closed: Promise<void>;
}

/** @throws BeelineError NO_PATH, TIMEOUT or AUTHENTICATION within LANE_OPEN_DEADLINE; nothing is left open then. */
export async function punch(
  { port, to, budget, context, secure }: Punch,
  signal: AbortSignal,
): Promise<Punched> {
  if (!port.take()) throw fault('PORT_CARRIES_LANE', { port: port.local });
  const stop = new AbortController();
  const abort = () => stop.abort();
  const timer = setTimeout(abort, LANE_OPEN_DEADLINE);
  signal.addEventListener('abort', abort);
  if (signal.aborted) abort();
  const puncher = new Puncher(port, to, budget);
  try {
    for (;;) {
      const socket = await puncher.next(stop.signal);
      const ends = {
        local: formatAddress({ host: socket.localAddress ?? '?', port: port.local }),
        remote: formatAddress(to),
      };
      try {
        const over: Over = { kind: 'punched', ...ends, context, signal: stop.signal };
        const { pipe, fingerprint = '' } = await secure(socket, over);
        return { pipe: resetting(pipe, socket), fingerprint, closed: freed(socket, port) };
      } catch (thrown) {
        // The peer may have given up its end in the moment when ours opened: it tries again too.
        const error = asBeelineError(thrown);
        if (error.code === 'AUTHENTICATION' || stop.signal.aborted) throw error;
        await puncher.rest(0, stop.signal);
      }
    }
  } catch (thrown) {
    port.release();
    if (!stop.signal.aborted || signal.aborted) throw thrown;
    throw fault('LANE_LATE', { remote: formatAddress(to), kind: 'punched' });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  }
}

function freed(socket: Socket, port: PunchPort): Promise<void> {
  return new Promise((resolve) => {
    const free = () => {
      port.release();
      resolve();
    };
    if (socket.destroyed) free();
    else socket.once('close', free);
  });
}

/** A lane that failed is reset: its connection would linger for minutes, and keep the two ports from a new one. */
function resetting(pipe: Pipe, socket: Socket): Pipe {
  return {
    ...pipe,
    destroy(error) {
      if (error && !socket.destroyed) socket.resetAndDestroy();
      pipe.destroy(error);
    },
  };
}
