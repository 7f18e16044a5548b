/**
 * The person's side of stderr: plain lines, and on a terminal a status of a few lines below them that is redrawn in
 * place. Everything but `raw` is escaped here once more, so nothing that quotes a peer can steer the terminal.
 */

import { escapeName } from '../base/printable.ts';
import { columns, rowsOf } from './measure.ts';

/** The part of process.stderr that is used. */
export interface Output {
  write(text: string): boolean;
  isTTY?: boolean;
  columns?: number;
  rows?: number;
  /** Node's own, when the signal of a new size has come: sets `columns` and `rows`, and emits `resize`. */
  _refreshSize?(): void;
  on?(event: 'resize', listener: () => void): unknown;
  off?(event: 'resize', listener: () => void): unknown;
}

const DEFAULT_COLUMNS = 80;
const DEFAULT_ROWS = 24;
const MOST_WAITING = 1000;

/** A terminal that knows it shows what stands between them at once. Others take no notice. */
const FRAME_BEGIN = '\x1b[?2026h';
const FRAME_END = '\x1b[?2026l';

export class Screen {
  /** True where a status can be redrawn in place. */
  readonly live: boolean;
  readonly #stream: Output;
  readonly #color: boolean;
  #status: readonly string[] = [];
  /** Below it the cursor waits on an empty line: not every terminal wraps the cursor's own line anew when it gets narrower. */
  #drawn: readonly string[] = [];
  /** Columns of the terminal when that was drawn. */
  #drawnColumns = 0;
  #held: 'nothing' | 'status' | 'all' = 'nothing';
  /** Lines held back, the last ones. */
  #waiting: string[] = [];

  constructor(stream: Output, env: Readonly<Record<string, string | undefined>> = {}) {
    this.#stream = stream;
    this.live = stream.isTTY === true && env.TERM !== 'dumb';
    // https://no-color.org: present and not empty, whatever its value.
    this.#color = this.live && !env.NO_COLOR;
  }

  /** Columns that may be filled. The last one stays free: some terminals wrap as soon as it is written. */
  get width(): number {
    return Math.max(1, this.#columns - 1);
  }

  get #columns(): number {
    return this.#stream.columns || DEFAULT_COLUMNS;
  }

  /** Rows of the terminal. */
  get height(): number {
    return Math.max(1, this.#stream.rows || DEFAULT_ROWS);
  }

  /** Each text is one line; a line feed inside one is shown as an escape, for a peer may have put it there. */
  line(...texts: (string | readonly string[])[]): void {
    this.raw(
      texts
        .flat()
        .map((text) => `${escapeName(text)}\n`)
        .join(''),
    );
  }

  /** Whole lines that are safe already: a QR code, a log line. */
  raw(text: string): void {
    if (this.#held === 'all') {
      this.#waiting.push(text);
      if (this.#waiting.length > MOST_WAITING) this.#waiting.shift();
    } else {
      this.#look();
      this.#frame(this.#erase() + text + this.#paint());
    }
  }

  /**
   * In the background a status is not drawn, since the terminal is another program's. Where output would even stop this
   * process, lines wait too, until it is in front again.
   */
  hold(what: 'nothing' | 'status' | 'all'): void {
    // Whoever is in front has drawn over it.
    if (what !== 'nothing') this.#drawn = [];
    this.#held = what;
    if (what === 'all') return;
    for (const text of this.#waiting.splice(0)) this.raw(text);
  }

  /** Replaces the status; each line must fit `width`. Does nothing where there is no terminal. */
  status(lines: readonly string[]): void {
    if (!this.live) return;
    // One row is the cursor's.
    const most = this.height - 1;
    this.#status = lines.slice(0, most).map(escapeName);
    if (this.#held !== 'nothing') return;
    this.#look();
    const text = this.#isPlace ? this.#changes() : this.#erase() + this.#paint();
    if (text) this.#frame(text);
  }

  /** Calls back when the terminal's size changes; returns the way to stop. */
  onResize(listener: () => void): () => void {
    if (!this.live || !this.#stream.on) return () => undefined;
    this.#stream.on('resize', listener);
    return () => this.#stream.off?.('resize', listener);
  }

  /**
   * The signal of a new size waits until this process has nothing else to do. A frame that is drawn before that would climb over too
   * few rows, and leave what it did not reach.
   */
  #look(): void {
    if (this.#drawn.length === 0) return;
    try {
      this.#stream._refreshSize?.();
    } catch {
      // The terminal is gone.
    }
  }

  /** One write: the terminal never shows a part of it. */
  #frame(text: string): void {
    const drawn = this.#drawn.length > 0 || text.startsWith('\x1b');
    this.#stream.write(drawn ? FRAME_BEGIN + text + FRAME_END : text);
  }

  /** What was drawn stands as it was, each line in one row, and there are to be as many. */
  get #isPlace(): boolean {
    const wide = this.#columns;
    const same = this.#drawn.length === this.#status.length && this.#drawnColumns === wide;
    return same && this.#drawn.every((line) => columns(line) < wide);
  }

  /** Writes over the lines that differ. None is empty for a moment, and those that are the same are not touched. */
  #changes(): string {
    const drawn = this.#drawn;
    const first = this.#status.findIndex((line, index) => line !== drawn[index]);
    if (first < 0) return '';
    const lines = this.#status
      .slice(first)
      .map((line, index) => (line === drawn[first + index] ? '\n' : `${this.#colored(line)}\x1b[K\n`));
    this.#drawn = this.#status;
    return `\x1b[${drawn.length - first}A${lines.join('')}`;
  }

  #erase(): string {
    if (this.#drawn.length === 0) return '';
    // A terminal that got narrower has wrapped what was drawn: go up as many rows as it takes now.
    const wide = this.#columns;
    const rows = this.#drawn.reduce((sum, line) => sum + rowsOf(line, wide), 0);
    this.#drawn = [];
    return `\x1b[${rows}A\x1b[J`;
  }

  #paint(): string {
    if (this.#held !== 'nothing') return '';
    this.#drawn = this.#status;
    this.#drawnColumns = this.#columns;
    return this.#status.map((line) => `${this.#colored(line)}\n`).join('');
  }

  #colored(line: string): string {
    return this.#color ? line.replace(/\u2501+/, (bar) => `\x1b[32m${bar}\x1b[39m`) : line;
  }
}
