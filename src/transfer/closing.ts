/**
 * The end of a transfer, at the receiver: it says what it came to on one lane, again on another if that one dies, and
 * compares it with what the sender came to.
 */
import { equalBytes } from '../protocol/bytes.ts';
import { BeelineError } from '../protocol/errors.ts';
import { MAX_HAVE } from '../protocol/limits.ts';
import type { Message } from '../protocol/messages.ts';
import type { ReceiverPorts } from './engine-ports.ts';
import type { Holdings } from './holdings.ts';
import type { LanePort } from './ports.ts';

type ClosingPorts = Pick<ReceiverPorts, 'complete' | 'fail'>;

export interface Ending {
  root: Uint8Array;
  chunks: number;
  absent: (chunk: number) => boolean;
  gone: number[];
}

/** What either side says when the two roots are not equal. */
export function differentRoots(): BeelineError {
  const text = 'The two sides have different roots: what arrived is not what was sent.';
  return new BeelineError('VERIFICATION', text);
}

/** Tells the sender which chunks an earlier run left here. Rejects when the lane dies. */
export async function sayHeld(lane: LanePort, holdings: Holdings, chunks: number): Promise<void> {
  for (const list of holdings.heldBefore(chunks, MAX_HAVE)) await lane.send({ type: 'have', chunks: list });
}

export class Closing {
  readonly #ports: ClosingPorts;
  readonly #holdings: Holdings;
  readonly #ending: Ending;
  #lane: LanePort | undefined;
  #confirmed = false;

  constructor(ports: ClosingPorts, holdings: Holdings, ending: Ending) {
    this.#ports = ports;
    this.#holdings = holdings;
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
    const { chunks, absent } = this.#ending;
    const hash = (chunk: number) => (absent(chunk) ? undefined : this.#holdings.hashes.get(chunk));
    if (equalBytes(root, this.#ending.root)) this.#ports.complete({ root, hash, chunks, started, ended });
    else this.#ports.fail(differentRoots());
  }

  /** What an earlier run had is behind the same root: a sender that did not serve it has to be told what it was. */
  async #tell(lane: LanePort): Promise<void> {
    const { root, gone, chunks } = this.#ending;
    await sayHeld(lane, this.#holdings, chunks);
    await lane.send({ type: 'finish', root, gone });
  }
}
