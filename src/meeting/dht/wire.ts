/** A stream of the DHT as a wire of texts: what a rendezvous and its guest say to each other. */
import type { DhtStream } from 'hyperdht';
import { realClock } from '../../base/clock.ts';
import { asBeelineError, type BeelineError, fault } from '../../base/errors.ts';
import { MAX_MAILBOX_BYTES } from '../../base/limits.ts';
import { MAX_RENDEZVOUS_TEXT } from '../../wire/rendezvous.ts';
import type { Wire, WireEvents } from '../ports.ts';
import { encodeText, TextReader } from './frames.ts';

/** Each side's stream says something every 5 s. After so long without anything it is dead. */
const SILENCE_MS = 35_000;
/** Bytes that may come without one message of the stream's own being whole: it would hold up to 16 MiB. */
const MOST_UNREAD = 2 * MAX_RENDEZVOUS_TEXT;

const CLOSING_MS = 2_000;

export interface DhtWire extends Wire {
  /** Bytes that wait to go out. */
  readonly queued: number;
}

/** @param events `closed` comes at most once, also when the other side ends the stream */
export function wireOver(stream: DhtStream, events: WireEvents): DhtWire {
  const reader = new TextReader();
  let over = false;
  let [queued, unread] = [0, 0];
  const lost = (error: BeelineError) => {
    if (over) return;
    over = true;
    stream.destroy();
    events.closed(error);
  };
  const gone = (why: string, cause?: unknown) => lost(fault('MEETING_STREAM_LOST', { why }, { cause }));
  stream.setTimeout(SILENCE_MS);
  stream.rawStream?.on('data', (bytes: Uint8Array) => {
    unread += bytes.length;
    if (unread > MOST_UNREAD) gone('it sent too large a message');
  });
  stream.on('data', (bytes: Uint8Array) => {
    unread = 0;
    if (over) return;
    try {
      for (const text of reader.read(bytes)) if (!over) events.text(text);
    } catch (thrown) {
      lost(asBeelineError(thrown));
    }
  });
  stream.on('drain', () => {
    queued = 0;
  });
  stream.on('error', (error: Error) => gone(error.message, error));
  stream.on('end', () => gone('it ended'));
  stream.on('close', () => gone('it closed'));
  return {
    get queued() {
      return queued;
    },
    send(text) {
      if (over || stream.destroying) return;
      const frame = encodeText(text);
      queued += frame.length;
      if (stream.write(frame)) queued = 0;
      else if (queued > MAX_MAILBOX_BYTES) gone('it reads too slowly');
    },
    close() {
      if (over) return;
      over = true;
      // What was said last still gets there.
      stream.end();
      realClock.after(CLOSING_MS, () => stream.destroy());
    },
  };
}
