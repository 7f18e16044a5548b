/** Long work in a page, cut so that it is drawn, and clicks and lanes get their turn. */
import { realClock } from '../../base/clock.ts';
import * as protocol from '../../base/slices.ts';

/** What runs at the same time takes turns. */
const line = new protocol.Line(realClock.now());

export class PageSlices extends protocol.Slices {
  constructor() {
    super(realClock, undefined, line);
  }
}
