/**
 * A map of chunks that is told to a peer as it changes: whole on each new lane, and then its changed pages a few times a second. A lane has
 * one such message on its way at a time, so that a slow one hears less often, and never of more than one map.
 */
import { Alarm, type Clock } from '../base/clock.ts';
import { MAX_HOLDS } from '../base/limits.ts';
import type { ByteSpace } from '../offer/space.ts';
import type { Message } from '../wire/messages.ts';
import type { LanePort } from './ports.ts';

/** What changed is not told more often than this. */
const EVERY_MS = 200;
/** Bytes of the map that are told together: 256 chunks. */
export const MAP_PAGE = 32;
/** And at most: a message may hold two maps. */
const MOST = MAX_HOLDS / 2;

interface Telling {
  /** Pages that this lane is to be told of. */
  readonly changed: Set<number>;
  running: boolean;
}

export interface MapNewsPorts {
  clock: Clock;
  /** Whose chunks the map is of; a stream's grows. */
  space: Pick<ByteSpace, 'chunks'>;
  /** Says its bytes `from` up to, not including, `to`. `news`: some of them have changed. Without it, zeros need not be said. */
  message: (from: number, to: number, news: boolean) => Message | undefined;
}

export class MapNews {
  readonly #ports: MapNewsPorts;
  readonly #lanes = new Map<LanePort, Telling>();
  readonly #soon: Alarm;

  constructor(ports: MapNewsPorts) {
    this.#ports = ports;
    this.#soon = new Alarm(ports.clock);
  }

  addLane(lane: LanePort): void {
    const telling: Telling = { changed: new Set(), running: false };
    this.#lanes.set(lane, telling);
    void this.#tellAll(lane, telling);
  }

  removeLane(lane: LanePort): void {
    this.#lanes.delete(lane);
  }

  changed(chunk: number): void {
    const page = Math.floor(chunk / (8 * MAP_PAGE));
    for (const { changed } of this.#lanes.values()) changed.add(page);
    if (this.#lanes.size > 0 && !this.#soon.waits) this.#soon.set(EVERY_MS, () => this.#tellNews());
  }

  stop(): void {
    this.#soon.clear();
    this.#lanes.clear();
  }

  /** Bytes of the map now. */
  get #length(): number {
    return Math.ceil(this.#ports.space.chunks / 8);
  }

  #tellNews(): void {
    for (const [lane, telling] of this.#lanes) void this.#tell(lane, telling);
  }

  async #tellAll(lane: LanePort, telling: Telling): Promise<void> {
    telling.running = true;
    const length = this.#length;
    for (let from = 0; from < length; from += MOST)
      if (!(await this.#send(lane, from, from + MOST, false))) return;
    telling.running = false;
    this.#tellLater(telling);
  }

  async #tell(lane: LanePort, telling: Telling): Promise<void> {
    if (telling.running || telling.changed.size === 0) return;
    telling.running = true;
    const pages = [...telling.changed].sort((a, b) => a - b);
    telling.changed.clear();
    for (let at = 0; at < pages.length; ) {
      const first = pages[at]!;
      let end = first + 1;
      for (at++; pages[at] === end && (end + 1 - first) * MAP_PAGE <= MOST; at++) end++;
      if (!(await this.#send(lane, first * MAP_PAGE, end * MAP_PAGE, true))) return;
    }
    telling.running = false;
    this.#tellLater(telling);
  }

  /** What changed while something else was told. */
  #tellLater({ changed }: Telling): void {
    if (changed.size > 0 && !this.#soon.waits) this.#soon.set(EVERY_MS, () => this.#tellNews());
  }

  /** False once the lane is gone: the next one is told everything. */
  async #send(lane: LanePort, from: number, to: number, news: boolean): Promise<boolean> {
    const message = this.#ports.message(from, Math.min(to, this.#length), news);
    try {
      if (message && this.#lanes.has(lane)) await lane.send(message);
    } catch {
      return false;
    }
    return this.#lanes.has(lane);
  }
}
