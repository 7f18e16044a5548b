/** Files that changed or went away at the origin: every lane hears of each, in order, before what comes after it. */
import type { BeelineError } from '../base/errors.ts';
import type { Message } from '../wire/messages.ts';
import type { LanePort } from './ports.ts';

interface Telling {
  /** How many this lane has been told of. */
  told: number;
  /** The telling that is under way. */
  running: Promise<void> | undefined;
}

export class GoneNews {
  readonly #messages: (Message & { type: 'gone' })[] = [];
  readonly #lanes = new Map<LanePort, Telling>();

  addLane(lane: LanePort): void {
    this.#lanes.set(lane, { told: 0, running: undefined });
    void this.tell(lane);
  }

  removeLane(lane: LanePort): void {
    this.#lanes.delete(lane);
  }

  declare(entry: number, error: BeelineError): void {
    this.#messages.push({ type: 'gone', entry, code: error.code, text: error.message.slice(0, 500) });
    for (const lane of this.#lanes.keys()) void this.tell(lane);
  }

  /** Resolves when the lane has been told of all there are then, or is dead. Undefined: it has been. */
  tell(lane: LanePort): Promise<void> | undefined {
    const telling = this.#lanes.get(lane);
    if (!telling) return undefined;
    if (telling.told < this.#messages.length) telling.running ??= this.#run(lane, telling);
    return telling.running;
  }

  /** One after the other: there may be more of them than a lane's queue holds. */
  async #run(lane: LanePort, telling: Telling): Promise<void> {
    try {
      while (telling.told < this.#messages.length) await lane.send(this.#messages[telling.told++]!);
    } catch {
      // The lane is dead; the next one is told everything.
    }
    telling.running = undefined;
  }
}
