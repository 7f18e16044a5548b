/**
 * Connections as requests need them. TCP connections that are read into buffers of their own, which are used again. Node makes a new buffer of 64 KiB for each read;
 * for a fast download that is more work for its garbage collector than all else costs.
 */
import { connect, type LookupFunction, type Socket } from 'node:net';

const BUFFER = 256 * 1024;
/**
 * What comes in fewer bytes is copied. More cannot be a part of a head (`MAX_HEADER_BYTES`), of which the parser keeps pieces until the
 * head is whole: it is used up, or still in the socket's own queue, when the next read begins.
 */
const LEAST = 64 * 1024;

export interface PlainSocket {
  host: string;
  port: number;
  lookup: LookupFunction;
}

export function openSocket({ host, port, lookup }: PlainSocket): Socket {
  let filling: Buffer = Buffer.allocUnsafeSlow(BUFFER);
  let other: Buffer | undefined;
  /** Bytes of the last read that were handed on in its buffer. */
  let lent = 0;
  const socket: { at?: Socket } = {};
  socket.at = connect({
    ...{ host, port, lookup, highWaterMark: BUFFER, allowHalfOpen: ALLOW_HALF_OPEN },
    onread: {
      buffer() {
        if (lent === 0) return filling;
        // Only the last read is queued: the buffer of the one before it is free.
        const free = socket.at?.readableLength === lent ? other : undefined;
        other = filling;
        filling = free ?? Buffer.allocUnsafeSlow(BUFFER);
        lent = 0;
        return filling;
      },
      callback(count, bytes) {
        const part = bytes.subarray(0, count);
        if (count >= LEAST) lent = count;
        return socket.at!.push(count >= LEAST ? part : Buffer.from(part));
      },
    },
  });
  return socket.at;
}

/**
 * Of connections for undici. Node would destroy one that the server has closed as soon as all of it is read, though its last bytes wait in an answer that
 * is paused; and undici resumes no answer of a connection that is destroyed. Whoever hears the end closes it.
 */
export const ALLOW_HALF_OPEN = true;

/** How often a connection's end is told again. */
const AGAIN_MS = 20;

/**
 * undici (7.30) does not bear to hear of a connection's end while the answer on it is paused: it throws where nobody catches. So the end is told
 * again until it is heard, and what follows it waits. A paused answer is resumed, or given up; so that comes to an end.
 */
export function patient(socket: Socket): Socket {
  const tell = socket.emit.bind(socket) as (event: string, ...args: unknown[]) => boolean;
  const waiting: { event: string; argument: unknown }[] = [];
  const again = () => {
    const [next] = waiting;
    if (!next) return;
    try {
      tell(next.event, next.argument);
      waiting.shift();
      again();
    } catch {
      setTimeout(again, AGAIN_MS).unref();
    }
  };
  socket.emit = (event: string, ...args: unknown[]) => {
    if (event !== 'end' && event !== 'close') return tell(event, ...args);
    waiting.push({ event, argument: args[0] });
    if (waiting.length === 1) again();
    return true;
  };
  return socket;
}
