/** A terminal as people have it: what is written to it becomes rows, and a change of its size wraps them anew. */
import xterm from '@xterm/headless';
import type { Output } from '../../src/cli/screen.ts';

const MAX_SCROLLBACK = 10_000;

export class VirtualTerminal implements Output {
  readonly isTTY = true;
  readonly #terminal: InstanceType<typeof xterm.Terminal>;
  readonly #listeners = new Set<() => void>();
  #written: Promise<void> = Promise.resolve();
  /** Each text that was written. */
  readonly writes: string[] = [];

  constructor(columns: number, rows = 24) {
    this.#terminal = new xterm.Terminal({
      ...{ cols: columns, rows, scrollback: MAX_SCROLLBACK, allowProposedApi: true },
      // As a kernel does for what a program writes.
      convertEol: true,
    });
  }

  get columns(): number {
    return this.#terminal.cols;
  }

  get rows(): number {
    return this.#terminal.rows;
  }

  write(text: string | Uint8Array): boolean {
    if (typeof text === 'string') this.writes.push(text);
    this.#written = new Promise((done) => this.#terminal.write(text, done));
    return true;
  }

  on(_event: 'resize', listener: () => void): void {
    this.#listeners.add(listener);
  }

  off(_event: 'resize', listener: () => void): void {
    this.#listeners.delete(listener);
  }

  /** What was written before was written at the old size; only then is the program told. */
  async resize(columns: number, rows = this.rows): Promise<void> {
    await this.#written;
    this.#terminal.resize(columns, rows);
    for (const listener of this.#listeners) listener();
  }

  /** All rows that were ever shown, without the empty ones at the end. A line that was wrapped is in several. */
  async shown(): Promise<string[]> {
    await this.#written;
    const { active } = this.#terminal.buffer;
    const rows: string[] = [];
    for (let row = 0; row < active.length; row++)
      rows.push(active.getLine(row)?.translateToString(true) ?? '');
    while (rows.at(-1)?.trim() === '') rows.pop();
    return rows;
  }

  /** The same, with what was wrapped put together again. */
  async lines(): Promise<string[]> {
    await this.#written;
    const { active } = this.#terminal.buffer;
    const lines: string[] = [];
    for (let row = 0; row < active.length; row++) {
      const line = active.getLine(row);
      const wrapped = line?.isWrapped && lines.length > 0;
      // The row above one that goes on is full.
      const text = line?.translateToString(!active.getLine(row + 1)?.isWrapped) ?? '';
      if (wrapped) lines[lines.length - 1] += text;
      else lines.push(text);
    }
    while (lines.at(-1)?.trim() === '') lines.pop();
    return lines;
  }
}
