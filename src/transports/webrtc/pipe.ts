/**
 * A data channel as a pipe. Data crosses in binary messages; in text ones each side says how much its reader has taken
 * (see base/credit.ts: a data channel takes in whatever comes), and that it has ended. Pure.
 */
import { realClock } from '../../base/clock.ts';
import { Credit } from '../../base/credit.ts';
import { asBeelineError, type BeelineError, fault, faultFrom } from '../../base/errors.ts';
import { Horizon } from '../../base/horizon.ts';
import { linger } from '../../base/linger.ts';
import type { Pipe } from '../../secure/pipe.ts';
import type { DataChannel } from './ports.ts';

/** Bytes of one message. */
export const MAX_MESSAGE = 64 * 1024;
/** A message counts at least so many bytes, so that many tiny ones do not fill the memory of a paused reader. */
export const LEAST = 512;
/** Part of what a channel may hold unsent: when it has fallen to that, more is added. */
const LOW_WATER = 0.25;
const END = 'end';

export class ChannelPipe implements Pipe {
  readonly kind = 'webrtc';
  local = 'webrtc';
  remote = 'webrtc';
  relayed = false;
  readonly #channel: DataChannel;
  /** Closes the connection. */
  readonly #close: () => void;
  readonly #credit = new Credit((total) => this.#say(String(total)));
  #write: { bytes: Uint8Array; at: number; done: (error?: Error) => void } | undefined;
  /** A message waits for credit. */
  #waiting = false;
  #writing = false;
  readonly #horizon = new Horizon(realClock);
  /** Bytes given to the channel. */
  #given = 0;
  #data: ((bytes: Uint8Array) => void) | undefined;
  #closed: ((error?: Error) => void) | undefined;
  #queue: Uint8Array[] = [];
  #paused = false;
  #handing = false;
  #failure: Error | undefined;
  #lingered = () => {};
  /** `ended`: nothing comes or goes any more, but what came is still handed over. */
  #state: 'open' | 'ended' | 'over' = 'open';

  /** Hears what comes from now on. @param close closes the connection; may be called more than once */
  constructor(channel: DataChannel, close: () => void) {
    this.#channel = channel;
    this.#close = close;
    channel.binaryType = 'arraybuffer';
    channel.addEventListener('bufferedamountlow', () => this.#go());
    channel.addEventListener('message', ({ data }: { data: unknown }) => this.#hear(data));
    channel.addEventListener('close', () => this.fail(undefined));
  }

  write(bytes: Uint8Array, done: (error?: Error) => void): void {
    this.#write = { bytes, at: 0, done };
    if (this.#state === 'open') this.#go();
    else this.#abandon();
  }

  start(data: (bytes: Uint8Array) => void, closed: (error?: Error) => void): void {
    this.#data = data;
    this.#closed = closed;
    if (this.#state === 'over') this.#tell();
    else queueMicrotask(() => this.#hand());
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    // The caller of `resume` may still be handling earlier data.
    queueMicrotask(() => this.#hand());
  }

  /** What was written gets there, if it does so within a second. */
  destroy(): void {
    if (this.#state === 'over') return;
    const open = this.#state === 'open' && this.#channel.readyState === 'open';
    this.#finish();
    if (!open) return this.#close();
    this.#say(END);
    this.#lingered = linger(realClock, this.#close);
  }

  /** The connection has ended or is useless. What came before is still handed over. */
  fail(error: Error | undefined): void {
    this.#lingered();
    this.#close();
    if (this.#state !== 'open') return;
    this.#state = 'ended';
    this.#failure = error;
    this.#credit.close();
    this.#abandon();
    this.#hand();
  }

  #finish(): void {
    this.#state = 'over';
    this.#queue = [];
    this.#credit.close();
    this.#abandon();
    this.#tell();
  }

  /** Once. */
  #tell(): void {
    const closed = this.#closed;
    this.#closed = undefined;
    if (closed) queueMicrotask(() => closed(this.#failure));
  }

  #abandon(): void {
    const done = this.#write?.done;
    this.#write = undefined;
    if (done) queueMicrotask(() => done(fault('LANE_CLOSED')));
  }

  #go(): void {
    if (this.#writing) return;
    this.#writing = true;
    while (this.#state === 'open' && this.#write && !this.#waiting) {
      const { bufferedAmount } = this.#channel;
      const most = this.#horizon.most(this.#given, bufferedAmount);
      if (bufferedAmount >= most) {
        this.#channel.bufferedAmountLowThreshold = LOW_WATER * most;
        break;
      }
      const { bytes, at } = this.#write;
      const piece = bytes.subarray(at, at + MAX_MESSAGE) as Uint8Array<ArrayBuffer>;
      this.#waiting = true;
      this.#credit.spend(cost(piece), () => this.#send(piece));
    }
    this.#writing = false;
  }

  #send(piece: Uint8Array<ArrayBuffer>): void {
    this.#waiting = false;
    const write = this.#write;
    if (!write) return;
    try {
      if (piece.length > 0) this.#channel.send(piece);
      this.#given += piece.length;
    } catch (thrown) {
      return this.fail(faultFrom(thrown, 'WEBRTC_WRITE_FAILED'));
    }
    write.at += piece.length;
    if (write.at < write.bytes.length) return;
    this.#write = undefined;
    write.done();
  }

  #hear(data: unknown): void {
    // While it lingers, only its end matters.
    if (this.#state === 'over' && data === END) this.fail(undefined);
    if (this.#state !== 'open') return;
    try {
      if (typeof data === 'string') this.#control(data);
      else this.#take(data);
    } catch (thrown) {
      this.#queue = [];
      this.fail(asBeelineError(thrown, 'PROTOCOL'));
    }
  }

  #control(text: string): void {
    if (text === END) return this.fail(undefined);
    if (!/^\d{1,16}$/.test(text)) throw malformed();
    this.#credit.hear(Number(text));
    this.#go();
  }

  #take(data: unknown): void {
    if (!(data instanceof ArrayBuffer) || data.byteLength === 0 || data.byteLength > MAX_MESSAGE)
      throw malformed();
    const bytes = new Uint8Array(data);
    this.#credit.arrived(cost(bytes));
    this.#queue.push(bytes);
    this.#hand();
  }

  #hand(): void {
    if (this.#handing || !this.#data) return;
    this.#handing = true;
    while (!this.#paused && this.#queue.length > 0) {
      const bytes = this.#queue.shift()!;
      this.#data(bytes);
      if (this.#state === 'open') this.#credit.took(cost(bytes));
    }
    this.#handing = false;
    if (this.#state === 'ended' && this.#queue.length === 0) this.#finish();
  }

  #say(text: string): void {
    try {
      this.#channel.send(text);
    } catch {
      // It is closing just now; its close event follows.
    }
  }
}

function cost(bytes: Uint8Array): number {
  return Math.max(LEAST, bytes.length);
}

function malformed(): BeelineError {
  return fault('PEER_MALFORMED', { what: 'something on a data channel that is not Beeline' });
}
