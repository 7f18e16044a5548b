/** Long work in a page, cut so that it is drawn, and clicks and lanes get their turn. */
import { realClock } from '../../protocol/clock.ts';
import * as protocol from '../../protocol/slices.ts';

export class Slices extends protocol.Slices {
  constructor() {
    super(realClock);
  }
}
