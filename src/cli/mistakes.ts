/** Several mistakes at once, of which each is told on a line of its own. */
import { BeelineError } from '../base/errors.ts';

export class Mistakes extends BeelineError {
  readonly lines: readonly string[];

  constructor(lines: readonly string[]) {
    super('USAGE', lines.join('\n'));
    this.lines = lines;
  }
}
