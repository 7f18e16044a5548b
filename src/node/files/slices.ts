/** Long runs of synchronous calls on Node, cut so that sockets, timers and signals get their turn. */
import { setImmediate } from 'node:timers/promises';
import { realClock } from '../../base/clock.ts';
import * as protocol from '../../base/slices.ts';

/** Dozens of chunks are written side by side: together they hold the process no longer than one. */
const line = new protocol.Line(realClock.now());

export class FileSlices extends protocol.Slices {
  constructor() {
    super(realClock, () => setImmediate(), line);
  }
}

/** Does something with each, and lets others have their turn meanwhile. */
export async function inSlices<T>(
  items: Iterable<T>,
  work: (item: T) => void | Promise<void>,
): Promise<void> {
  const slices = new FileSlices();
  for (const item of items) {
    if (slices.over()) await slices.next();
    const more = work(item);
    if (more) await more;
  }
}
