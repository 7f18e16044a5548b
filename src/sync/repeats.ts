/**
 * How much one peer is sent again. What a lane that dies takes with it is asked for again, and so is all that a failed disk has lost. A peer
 * that asks without end, and never says that it has anything, would have the uplink for itself.
 */
import { TokenBucket } from '../base/bucket.ts';
import type { Clock } from '../base/clock.ts';
import { fault } from '../base/errors.ts';

/** How often a chunk may be sent whole without a second thought. */
const TIMES = 4;
/** Beyond that: chunks at once, and bytes a second, but at least a chunk. On a path that lets nothing through, as much dies with its lanes. */
const AGAIN_BURST = 32;
const AGAIN_PER_S = 1024 * 1024;
/** How often a peer may say at once that it is a new process, which has nothing any more, and how often afterwards. */
const RESTARTS_BURST = 8;
const RESTARTS_PER_S = 1 / 15;
/** Counts that are kept together. */
const PAGE = 256;

export class Repeats {
  /** Parts of each chunk that were sent since it was last paid for; by the number of their page. */
  readonly #sent = new Map<number, Uint16Array>();
  readonly #again: TokenBucket;
  readonly #restarts: TokenBucket;

  /** @param size of a chunk, in bytes */
  constructor(clock: Clock, size: number) {
    this.#again = new TokenBucket(Math.max(1, AGAIN_PER_S / size), AGAIN_BURST, clock);
    this.#restarts = new TokenBucket(RESTARTS_PER_S, RESTARTS_BURST, clock);
  }

  /** It is a new process. If it says so too often, what it was sent before counts all the same. */
  restart(): void {
    if (this.#restarts.take()) this.#sent.clear();
  }

  /**
   * So many parts of a chunk, of all that it has, are sent now, or cost as much.
   * @throws BeelineError PROTOCOL if that is more than anybody needs
   */
  sends(chunk: number, parts: number, all: number): void {
    const at = Math.floor(chunk / PAGE);
    const page = this.#sent.get(at) ?? new Uint16Array(PAGE);
    this.#sent.set(at, page);
    let sent = page[chunk % PAGE]! + parts;
    for (; sent > TIMES * all; sent -= all)
      if (!this.#again.take()) throw fault('PEER_MISBEHAVES', { what: 'asks for the same again and again' });
    page[chunk % PAGE] = sent;
  }
}
