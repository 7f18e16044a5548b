/**
 * Which chunks the origin has given to receivers that share, and of which it knows the hash. All who share are told, so that each
 * asks the origin first for what nobody has been given: then each chunk leaves it about once. It is a hint: nothing depends on it.
 * The first one is told nothing before there is a second, and fetches as anybody who is alone.
 */
import { Bitfield } from '../base/bitfield.ts';
import type { Clock } from '../base/clock.ts';
import type { ByteSpace } from '../offer/space.ts';
import { MapNews } from './map-news.ts';
import type { LanePort } from './ports.ts';

/** One receiver that shares. */
export interface Giving {
  addLane(lane: LanePort): void;
  removeLane(lane: LanePort): void;
  /** It has asked for this chunk, or has it. */
  give(chunk: number): void;
  /** Only others were given it. */
  others(chunk: number): boolean;
  /** It shares no more: what only it was given is anybody's again. */
  end(): void;
}

export class Givings {
  readonly #clock: Clock;
  readonly #space: ByteSpace;
  readonly #hashed: Bitfield;
  /** Given to anybody who shares now. */
  readonly #given = new Bitfield();
  readonly #all = new Set<{ given: Bitfield; news: MapNews }>();
  /** There were two at once. Until then nobody is told anything. */
  #told = false;

  /** @param hashed chunks whose hash is known */
  constructor(clock: Clock, space: ByteSpace, hashed: Bitfield) {
    this.#clock = clock;
    this.#space = space;
    this.#hashed = hashed;
  }

  join(): Giving {
    const given = new Bitfield();
    const news = new MapNews({
      clock: this.#clock,
      space: this.#space,
      message: (from, to, changed) => {
        if (!this.#told) return undefined;
        const [bits, hashed] = [this.#given.bytes(from, to), this.#hashed.bytes(from, to)];
        const says = changed || bits.some((byte) => byte !== 0) || hashed.some((byte) => byte !== 0);
        return says ? { type: 'given', first: from * 8, bits, hashed } : undefined;
      },
    });
    const one = { given, news };
    this.#all.add(one);
    if (this.#all.size === 2 && !this.#told) {
      this.#told = true;
      for (const map of [this.#given, this.#hashed]) for (const chunk of map) this.#changed(chunk);
    }
    return {
      addLane: (lane) => news.addLane(lane),
      removeLane: (lane) => news.removeLane(lane),
      give: (chunk) => {
        if (given.add(chunk) && this.#given.add(chunk)) this.#changed(chunk);
      },
      others: (chunk) => this.#given.has(chunk) && !given.has(chunk),
      end: () => {
        news.stop();
        this.#all.delete(one);
        for (const chunk of given) {
          if ([...this.#all].some((other) => other.given.has(chunk))) continue;
          this.#given.remove(chunk);
          this.#changed(chunk);
        }
      },
    };
  }

  /** The hash of a chunk has become known. */
  hashed(chunk: number): void {
    this.#changed(chunk);
  }

  #changed(chunk: number): void {
    for (const { news } of this.#all) news.changed(chunk);
  }
}
