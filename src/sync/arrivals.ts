/**
 * What the receiver tells the sender of its progress: how much is here, and which chunks are down. A few times a second
 * at most. What may have been lost with a lane is said again on another.
 */
import { Alarm, type Clock } from '../base/clock.ts';
import { MAX_HAVE } from '../base/limits.ts';
import type { LanePort } from './ports.ts';

/** Not more often than this. */
const EVERY_MS = 200;
/** What was said on a lane is said again if it dies: so many chunks, the last ones, may have been under way. */
const MAX_UNSURE = 4 * MAX_HAVE;

export class Arrivals {
  readonly #soon: Alarm;
  readonly #bytes: () => number;
  /** Down, and not said yet. */
  #news: number[] = [];
  #said: number[] = [];
  #lane: LanePort | undefined;
  #kept = 0;
  #told = -1;

  /** @param bytes that are here now */
  constructor(clock: Clock, bytes: () => number) {
    this.#soon = new Alarm(clock);
    this.#bytes = bytes;
  }

  /** A chunk is down; `kept` bytes of it were here before. */
  down(chunk: number, kept: number, lanes: Iterable<LanePort>): void {
    this.#news.push(chunk);
    this.#kept += kept;
    this.more(lanes);
  }

  /** More is here than before: it is said soon, on one of the lanes that there are then. */
  more(lanes: Iterable<LanePort>): void {
    if (!this.#soon.waits) this.#soon.set(EVERY_MS, () => this.say(lanes));
  }

  /** Says it now, on the first of these. */
  say(lanes: Iterable<LanePort>): void {
    const [lane] = lanes;
    const bytes = this.#bytes();
    if (!lane || (this.#news.length === 0 && bytes === this.#told)) return;
    if (lane !== this.#lane) this.#said = [];
    this.#lane = lane;
    this.#told = bytes;
    const news = this.#news;
    this.#news = [];
    for (let at = 0; at === 0 || at < news.length; at += MAX_HAVE) {
      const chunks = news.slice(at, at + MAX_HAVE);
      lane.send({ type: 'arrived', bytes, kept: this.#kept, chunks }).catch(() => {});
    }
    for (const chunk of news) this.#said.push(chunk);
    if (this.#said.length > 2 * MAX_UNSURE) this.#said = this.#said.slice(-MAX_UNSURE);
  }

  /** Says on this lane all that may be lost, before the last word goes on it. */
  sayUnsure(lane: LanePort): void {
    if (this.#lane && this.#lane !== lane) this.lost(this.#lane);
    this.say([lane]);
  }

  /** That lane is gone: what was said on it last may not have been heard. */
  lost(lane: LanePort): void {
    if (lane !== this.#lane) return;
    for (const chunk of this.#said) this.#news.push(chunk);
    this.#said = [];
    this.#told = -1;
    this.#lane = undefined;
  }

  /** Nothing is said any more by itself. */
  stop(): void {
    this.#soon.clear();
  }

  /** All begins anew: what is down is said in another way. */
  clear(): void {
    this.#news = [];
    this.#said = [];
  }

  /** The same, for a new process of the sender, which has heard nothing yet. */
  renewed(): void {
    this.clear();
    this.#kept = 0;
    this.#told = -1;
  }
}
