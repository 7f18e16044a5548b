/**
 * A lane: messages over a pipe, one write at a time, control before data, with pings and a deadline so that a silent path is
 * noticed.
 * It knows nothing of transfers; whoever holds it decides what messages mean.
 */

import { type Clock, every } from '../base/clock.ts';
import { fault } from '../base/errors.ts';
import { BLOCK_BYTES, LANE_DEADLINE, LANE_PING, LANE_QUIET } from '../base/limits.ts';
import type { Slab } from '../base/slab.ts';
import type { Pipe } from '../secure/pipe.ts';
import type { LanePort } from '../sync/ports.ts';
import { FrameReader, type FrameSink, type Landing } from '../wire/framing.ts';
import type { BlockRange, BlocksHeader, Message } from '../wire/messages.ts';
import { encodeMessage } from '../wire/messages.ts';

export interface LaneOwner {
  /** Throws a BeelineError if the message must end the lane. */
  message(lane: Lane, message: Message): void;
  /** Called when blocks begin. Returns where their bytes go. Throws if none are expected. */
  land(lane: Lane, header: BlocksHeader): Landing;
  closed(lane: Lane, error?: Error): void;
}

/** Pings that may be unanswered: more than a side that is alive leaves so before LANE_DEADLINE. */
const MAX_PINGS = 64;
/** Messages that may be queued on a lane that takes none. An honest side queues far fewer. */
const MAX_QUEUE = 1024;
/** What all others go before: in order among themselves, since what they say does not depend on what goes beside them. */
const BULK: ReadonlySet<Message['type']> = new Set(['blocks', 'page']);
/** Bytes of an unfinished message that count as a sign of life. One byte now and then must not keep a lane open for ever. */
const SIGN_OF_LIFE = 1024;
/** Bytes of a frame up to which its header and its data are copied into one buffer, which costs less than a second write. */
const MAX_COPY = 64 * 1024;

interface Pending {
  /** What is written one after the other, with nothing between. */
  buffers: Uint8Array[];
  resolve: () => void;
  reject: (error: Error) => void;
}

export class Lane implements LanePort {
  readonly id: number;
  readonly kind: string;
  readonly relayed: boolean;
  readonly local: string;
  readonly remote: string;
  /** Resolves when it is closed, by whichever side. */
  readonly over: Promise<void>;
  #end = () => {};
  readonly #pipe: Pipe;
  readonly #owner: LaneOwner;
  readonly #reader: Pick<FrameReader, 'end'>;
  readonly #data: (bytes: Uint8Array) => void;
  /** Control messages. They wait only for the message that is being written, however much data is queued. */
  readonly #control: Pending[] = [];
  readonly #bulk: Pending[] = [];
  readonly #clock: Clock;
  readonly #endPings: () => void;
  #writing: Pending | undefined;
  #heard: number;
  /** Bytes since then. */
  #trickle = 0;
  #closed = false;
  #received = 0;
  #sent = 0;
  /** When those pings were sent that are not answered yet, which they are in order. */
  readonly #pings: number[] = [];
  #roundTrip = Infinity;
  #bearsLosses = false;

  constructor(id: number, pipe: Pipe, owner: LaneOwner, clock: Clock) {
    this.id = id;
    this.kind = pipe.kind;
    this.relayed = pipe.relayed ?? false;
    this.local = pipe.local;
    this.remote = pipe.remote;
    this.over = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#pipe = pipe;
    this.#clock = clock;
    this.#heard = clock.now();
    this.#owner = owner;
    const sink: FrameSink = {
      message: (message) => this.#message(message),
      land: (header) => owner.land(this, header),
      fail: (error) => this.close(error),
    };
    if (pipe.frames) {
      this.#data = () => {};
      this.#reader = pipe.frames(sink, (bytes) => this.#came(bytes));
    } else {
      const reader = new FrameReader(sink);
      this.#data = (bytes) => {
        this.#came(bytes.length);
        reader.feed(bytes);
      };
      this.#reader = reader;
    }
    this.#endPings = every(clock, LANE_PING, () => this.#tick());
  }

  /** Its bytes are another thread's work. */
  get threaded(): boolean {
    return this.#pipe.frames !== undefined;
  }

  /** Bytes that came. */
  get received(): number {
    return this.#received;
  }

  /** Bytes that came and went. */
  get carried(): number {
    return this.#received + this.#sent;
  }

  /** The smallest that was seen, in milliseconds; Infinity before the first. A ping waits behind what the pipe has taken. */
  get roundTrip(): number {
    return this.#roundTrip;
  }

  /** The other side says of what it sends on it that losses do not slow it down. */
  get bearsLosses(): boolean {
    return this.#bearsLosses;
  }

  /** Milliseconds since something came. */
  get silence(): number {
    return this.#clock.now() - this.#heard;
  }

  /** Milliseconds for which silence is normal: more if many lanes share a slow link. */
  quietAfterMs = LANE_QUIET;

  /** Nothing new is asked for on it now, to see what the others carry without it. */
  spared = false;

  /** Nothing came for so long that the path may be dead. */
  get quiet(): boolean {
    return this.silence > this.quietAfterMs;
  }

  /** Begins delivery; separate from the constructor so that the owner has the lane before its first message. */
  start(): void {
    this.#pipe.start(this.#data, (error) => this.close(error));
    this.#ping();
  }

  send(message: Message, slab?: Slab): Promise<void> {
    if (this.#closed) return Promise.reject(fault('LANE_CLOSED'));
    if (this.#control.length + this.#bulk.length >= MAX_QUEUE) {
      this.close(fault('PEER_MISBEHAVES', { what: 'does not read what is sent to it' }));
      return Promise.reject(fault('LANE_CLOSED'));
    }
    if (message.type === 'get') this.#pipe.asks?.(bytesOf(message.ranges));
    return new Promise((resolve, reject) => {
      // Inside, so that what cannot be encoded rejects like everything else.
      const buffers = frameOf(message, slab);
      (BULK.has(message.type) ? this.#bulk : this.#control).push({ buffers, resolve, reject });
      if (!this.#writing) this.#writeNext();
    });
  }

  /** What comes is of no use any more. It is read, so that the other side's end is seen, and thrown away. */
  discard(): void {
    if (this.#closed) return;
    this.#reader.end();
  }

  close(reason?: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#endPings();
    this.#reader.end();
    this.#pipe.destroy(reason);
    const error = reason ?? fault('LANE_CLOSED');
    // Another thread may still read the buffer: then its word is waited for.
    if (!this.#pipe.frames) this.#writing?.reject(error);
    for (const pending of [...this.#control.splice(0), ...this.#bulk.splice(0)]) pending.reject(error);
    this.#end();
    this.#owner.closed(this, reason);
  }

  #writeNext(): void {
    const pending = this.#control.shift() ?? this.#bulk.shift();
    this.#writing = pending;
    if (pending) this.#write(pending, 0);
  }

  #write(pending: Pending, at: number): void {
    const bytes = pending.buffers[at]!;
    this.#pipe.write(bytes, (error) => {
      if (this.#closed) return pending.reject(error ?? fault('LANE_CLOSED'));
      if (error) {
        pending.reject(error);
        return this.close(error);
      }
      this.#sent += bytes.length;
      if (at + 1 < pending.buffers.length) return this.#write(pending, at + 1);
      pending.resolve();
      this.#writeNext();
    });
  }

  #came(bytes: number): void {
    this.#trickle += bytes;
    this.#received += bytes;
    if (this.#trickle >= SIGN_OF_LIFE) this.#hear();
  }

  #hear(): void {
    this.#heard = this.#clock.now();
    this.#trickle = 0;
  }

  #message(message: Message): void {
    this.#hear();
    if (message.type === 'ping') this.#pong();
    else if (message.type === 'pong') this.#answered(message.bearsLosses);
    else this.#owner.message(this, message);
  }

  #tick(): void {
    if (this.#clock.now() - this.#heard > LANE_DEADLINE && this.#unanswered) {
      this.close(fault('LANE_SILENT', { seconds: LANE_DEADLINE / 1000 }));
    } else if (this.#control.length === 0) {
      this.#ping();
    }
  }

  /** Or else this side has not asked: in a page that nobody looks at, timers come once a minute. */
  get #unanswered(): boolean {
    const [first] = this.#pings;
    if (first === undefined) return this.#writing !== undefined;
    return this.#clock.now() - first > LANE_DEADLINE;
  }

  #ping(): void {
    if (this.#pings.length >= MAX_PINGS) return;
    this.#pings.push(this.#clock.now());
    this.send({ type: 'ping' }).catch(() => {});
  }

  #pong(): void {
    this.send({ type: 'pong', bearsLosses: this.#pipe.bearsLosses?.() ?? false }).catch(() => {});
  }

  #answered(bearsLosses: boolean): void {
    this.#bearsLosses = bearsLosses;
    const asked = this.#pings.shift();
    if (asked === undefined) return;
    this.#roundTrip = Math.min(this.#roundTrip, this.#clock.now() - asked);
    this.#pipe.measured?.(this.#roundTrip);
  }
}

/** At most: what is asked for may be all zeros, or end a chunk. */
function bytesOf(ranges: readonly BlockRange[]): number {
  return BLOCK_BYTES * ranges.reduce((sum, { from, to }) => sum + to - from, 0);
}

/** A frame as what is written. Where there is room the header is put right before the data, so that it is one write. */
function frameOf(message: Message, slab?: Slab): Uint8Array[] {
  const header = encodeMessage(message);
  if (message.type !== 'blocks' || message.form !== 'data') return [header];
  const { data } = message;
  const length = header.length + data.length;
  if (slab) {
    slab.headroom.set(header, slab.headroom.length - header.length);
    const start = slab.headroom.byteOffset + slab.headroom.length - header.length;
    return [new Uint8Array(slab.headroom.buffer, start, length)];
  }
  // Copies of more would be memory that is not free before it is collected, up to a hundred megabytes of it.
  if (length > MAX_COPY) return [header, data];
  const whole = new Uint8Array(length);
  whole.set(header);
  whole.set(data, header.length);
  return [whole];
}
