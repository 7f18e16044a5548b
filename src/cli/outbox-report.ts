/** What leaves the outbox in plain sentences, and on a terminal a line for each item that is under way. */
import { basename } from 'node:path';
import { escapeName } from '../base/printable.ts';
import type { OutboxEvent } from '../node/outbox.ts';
import { formatBytes, formatDuration, formatRate, percentOf } from './format.ts';
import { withHint } from './hints.ts';
import { listed } from './instructions.ts';
import { keepEnd } from './measure.ts';

/** `film.mkv, notes and 3 more`. */
export function pathNames(paths: readonly string[]): string {
  return listed(paths.map((path) => escapeName(basename(path))));
}

export class OutboxReport {
  readonly #say: (line: string) => void;
  readonly #sending = new Map<number, string>();

  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  apply(event: OutboxEvent): void {
    if (!('item' in event)) return this.#say(`Warning: ${withHint(event)}`);
    const { item, device } = event;
    switch (event.event) {
      case 'waiting':
        return this.#say(`Item ${item} of the outbox, ${pathNames(event.paths)}, waits for ${device}.`);
      case 'peer':
        return this.#say(`${device} is there: sending item ${item} of the outbox.`);
      case 'progress': {
        const { bytes, total, rate } = event;
        const part =
          total === null ? formatBytes(bytes) : `${percentOf(bytes, total)}% of ${formatBytes(total)}`;
        this.#sending.set(item, `To ${device}: ${part}, ${formatRate(rate)}`);
        return;
      }
      case 'warning':
        return this.#say(`Warning: item ${item}: ${withHint(event)}`);
      case 'sent': {
        this.#sending.delete(item);
        const what = `${pathNames(event.paths)} (${formatBytes(event.bytes)})`;
        return this.#say(`Sent to ${device}: ${what}, verified, in ${formatDuration(event.seconds)}.`);
      }
      case 'unsent': {
        this.#sending.delete(item);
        const then = event.final ? 'It is not tried again.' : 'It is tried again.';
        return this.#say(`Not sent to ${device}: ${pathNames(event.paths)}. ${withHint(event)} ${then}`);
      }
    }
  }

  lines(width: number): string[] {
    return [...this.#sending.values()].map((line) => keepEnd(line, width));
  }
}
