/**
 * The end of a transfer, at the receiver: it says what it came to on one lane, again on another if that one dies, and
 * compares it with what the sender came to.
 */
import { equalBytes } from '../base/bytes.ts';
import { type BeelineError, fault } from '../base/errors.ts';
import { MAX_HAVE } from '../base/limits.ts';
import type { Message } from '../wire/messages.ts';
import type { Arrivals } from './arrivals.ts';
import type { Chunks } from './chunks.ts';
import type { ProgressPorts } from './engine-ports.ts';
import type { LanePort } from './ports.ts';

type ClosingPorts = Pick<ProgressPorts, 'complete' | 'fail'>;

export interface Ending {
  root: Uint8Array;
  absent: (chunk: number) => boolean;
  gone: number[];
}

/** What either side says when the two roots are not equal. */
export function differentRoots(): BeelineError {
  return fault('ROOTS_DIFFER');
}

/** Tells the sender which chunks an earlier run left here. Rejects when the lane dies. */
export async function sayHeld(lane: LanePort, chunks: Chunks): Promise<void> {
  for (const list of chunks.heldBefore(MAX_HAVE)) await lane.send({ type: 'have', chunks: list });
}

export class Closing {
  readonly #ports: ClosingPorts;
  readonly #chunks: Chunks;
  readonly #arrivals: Arrivals;
  readonly #ending: Ending;
  #lane: LanePort | undefined;
  #confirmed = false;

  constructor(ports: ClosingPorts, chunks: Chunks, arrivals: Arrivals, ending: Ending) {
    this.#ports = ports;
    this.#chunks = chunks;
    this.#arrivals = arrivals;
    this.#ending = ending;
  }

  get confirmed(): boolean {
    return this.#confirmed;
  }

  /** Says it on the first of these, unless it is being said on one of them already. */
  say(lanes: Iterable<LanePort>): void {
    const live = [...lanes];
    if (this.#confirmed || (this.#lane && live.includes(this.#lane))) return;
    this.#lane = live[0];
    if (this.#lane) void this.#tell(this.#lane).catch(() => {});
  }

  /** The sender's last word; its repetitions change nothing. */
  take(lane: LanePort, { root, started, ended }: Message & { type: 'finished' }): void {
    lane.send({ type: 'confirmed' }).catch(() => {});
    if (this.#confirmed) return;
    this.#confirmed = true;
    const { absent } = this.#ending;
    const { chunks } = this.#chunks.offer.space;
    const hash = (chunk: number) => (absent(chunk) ? undefined : this.#chunks.hash(chunk));
    if (equalBytes(root, this.#ending.root)) this.#ports.complete({ root, hash, chunks, started, ended });
    else this.#ports.fail(differentRoots());
  }

  /** The root covers what an earlier run had too. A sender that did not serve that has to be told what it was. */
  async #tell(lane: LanePort): Promise<void> {
    const { root, gone } = this.#ending;
    await sayHeld(lane, this.#chunks);
    this.#arrivals.sayUnsure(lane);
    await lane.send({ type: 'finish', root, gone });
  }
}
