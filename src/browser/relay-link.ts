/** A page's WebSocket at the server's relay: opened, named by a token, waited with until it is paired, then a pipe. */

import { realClock } from '../base/clock.ts';
import { type BeelineError, fault } from '../base/errors.ts';
import { Horizon } from '../base/horizon.ts';
import { LANE_OPEN_DEADLINE } from '../base/limits.ts';
import type { Pipe } from '../secure/pipe.ts';
import type { Link } from '../transports/relay/links.ts';
import { authorityOf, movedUrl } from '../websocket/url.ts';
import {
  CLOSE,
  decodeRelayAnswer,
  encodeRelayHello,
  encodeRelayTicket,
  MAX_RELAY_MESSAGE,
  type RelayMove,
  type RelaySeat,
  readReason,
} from '../wire/relay.ts';

/** Milliseconds between looks at that: the first, and the longest. A message that comes is a reason to look, too. */
const FIRST_LOOK = 4;
const LONGEST_LOOK = 64;
/** Bytes held for an owner that has not begun or has paused: a WebSocket cannot be stopped. */
const MAX_HELD = 1024 * 1024;
/**
 * Milliseconds to wait for the other side. A page sees no pings, so a connection whose network died unnoticed must not
 * wait for ever. Its owner then opens another.
 */
const WAIT = 60_000;

/** `WebSocket.OPEN`. */
const OPEN = 1;

/** What is used of a WebSocket: the page's own, or another with its interface. */
export interface WebSocketLike {
  binaryType: string;
  readonly bufferedAmount: number;
  readonly readyState: number;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number): void;
  addEventListener(type: 'open' | 'error', listener: () => void): void;
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void;
  addEventListener(type: 'close', listener: (event: { code: number; reason: string }) => void): void;
}
export type WebSocketMaker = new (url: string) => WebSocketLike;

/**
 * Resolves when the server has paired it with a connection of the other side's.
 * @param url ws or wss, of the relay
 * @throws BeelineError NO_PATH (with the relay's own words, if it had some), PROTOCOL, or what the signal was aborted with
 */
export async function openRelayLink(
  url: string,
  seat: RelaySeat,
  signal: AbortSignal,
  WebSocket: WebSocketMaker = globalThis.WebSocket as WebSocketMaker,
): Promise<RelayLink> {
  const link = await dialRelay(url, encodeRelayHello(seat), signal, WebSocket);
  const { move } = link;
  if (!move) return link;
  const to = movedUrl(move.url, url);
  // The page's policy has it: connect-src 'self'.
  if (authorityOf(to) !== authorityOf(url))
    throw refused('it names another host, and pages go to their own.');
  const there = await dialRelay(to, encodeRelayTicket(move.ticket), signal, WebSocket);
  if (!there.move) return there;
  throw refused('it sends its clients from one place to the next.');
}

/** One that has moved has ended. */
function dialRelay(
  url: string,
  hello: string,
  signal: AbortSignal,
  WebSocket: WebSocketMaker,
): Promise<RelayLink> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const webSocket = new WebSocket(url);
    webSocket.binaryType = 'arraybuffer';
    const link = new RelayLink(webSocket, authorityOf(url));
    let timer: ReturnType<typeof setTimeout>;
    const settle = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    };
    const fail = (reason: unknown) => {
      settle();
      link.destroy();
      reject(reason);
    };
    const abort = () => fail(signal.reason);
    const within = (milliseconds: number, what: string) => {
      clearTimeout(timer);
      timer = setTimeout(() => fail(refused(what)), milliseconds);
    };
    signal.addEventListener('abort', abort);
    within(LANE_OPEN_DEADLINE, 'it did not answer in time.');
    webSocket.addEventListener('open', () => {
      if (link.over) return;
      webSocket.send(hello);
      within(WAIT, `the other side did not come within ${WAIT / 1000} s.`);
    });
    link.onAnswer = () => {
      settle();
      resolve(link);
    };
    void link.gone.then(() => fail(link.failure ?? refused('it closed the connection.')));
  });
}

export class RelayLink implements Link, Pipe {
  readonly kind = 'relay';
  readonly relayed = true;
  /** A page is not told. */
  readonly local = 'page';
  readonly remote: string;
  readonly gone: Promise<void>;
  /** The other side is there, or is to be found elsewhere. */
  onAnswer: () => void = () => {};
  move: RelayMove | undefined;
  #resolveGone = () => {};
  readonly #webSocket: WebSocketLike;
  #failure: BeelineError | undefined;
  #paired = false;
  #over = false;
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #flowing = false;
  readonly #horizon = new Horizon(realClock);
  /** Bytes given to the WebSocket. */
  #given = 0;
  #owner: { data: (bytes: Uint8Array) => void; closed: (error?: Error) => void } | undefined;
  #write: { done: (error?: Error | null) => void; timer: ReturnType<typeof setTimeout> } | undefined;

  constructor(webSocket: WebSocketLike, remote: string) {
    this.remote = remote;
    this.#webSocket = webSocket;
    this.gone = new Promise((resolve) => {
      this.#resolveGone = resolve;
    });
    webSocket.addEventListener('message', ({ data }) => this.#arrived(data));
    webSocket.addEventListener('close', ({ code, reason }) => this.#closed(code, readReason(reason)));
    // It says nothing, and 'close' follows; but one that nobody listens for may end a process.
    webSocket.addEventListener('error', () => {});
  }

  get failure(): BeelineError | undefined {
    return this.#failure;
  }

  get over(): boolean {
    return this.#over;
  }

  write(bytes: Uint8Array, done: (error?: Error | null) => void): void {
    if (this.#over) return void queueMicrotask(() => done(closed()));
    // A closing WebSocket takes nothing more. Its 'close' comes at once and says why; a browser would log an error for each try.
    const closing = this.#webSocket.readyState > OPEN;
    if (!closing) this.#given += bytes.length;
    for (let at = 0; !closing && at < bytes.length; at += MAX_RELAY_MESSAGE)
      this.#webSocket.send(bytes.subarray(at, at + MAX_RELAY_MESSAGE) as Uint8Array<ArrayBuffer>);
    this.#look(done, FIRST_LOOK);
  }

  start(data: (bytes: Uint8Array) => void, closed: (error?: Error) => void): void {
    this.#owner = { data, closed };
    if (this.#over) queueMicrotask(() => closed(this.#failure));
    else this.resume();
  }

  pause(): void {
    this.#flowing = false;
  }

  resume(): void {
    this.#flowing = true;
    while (this.#flowing && this.#held.length > 0) {
      const bytes = this.#held.shift()!;
      this.#heldBytes -= bytes.length;
      this.#owner?.data(bytes);
    }
  }

  destroy(): void {
    if (this.#over) return;
    this.#over = true;
    this.#held = [];
    this.#flowing = false;
    this.#webSocket.close(CLOSE.normal);
    const write = this.#write;
    clearTimeout(write?.timer);
    this.#resolveGone();
    queueMicrotask(() => {
      write?.done(this.#failure ?? closed());
      this.#owner?.closed(this.#failure);
    });
  }

  /** Calls back as soon as the WebSocket holds little enough; there is no event for that. */
  #look(done: (error?: Error | null) => void, next: number): void {
    this.#write = undefined;
    const { bufferedAmount } = this.#webSocket;
    if (bufferedAmount <= this.#horizon.most(this.#given, bufferedAmount)) return void queueMicrotask(done);
    const timer = setTimeout(() => this.#look(done, Math.min(2 * next, LONGEST_LOOK)), next);
    this.#write = { done, timer };
  }

  #arrived(data: unknown): void {
    if (this.#over) return;
    if (!this.#paired) return this.#greeted(data);
    if (!(data instanceof ArrayBuffer)) return this.#fail('the relay sent text among the bytes.');
    if (data.byteLength > MAX_RELAY_MESSAGE) return this.#fail('the relay sent a message that is too long.');
    const write = this.#write;
    if (write) {
      clearTimeout(write.timer);
      this.#look(write.done, FIRST_LOOK);
    }
    const bytes = new Uint8Array(data);
    if (this.#flowing && this.#held.length === 0) return this.#owner?.data(bytes);
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    if (this.#heldBytes > MAX_HELD) this.#fail('more came than this side could take.');
  }

  #greeted(data: unknown): void {
    try {
      this.move = decodeRelayAnswer(typeof data === 'string' ? data : '');
    } catch {
      return this.#fail('it is no relay of Beeline.');
    }
    this.#paired = true;
    this.onAnswer();
    if (this.move) this.destroy();
  }

  #closed(code: number, reason: string): void {
    if (this.#over) return;
    if (this.#paired && code === CLOSE.normal) return this.destroy();
    this.#fail(reason || `the relay closed the connection (${code}), or cannot be reached.`);
  }

  #fail(what: string): void {
    this.#failure = refused(what);
    this.destroy();
  }
}

function refused(what: string): BeelineError {
  return fault('RELAY_FAILED', { what });
}

function closed(): BeelineError {
  return fault('LANE_CLOSED');
}
