/**
 * All who have received one offer, as the one receipt of its sender names them: each with its own root and times, and the hashes of
 * the chunks that any of them has.
 */
import { toHex } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { MAX_RECIPIENTS } from '../base/limits.ts';
import { Slices, type Steps } from '../base/slices.ts';
import { ChunkHashes } from '../offer/merkle.ts';
import type { Offer } from '../offer/offer.ts';
import type { Recipient } from '../offer/receipt.ts';
import type { Outcome } from '../sync/engine-ports.ts';
import type { AgreedFacts } from './ports.ts';

export class Recipients {
  readonly #clock: Clock;
  readonly #offer: Offer;
  readonly #list: Recipient[] = [];
  /** While there is one, its hashes need no copy. */
  #only: Outcome | undefined;
  readonly #hashes = new ChunkHashes();
  #sender = '';

  constructor(clock: Clock, offer: Offer) {
    this.#clock = clock;
    this.#offer = offer;
  }

  /** One more has everything. @param sender @param fingerprint as the two see each other */
  async add(sender: string, fingerprint: string, outcome: Outcome): Promise<void> {
    if (this.#list.length >= MAX_RECIPIENTS) return;
    const { root, started, ended } = outcome;
    this.#sender = sender;
    this.#list.push({ fingerprint, root: toHex(root), started, ended });
    if (this.#list.length === 1) {
      this.#only = outcome;
      return;
    }
    const first = this.#only;
    this.#only = undefined;
    const slices = new Slices(this.#clock);
    if (first) await slices.run(this.#taking(first));
    await slices.run(this.#taking(outcome));
  }

  /** What a receipt of all says; undefined if nobody has everything. */
  async facts(): Promise<AgreedFacts | undefined> {
    if (this.#list.length === 0) return undefined;
    const { kind, entries, space, hash: by } = this.#offer;
    const all = { kind, entries, space, by, sender: this.#sender, receivers: this.#list };
    if (this.#only) return { ...all, root: this.#only.root, hash: this.#only.hash };
    const root = await new Slices(this.#clock).run(this.#offer.rooting(this.#hashes, () => false));
    return { ...all, root, hash: (chunk) => this.#hashes.get(chunk) };
  }

  /** The hash of a chunk that was read here counts. Of another one, a receiver that had it already tells the hash. */
  *#taking({ hash, chunks }: Outcome): Steps<void> {
    for (let chunk = 0; chunk < chunks; chunk++) {
      yield;
      const said = hash(chunk);
      const read = said && this.#offer.hashes.get(chunk);
      if (read) this.#hashes.set(chunk, read);
      else if (said && !this.#hashes.have.has(chunk)) this.#hashes.set(chunk, said);
    }
  }
}
