/**
 * Races, keeps and replaces a session's lanes. Every candidate is dialled at once and the first that authenticates
 * carries bytes (RFC 8305 in spirit: the others are dropped); more lanes follow on the path that won. The receiver
 * dials first, since a dialled lane is read more cheaply, and decides how many there are; the sender dials a
 * moment later, for the case that only it can reach the other.
 */
import { setMaxListeners } from 'node:events';
import { BeelineError } from '../protocol/errors.ts';
import { MAX_LANES } from '../protocol/limits.ts';
import type { Message } from '../protocol/messages.ts';
import type { Slab } from '../transfer/ports.ts';
import { Lane } from './lane.ts';
import type { Pipe } from './pipe.ts';
import type { Address } from './tcp/dial.ts';

export interface SupervisorOptions {
  role: 'sender' | 'receiver';
  /** Lanes to keep open. */
  count: number;
  dial: (to: Address, signal: AbortSignal) => Promise<Pipe>;
  onLane: (lane: Lane) => void;
  onMessage: (lane: Lane, message: Message, slab?: Slab) => void;
  onSlab: (lane: Lane, then: (slab: Slab) => void) => void;
  onClosed: (lane: Lane, error: Error | undefined, left: number) => void;
}

/** Milliseconds the sender gives the receiver's dials before its own. */
const SENDER_DELAY = 250;
const FIRST_BACKOFF = 200;
const MAX_BACKOFF = 5000;

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #lanes = new Map<number, Lane>();
  #candidates: Address[] = [];
  /** The path that won: where to dial for more. */
  #path: Address | undefined;
  #race: AbortController | undefined;
  #nextId = 1;
  /** Lanes to keep, at the receiver; the sender opens what it is asked for. */
  #count: number;
  #wanted: number;
  #dialling = 0;
  #backoff = FIRST_BACKOFF;
  #timer: NodeJS.Timeout | undefined;
  readonly #life = new AbortController();

  constructor(options: SupervisorOptions) {
    this.#options = options;
    // Every dial under way listens for the end, and there may be as many as lanes.
    setMaxListeners(0, this.#life.signal);
    // The sender opens only what it is asked for.
    this.#count = options.count;
    this.#wanted = options.role === 'receiver' ? options.count : 1;
  }

  get lanes(): Iterable<Lane> {
    return this.#lanes.values();
  }

  /** Where the peer may be reached; replaces what was known, and races at once if no lane is up. */
  candidates(candidates: Address[]): void {
    this.#candidates = candidates;
    this.#backoff = FIRST_BACKOFF;
    if (this.#lanes.size > 0 || this.#life.signal.aborted) return;
    this.#race?.abort();
    this.#race = undefined;
    this.#later(this.#options.role === 'sender' ? SENDER_DELAY : 0);
  }

  /** Receiver: how many lanes the sender asked for, when the person here did not say. */
  keep(count: number): void {
    this.#count = Math.min(MAX_LANES, Math.max(1, count));
    if (this.#options.role === 'receiver') this.#wanted = this.#count;
  }

  /** A pipe on which the peer has proved its identity, dialled by it or by us. */
  add(pipe: Pipe, path?: Address): void {
    const most = this.#options.role === 'receiver' ? this.#count : MAX_LANES;
    const surplus = this.#lanes.size >= most;
    if (this.#life.signal.aborted || surplus) return pipe.destroy();
    this.#race?.abort();
    this.#race = undefined;
    if (path) this.#path = path;
    this.#backoff = FIRST_BACKOFF;
    const lane = new Lane(this.#nextId++, pipe, {
      message: (from, message, slab) => this.#message(from, message, slab),
      slab: (from, then) => this.#options.onSlab(from, then),
      closed: (from, error) => this.#gone(from, error),
    });
    this.#lanes.set(lane.id, lane);
    this.#options.onLane(lane);
    lane.start();
    this.#topUp();
  }

  close(): void {
    this.#life.abort();
    clearTimeout(this.#timer);
    this.#race?.abort();
    for (const lane of this.#lanes.values()) lane.close();
  }

  #message(lane: Lane, message: Message, slab?: Slab): void {
    if (message.type !== 'want-lanes') return this.#options.onMessage(lane, message, slab);
    if (this.#options.role === 'receiver')
      throw new BeelineError('PROTOCOL', "A sender does not send 'want-lanes'.");
    this.#wanted = Math.max(1, message.count);
    this.#topUp();
  }

  #gone(lane: Lane, error: Error | undefined): void {
    if (!this.#lanes.delete(lane.id)) return;
    this.#options.onClosed(lane, error, this.#lanes.size);
    if (this.#life.signal.aborted) return;
    if (this.#lanes.size === 0) this.#path = undefined;
    // Only a dial that fails makes the next one wait longer: four lanes that die together are one loss.
    this.#later(this.#backoff);
  }

  /** Opens what is missing: on the path that won if there is one, else by racing all candidates. */
  #topUp(): void {
    if (this.#life.signal.aborted) return;
    const missing = this.#wanted - this.#lanes.size - this.#dialling;
    if (this.#lanes.size === 0) return this.#startRace();
    if (missing <= 0) return;
    const path = this.#path;
    if (path) for (let i = 0; i < missing; i++) void this.#dialOne(path);
    else if (this.#options.role === 'receiver') this.#askForMore();
  }

  /** Only the other side can dial: say how many lanes there should be. */
  #askForMore(): void {
    const lane = this.#lanes.values().next().value;
    lane?.send({ type: 'want-lanes', count: this.#wanted }).catch(() => {});
  }

  async #dialOne(path: Address): Promise<void> {
    this.#dialling++;
    const pipe = await this.#options.dial(path, this.#life.signal).catch(() => undefined);
    this.#dialling--;
    if (pipe) this.add(pipe, path);
    else this.#later(this.#nextBackoff());
  }

  #startRace(): void {
    if (this.#race || this.#candidates.length === 0) return;
    const race = new AbortController();
    setMaxListeners(0, race.signal);
    this.#race = race;
    const dials = this.#candidates.map(async (candidate) => {
      const pipe = await this.#options.dial(candidate, race.signal);
      if (race.signal.aborted) return pipe.destroy();
      this.add(pipe, candidate);
    });
    void Promise.allSettled(dials).then(() => {
      if (this.#race !== race) return;
      this.#race = undefined;
      this.#later(this.#nextBackoff());
    });
  }

  #nextBackoff(): number {
    const wait = this.#backoff;
    this.#backoff = Math.min(MAX_BACKOFF, this.#backoff * 2);
    return wait;
  }

  #later(milliseconds: number): void {
    clearTimeout(this.#timer);
    if (this.#life.signal.aborted) return;
    this.#timer = setTimeout(() => this.#topUp(), milliseconds);
  }
}
