/** Long runs of synchronous calls on Node, cut so that sockets, timers and signals get their turn. */
import { setImmediate } from 'node:timers/promises';
import { realClock } from '../../base/clock.ts';
import { unlessInterrupted } from '../../base/errors.ts';
import * as protocol from '../../base/slices.ts';

/** Dozens of chunks are written side by side: together they hold the process no longer than one. */
const line = new protocol.Line(realClock.now());

export class FileSlices extends protocol.Slices {
  constructor() {
    super(realClock, () => setImmediate(), line);
  }
}

/**
 * Does something with each, and lets others have their turn meanwhile.
 * @throws BeelineError INTERRUPTED once the signal is aborted, which can only be meanwhile
 */
export async function inSlices<T>(
  items: Iterable<T>,
  work: (item: T) => void | Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  const slices = new FileSlices();
  for (const item of items) {
    if (slices.over()) {
      await slices.next();
      unlessInterrupted(signal, 'all was looked at');
    }
    const more = work(item);
    if (more) await more;
  }
}
