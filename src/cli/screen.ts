/**
 * The person's side of stderr: plain lines, and on a terminal a status of a few lines below them that is redrawn in
 * place. Everything but `raw` is escaped here once more, so nothing that quotes a peer can steer the terminal.
 */

import { escapeName } from '../base/printable.ts';
import { columns } from './measure.ts';

/** The part of process.stderr that is used. */
export interface Output {
  write(text: string): boolean;
  isTTY?: boolean;
  columns?: number;
  rows?: number;
  on?(event: 'resize', listener: () => void): unknown;
  off?(event: 'resize', listener: () => void): unknown;
}

const DEFAULT_COLUMNS = 80;
const DEFAULT_ROWS = 24;
const MOST_WAITING = 1000;

export class Screen {
  /** True where a status can be redrawn in place. */
  readonly live: boolean;
  readonly #stream: Output;
  readonly #color: boolean;
  #status: readonly string[] = [];
  #drawn: readonly string[] = [];
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
    return Math.max(1, (this.#stream.columns || DEFAULT_COLUMNS) - 1);
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
    } else this.#stream.write(this.#erase() + text + this.#paint());
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
    this.#status = lines.map(escapeName);
    if (this.#held !== 'nothing') return;
    const text = this.#erase() + this.#paint();
    if (text) this.#stream.write(text);
  }

  /** Calls back when the terminal's size changes; returns the way to stop. */
  onResize(listener: () => void): () => void {
    if (!this.live || !this.#stream.on) return () => undefined;
    this.#stream.on('resize', listener);
    return () => this.#stream.off?.('resize', listener);
  }

  #erase(): string {
    if (this.#drawn.length === 0) return '';
    // A terminal that got narrower has wrapped what was drawn: go up as many rows as it takes now.
    const wide = Math.max(1, this.#stream.columns || DEFAULT_COLUMNS);
    const rows = this.#drawn.reduce((sum, line) => sum + Math.max(1, Math.ceil(columns(line) / wide)), 0);
    this.#drawn = [];
    return `\r${rows > 1 ? `\x1b[${rows - 1}A` : ''}\x1b[J`;
  }

  #paint(): string {
    if (this.#held !== 'nothing') return '';
    this.#drawn = this.#status;
    const text = this.#status.join('\n');
    return this.#color ? text.replace(/━+/, (bar) => `\x1b[32m${bar}\x1b[39m`) : text;
  }
}
