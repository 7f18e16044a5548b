/** Counting by address: how many are there now, and how often something happened in the last hour. */
import { REMEMBERED_ADDRESSES } from './limits.ts';

/** How many things each key holds at this moment. Keys with none are forgotten. */
export class Holdings {
  readonly #counts = new Map<string, number>();

  of(key: string): number {
    return this.#counts.get(key) ?? 0;
  }

  add(key: string, amount = 1): void {
    this.#counts.set(key, this.of(key) + amount);
  }

  remove(key: string, amount = 1): void {
    const left = this.of(key) - amount;
    if (left > 0) this.#counts.set(key, left);
    else this.#counts.delete(key);
  }
}

/** Events, or amounts of something, per key in windows of a fixed length that start with a key's first event. */
export class Windowed {
  readonly #windows = new Map<string, { count: number; ends: number }>();
  readonly #length: number;
  readonly #max: number;

  /** @param length of a window in milliseconds. */
  constructor(length: number, max = REMEMBERED_ADDRESSES) {
    this.#length = length;
    this.#max = max;
  }

  get size(): number {
    return this.#windows.size;
  }

  /** Counts one event, or an amount, and returns how much there was in the present window, this included. */
  hit(key: string, now: number, amount = 1): number {
    const window = this.#windows.get(key);
    if (window && window.ends > now) {
      window.count += amount;
      return window.count;
    }
    this.#windows.delete(key);
    // A Map keeps insertion order and windows have one length: the first is always the oldest.
    if (this.#windows.size >= this.#max) this.#windows.delete(this.#windows.keys().next().value!);
    this.#windows.set(key, { count: amount, ends: now + this.#length });
    return amount;
  }

  /** How much there was so far in the present window. */
  of(key: string, now: number): number {
    const window = this.#windows.get(key);
    return window && window.ends > now ? window.count : 0;
  }

  /** Milliseconds until the key's window ends. */
  wait(key: string, now: number): number {
    return Math.max(0, (this.#windows.get(key)?.ends ?? now) - now);
  }

  sweep(now: number): void {
    for (const [key, window] of this.#windows) {
      if (window.ends > now) return;
      this.#windows.delete(key);
    }
  }
}
