/** Long runs of synchronous calls, cut so that sockets and timers get their turn. */
import { setImmediate } from 'node:timers/promises';

/** Long enough to make yielding cheap, short enough that lanes and keys do not notice. */
const SLICE_MS = 4;

export class Slices {
  #end = performance.now() + SLICE_MS;

  /** True once this slice has used its time; then `await next()`. */
  over(): boolean {
    return performance.now() >= this.#end;
  }

  /** Lets the event loop run once. */
  async next(): Promise<void> {
    await setImmediate();
    this.#end = performance.now() + SLICE_MS;
  }
}
