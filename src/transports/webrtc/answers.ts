/** The sender's connections: it answers the receiver's offers, no more and no more often than an honest receiver makes. Pure. */

import { TokenBucket } from '../../base/bucket.ts';
import { LANE_OPEN_DEADLINE, MAX_RTC, MAX_WEBRTC_LANES } from '../../base/limits.ts';
import type { Pipe } from '../../secure/pipe.ts';
import type { RtcDescription } from '../../wire/rtc.ts';
import type { Connection } from './connection.ts';

/** Connections, open or about to be. */
const MOST = 2 * MAX_WEBRTC_LANES;
/** Offers that are answered at once, and a second afterwards: each sends packets where the peer says. */
const BURST = 16;
const RATE = 0.2;
/** Offers that are over. The peer's next hello may still have them. */
const REMEMBERED = 256;

/** Makes a connection of that id that nothing has been said of yet. `ended` is called at its end. @throws BeelineError */
export type FreshAnswer = (id: string, ended: () => void) => Connection;

export class Answers {
  readonly #fresh: FreshAnswer;
  readonly #onPipe: (pipe: Pipe) => void;
  readonly #connections = new Map<string, Connection>();
  readonly #past = new Set<string>();
  readonly #allowance = new TokenBucket(RATE, BURST);
  #offers: RtcDescription[] = [];
  #over = false;

  constructor(fresh: FreshAnswer, onPipe: (pipe: Pipe) => void) {
    this.#fresh = fresh;
    this.#onPipe = onPipe;
  }

  get descriptions(): RtcDescription[] {
    return this.#negotiating.flatMap(({ description }) => description ?? []);
  }

  get #negotiating(): Connection[] {
    return [...this.#connections.values()].filter(({ negotiating }) => negotiating);
  }

  peer(descriptions: readonly RtcDescription[]): void {
    this.#offers = descriptions.filter(({ kind }) => kind === 'offer');
    for (const offer of this.#offers) void this.#connections.get(offer.id)?.hear(offer);
    this.#consider();
  }

  close(): void {
    this.#over = true;
    for (const connection of this.#negotiating) connection.close();
  }

  #consider(): void {
    for (const offer of this.#offers) {
      if (this.#over) return;
      const known = this.#connections.has(offer.id) || this.#past.has(offer.id);
      if (!known && this.#room() && this.#allowance.take()) this.#answer(offer);
    }
  }

  /** A connection that the receiver no longer describes makes room for a new one. */
  #room(): boolean {
    const spoken = new Set(this.#offers.map(({ id }) => id));
    const negotiating = this.#negotiating;
    if (negotiating.length >= MAX_RTC) negotiating.find(({ id }) => !spoken.has(id))?.close();
    return this.#negotiating.length < MAX_RTC && this.#connections.size < MOST;
  }

  #answer(offer: RtcDescription): void {
    const { id } = offer;
    let connection: Connection;
    try {
      connection = this.#fresh(id, () => this.#ended(id));
    } catch {
      // It would not work the next time either; the receiver has its own deadline.
      return this.#settled(id);
    }
    this.#connections.set(id, connection);
    connection.within(LANE_OPEN_DEADLINE);
    connection.opened.then(this.#onPipe).catch(() => {});
    void connection.answer(offer);
  }

  #ended(id: string): void {
    this.#connections.delete(id);
    this.#settled(id);
    // Not from within what ended it.
    queueMicrotask(() => this.#consider());
  }

  #settled(id: string): void {
    this.#past.add(id);
    for (const oldest of this.#past) if (this.#past.size > REMEMBERED) this.#past.delete(oldest);
  }
}
