/**
 * Two WebSockets whose binary messages are passed on to each other, unread. Memory is bounded by backpressure: a side
 * whose receiver does not keep up is read no further, and its own TCP window does the rest.
 */
import type { RawData, WebSocket } from 'ws';
import { CLOSE, MAX_RELAY_MESSAGE } from '../wire/relay.ts';
import { MESSAGE_COST, MESSAGE_MEMORY } from './limits.ts';
import type { Place } from './meeting-store.ts';
import type { RelayUsage } from './relay-usage.ts';
import { ClientSocket } from './socket.ts';

/** It shows a token, waits for the other side's, and is then half of a pair. */
export class RelaySocket extends ClientSocket {
  /** The address key that it counts under. */
  readonly key: string;
  readonly since: number;
  /** Whose it is; undefined until it has shown a token. */
  place: Place | undefined;
  /** Bytes of memory that what waits to go out to it takes. */
  queued = 0;

  constructor(webSocket: WebSocket, key: string, now: number) {
    super(webSocket);
    this.key = key;
    this.since = now;
  }
}

export interface PairOptions {
  host: RelaySocket;
  guest: RelaySocket;
  meter: ReturnType<RelayUsage['meter']>;
  /** Bytes queued to one side before the other is read no further. */
  buffer: number;
  clock: () => number;
  /** Called once, when neither passes anything on any more. */
  ended: (pair: RelayPair) => void;
}

const TOO_SMALL = 'Too many small messages at once for a receiver that does not keep up.';

export class RelayPair {
  readonly host: RelaySocket;
  readonly guest: RelaySocket;
  /** Both directions together. */
  bytes = 0;
  readonly born: number;
  /** Why it ended, for the log. */
  why = '';
  readonly #options: PairOptions;
  readonly #timers = new Map<RelaySocket, NodeJS.Timeout>();
  #moved: number;
  #over = false;

  constructor(options: PairOptions) {
    this.#options = options;
    this.host = options.host;
    this.guest = options.guest;
    this.born = this.#moved = options.clock();
    this.#splice(this.host, this.guest);
    this.#splice(this.guest, this.host);
  }

  /** Ends it if nothing has moved for so many milliseconds. */
  checkIdle(now: number, limit: number): void {
    if (now - this.#moved >= limit)
      this.end(CLOSE.policy, `Nothing was sent through the relay for ${limit / 1000} s.`);
  }

  /** Closes both, each once what was queued to it has gone out. */
  end(code: number, reason: string): void {
    if (this.#over) return;
    this.#over = true;
    this.why = reason;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.host.end(code, reason);
    this.guest.end(code, reason);
    this.#options.ended(this);
  }

  #splice(from: RelaySocket, to: RelaySocket): void {
    from.webSocket.on('message', (data, isBinary) => this.#pass(from, to, data, isBinary));
    from.webSocket.once('close', () => this.end(CLOSE.normal, ''));
  }

  #pass(from: RelaySocket, to: RelaySocket, data: RawData, isBinary: boolean): void {
    if (this.#over) return;
    if (!isBinary) return this.end(CLOSE.protocol, 'Only binary messages are relayed.');
    const { meter, buffer, clock } = this.#options;
    const bytes = data as Buffer;
    this.#moved = clock();
    this.bytes += bytes.length;
    const charged = Math.max(bytes.length, MESSAGE_COST);
    const broken = meter.count(charged);
    if (broken) return this.end(CLOSE.policy, broken);
    // Not `bufferedAmount`: for a tiny message it says a few bytes, but keeping one takes hundreds.
    const kept = bytes.length + MESSAGE_MEMORY;
    to.queued += kept;
    to.webSocket.send(bytes, () => {
      to.queued -= kept;
      if (from.webSocket.isPaused && to.queued <= buffer / 2) this.#readOn(from);
    });
    // What was read before the pause still comes. From an honest client that is less than two of the largest messages.
    if (to.queued > buffer + 4 * MAX_RELAY_MESSAGE) {
      this.end(CLOSE.policy, TOO_SMALL);
      return from.terminate();
    }
    if (to.queued > buffer) from.webSocket.pause();
    const wait = meter.pace(charged);
    if (wait > 0) this.#hold(from, wait);
  }

  /** Reads no further for a while, whatever the other side takes. */
  #hold(from: RelaySocket, milliseconds: number): void {
    from.webSocket.pause();
    clearTimeout(this.#timers.get(from));
    const timer = setTimeout(() => {
      this.#timers.delete(from);
      const to = from === this.host ? this.guest : this.host;
      if (to.queued <= this.#options.buffer / 2) this.#readOn(from);
    }, milliseconds);
    this.#timers.set(from, timer);
  }

  #readOn(from: RelaySocket): void {
    if (!this.#over && !this.#timers.has(from)) from.webSocket.resume();
  }
}
