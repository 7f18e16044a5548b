/** The `--json` contract: one object a line on stdout, safe to look at in a terminal, and nothing else there. */
import { jsonLine } from '../base/json-line.ts';

export { jsonLine };

export class JsonOutput {
  readonly #stream: NodeJS.WritableStream & { writableNeedDrain?: boolean };

  constructor(stream: NodeJS.WritableStream) {
    this.#stream = stream;
  }

  /**
   * Progress that the reader has no room for is dropped, since the next one tells more; the other events are few, and
   * on POSIX a pipe is written to synchronously, so a slow reader slows its writer.
   */
  write(value: { event: string }): void {
    if (value.event === 'progress' && this.#stream.writableNeedDrain) return;
    this.#stream.write(`${jsonLine(value)}\n`);
  }
}
