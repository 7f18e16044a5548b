/** Long work in a page, cut so that it is drawn, and clicks and lanes get their turn. */
import * as protocol from '../../protocol/slices.ts';

export class Slices extends protocol.Slices {
  constructor() {
    super(
      () => performance.now(),
      () => new Promise((resolve) => setTimeout(resolve)),
    );
  }
}
