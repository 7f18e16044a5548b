/**
 * Seats whose mailbox lives in another instance. The instance that has the connection passes texts on, both ways; the home treats them
 * as it treats any client's. A tunnel ends with either end, with either instance, and as soon as a message is missing: whoever sits
 * at it comes back, as after any lost connection.
 */
import { randomBytes } from 'node:crypto';
import * as v from 'valibot';
import { asBeelineError } from '../base/errors.ts';
import { count, hex, only, readValue, text } from '../base/json.ts';
import { byteLength, encodeRendezvous, MAX_RENDEZVOUS_TEXT } from '../wire/rendezvous.ts';
import type { MeetingStore } from './meeting-store.ts';

/** What a transport gives: whole texts out, and an end. Neither method may throw. */
export interface SeatConnection {
  readonly address: string;
  /** Under which it can be near others (`nearGroup`); absent: nobody can tell who is near it. */
  readonly near?: string | undefined;
  /** Of this very process. */
  readonly local?: boolean;
  /** A page has opened it (`isOfPage`). */
  readonly ofPage?: boolean;
  /** It came through another instance. */
  readonly forwarded?: boolean;
  /** Bytes that wait to go out; absent: none ever do. */
  readonly queued?: number;
  send(text: string): void;
  close(): void;
}

/** Bytes on their way through a tunnel, which the other end has not confirmed: no client of ours says so much at once. */
const MOST_UNDERWAY = 2 * 1024 * 1024;
/** What came is confirmed after so many bytes. */
const CONFIRM_BYTES = 16 * 1024;
/** A message has a price of its own, so that empty ones are bounded too. */
const COST = 64;
const MAX_NUMBER = 2 ** 40;

const HEAD = {
  /** To the mailbox's home, or from there. */
  to: v.picklist(['home', 'seat']),
  /** Made by the instance that has the connection. */
  tunnel: hex(16),
  /** Each end counts what it says, from 1. */
  n: count(MAX_NUMBER, 1),
};

const TUNNEL_MESSAGE = v.variant('t', [
  only({ t: v.literal('open'), ...HEAD, address: text(64) }),
  only({ t: v.literal('text'), ...HEAD, text: v.pipe(v.string(), v.maxBytes(MAX_RENDEZVOUS_TEXT)) }),
  /** How many bytes have come so far, and how many of these wait to go out to the client. */
  only({ t: v.literal('came'), ...HEAD, bytes: count(Number.MAX_SAFE_INTEGER), queued: count(2 ** 32) }),
  only({ t: v.literal('close'), ...HEAD }),
]);
type TunnelMessage = v.InferOutput<typeof TUNNEL_MESSAGE>;

/** What an end says, without what all messages have. */
type Said =
  | { t: 'open'; address: string }
  | { t: 'text'; text: string }
  | { t: 'came'; bytes: number; queued: number }
  | { t: 'close' };

interface EndOptions {
  say: (message: object) => boolean;
  to: 'home' | 'seat';
  tunnel: string;
  text: (text: string) => void;
  /** Bytes that wait to go out to whoever is behind this end. */
  queued: () => number;
  /** It is over, not by `close`. */
  closed: () => void;
  gone: () => void;
}

/** One end of a tunnel. */
export class TunnelEnd {
  readonly #options: EndOptions;
  #said = 0;
  #heard = 0;
  /** Bytes given to the tunnel, and those that the other end has confirmed. */
  #sent = 0;
  #confirmed = 0;
  #theirQueue = 0;
  /** Bytes that came, and those that this end has confirmed. */
  #came = 0;
  #told = 0;
  #over = false;

  constructor(options: EndOptions) {
    this.#options = options;
  }

  /** Bytes that have not reached who is at the other end, as far as this one knows. */
  get queued(): number {
    return this.#sent - this.#confirmed + this.#theirQueue;
  }

  /** Something has come. */
  get answered(): boolean {
    return this.#heard > 0;
  }

  send(text: string): void {
    this.#sent += byteLength(text) + COST;
    if (this.#sent - this.#confirmed > MOST_UNDERWAY) this.end();
    else this.say({ t: 'text', text });
  }

  say(said: Said): void {
    if (this.#over) return;
    const { say, to, tunnel } = this.#options;
    this.#said++;
    if (!say({ ...said, to, tunnel, n: this.#said })) this.end();
  }

  hear(message: TunnelMessage): void {
    if (this.#over) return;
    this.#heard++;
    // One was lost, or came twice.
    if (message.n !== this.#heard) return this.end();
    switch (message.t) {
      case 'open':
        return;
      case 'text': {
        this.#came += byteLength(message.text) + COST;
        this.#options.text(message.text);
        if (this.#came - this.#told < CONFIRM_BYTES) return;
        this.#told = this.#came;
        return this.say({ t: 'came', bytes: this.#came, queued: this.#options.queued() });
      }
      case 'came':
        if (message.bytes > this.#sent || message.bytes < this.#confirmed) return this.end();
        this.#confirmed = message.bytes;
        this.#theirQueue = message.queued;
        return;
      case 'close':
        this.#finish();
        return this.#options.closed();
    }
  }

  /** This end's client has gone. */
  close(): void {
    if (this.#over) return;
    this.say({ t: 'close' });
    this.#finish();
  }

  /** It cannot go on; the other end hears so if it can. */
  end(): void {
    if (this.#over) return;
    const { say, to, tunnel, closed } = this.#options;
    this.#finish();
    say({ t: 'close', to, tunnel, n: this.#said + 1 });
    closed();
  }

  #finish(): void {
    this.#over = true;
    this.#options.gone();
  }
}

/** Whoever sits down for a client of another instance. @throws BeelineError if there is no room */
type OpenSeat = (connection: SeatConnection) => { receive(text: string): void; closed(): void };

export class Tunnels {
  readonly #store: MeetingStore;
  readonly #open: OpenSeat;
  /** By the other instance and the tunnel's name; here the mailbox, or here the connection. */
  readonly #ends = { home: new Map<string, TunnelEnd>(), seat: new Map<string, TunnelEnd>() };

  constructor(store: MeetingStore, open: OpenSeat) {
    this.#store = store;
    this.#open = open;
  }

  get size(): number {
    return this.#ends.home.size + this.#ends.seat.size;
  }

  /** From a client's connection to its mailbox at another instance. */
  dig(
    home: string,
    {
      address,
      queued,
      text,
      closed,
    }: { address: string; queued: () => number } & Pick<EndOptions, 'text' | 'closed'>,
  ): TunnelEnd {
    const tunnel = randomBytes(16).toString('hex');
    const end = this.#end(home, tunnel, 'seat', { text, closed, queued });
    end.say({ t: 'open', address });
    return end;
  }

  /** What is no message for a tunnel is nothing. */
  heard(from: string, message: unknown): void {
    let said: TunnelMessage;
    try {
      said = readValue(TUNNEL_MESSAGE, message, (what) => new Error(what));
    } catch {
      return;
    }
    const here = said.to;
    const end = this.#ends[here].get(`${from} ${said.tunnel}`);
    if (end) end.hear(said);
    else if (said.t === 'open' && here === 'home' && said.n === 1) this.#welcome(from, said);
    // One that ended here while this was under way. Who is at its other end hears so, if it is still there.
    else if (said.t !== 'close')
      this.#store.post(from, {
        t: 'close',
        to: here === 'home' ? 'seat' : 'home',
        tunnel: said.tunnel,
        n: 1,
      });
  }

  /** An instance is no more. */
  gone(instance: string): void {
    this.#endAll((key) => key.startsWith(`${instance} `));
  }

  endAll(): void {
    this.#endAll(() => true);
  }

  #endAll(which: (key: string) => boolean): void {
    for (const ends of [this.#ends.home, this.#ends.seat])
      for (const [key, end] of [...ends]) if (which(key)) end.end();
  }

  #end(
    other: string,
    tunnel: string,
    here: 'home' | 'seat',
    events: Pick<EndOptions, 'text' | 'closed' | 'queued'>,
  ): TunnelEnd {
    const key = `${other} ${tunnel}`;
    const end = new TunnelEnd({
      ...events,
      ...{ tunnel, to: here === 'home' ? 'seat' : 'home' },
      say: (message) => this.#store.post(other, message),
      gone: () => this.#ends[here].delete(key),
    });
    this.#ends[here].set(key, end);
    return end;
  }

  #welcome(from: string, { tunnel, address }: TunnelMessage & { t: 'open' }): void {
    let seat: ReturnType<OpenSeat> | undefined;
    const end = this.#end(from, tunnel, 'home', {
      text: (text) => seat?.receive(text),
      closed: () => seat?.closed(),
      queued: () => 0,
    });
    end.hear({ t: 'open', to: 'home', tunnel, n: 1, address });
    try {
      seat = this.#open({
        address,
        forwarded: true,
        get queued() {
          return end.queued;
        },
        send: (text) => end.send(text),
        close: () => end.close(),
      });
    } catch (thrown) {
      const { reason, message } = asBeelineError(thrown, 'SERVER');
      end.send(encodeRendezvous({ t: 'refused', code: 'SERVER', reason, message }));
      end.close();
    }
  }
}
