/**
 * STUN messages out of a byte stream (RFC 8489, 6.2.2: each tells its own length). It never reads a byte beyond the
 * message at hand, so what follows the last one is left in the stream for whoever it is meant for.
 */
import type { Duplex } from 'node:stream';
import { looksLikeStun, MAX_STUN, STUN_HEADER } from '../../nat/stun/message.ts';

export interface StunReader {
  /** The message given out now was the last; the stream is paused. */
  stop(): void;
}

/** @param broken what comes is not STUN, or longer than MAX_STUN; called once, and nothing is read any more. */
export function readStun(
  stream: Duplex,
  message: (bytes: Uint8Array) => void,
  broken: () => void,
): StunReader {
  let header: Buffer | undefined;
  let stopped = false;
  const stop = () => {
    stopped = true;
    stream.removeListener('readable', readable);
  };
  /** Undefined: not all there yet. At its end a stream gives less than asked for: that is no message. */
  const take = (length: number): Buffer | undefined => {
    if (length === 0) return Buffer.alloc(0);
    const bytes: Buffer | null = stream.read(length);
    return bytes?.length === length ? bytes : undefined;
  };
  const readable = () => {
    while (!stopped) {
      header ??= take(STUN_HEADER);
      if (!header) return;
      const length = header.readUInt16BE(2);
      if (!looksLikeStun(header) || STUN_HEADER + length > MAX_STUN) {
        stop();
        return broken();
      }
      const body = take(length);
      if (!body) return;
      const bytes = Buffer.concat([header, body]);
      header = undefined;
      message(bytes);
    }
  };
  stream.on('readable', readable);
  return { stop };
}
