/** The `--json` contract: one object a line on stdout, safe to look at in a terminal, and nothing else there. */
import { once } from 'node:events';

// JSON itself escapes only C0 and lone surrogates. DEL, C1, bidi and invisible characters in a file name would still
// reach the terminal of someone who just looks at the output; as \u escapes they mean the same to every parser.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/** One line, without the line feed. */
export function jsonLine(value: object): string {
  return JSON.stringify(value).replace(UNSAFE, (found) => {
    let text = '';
    for (let i = 0; i < found.length; i++) text += `\\u${found.charCodeAt(i).toString(16).padStart(4, '0')}`;
    return text;
  });
}

export class JsonOutput {
  readonly #stream: NodeJS.WritableStream & { writableNeedDrain?: boolean };

  constructor(stream: NodeJS.WritableStream) {
    this.#stream = stream;
  }

  /**
   * Resolves when there is room for more, however long the reader takes: a slow reader of a pipe slows its writer.
   * Progress that nobody has room for is dropped, since the next tells more.
   */
  async write(value: { event: string }, signal?: AbortSignal): Promise<void> {
    if (value.event === 'progress' && this.#stream.writableNeedDrain) return;
    if (this.#stream.write(`${jsonLine(value)}\n`)) return;
    // A reader that went away or a person who interrupts ends the wait; the stream's own handler says what follows.
    await once(this.#stream, 'drain', { signal }).catch(() => undefined);
  }
}
