/** Long runs of synchronous calls on Node, cut so that sockets, timers and signals get their turn. */
import { setImmediate } from 'node:timers/promises';
import { realClock } from '../../base/clock.ts';
import * as protocol from '../../base/slices.ts';

/** Dozens of chunks are written side by side: together they hold the process no longer than one. */
const line = new protocol.Line(realClock.now());

export class Slices extends protocol.Slices {
  constructor() {
    super(realClock, () => setImmediate(), line);
  }
}
