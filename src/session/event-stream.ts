/** Events for whoever listens: callbacks at once, and an async iterator that never holds more than one progress. */
import { harmless } from '../base/callback.ts';
import type { TransferEvent } from './api.ts';

/** Events an iterator may lag behind before the oldest progress, then the oldest of all, is dropped. */
const MAX_LAG = 1000;

export class EventStream implements AsyncIterable<TransferEvent> {
  readonly #listeners = new Set<(event: TransferEvent) => void>();
  readonly #past: TransferEvent[] = [];
  #ended = false;

  emit(event: TransferEvent): void {
    if (this.#ended) return;
    // Who comes late hears everything but old progress: the code must not be missed.
    replace(this.#past, event);
    bound(this.#past);
    this.#ended = event.event === 'done' || event.event === 'error';
    for (const listener of [...this.#listeners]) listener(event);
  }

  subscribe(listener: (event: TransferEvent) => void): () => void {
    // A listener's bug must show, but must neither disturb a transition nor end the process.
    const safe = harmless('a listener of `subscribe`', listener);
    // A copy: a listener may bring about events, which it hears as they come.
    for (const event of [...this.#past]) safe(event);
    this.#listeners.add(safe);
    return () => void this.#listeners.delete(safe);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<TransferEvent> {
    const queue: TransferEvent[] = [];
    let wake = () => {};
    const stop = this.subscribe((event) => {
      replace(queue, event);
      bound(queue);
      wake();
    });
    try {
      for (;;) {
        const event = queue.shift();
        if (event) {
          yield event;
          if (event.event === 'done' || event.event === 'error') return;
        } else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    } finally {
      stop();
    }
  }
}

/** A newer one of these about the same peer says all that the older one said. */
export const SUPERSEDED: ReadonlySet<string> = new Set<TransferEvent['event']>([
  'progress',
  'swarm',
  'reading',
]);

const peerOf = (event: TransferEvent) => ('peer' in event ? event.peer : undefined);

/** Puts an event at the end of the queue, in the place of the one before it that it supersedes. */
function replace(queue: TransferEvent[], event: TransferEvent): void {
  for (let at = queue.length - 1; at >= 0 && SUPERSEDED.has(event.event); at--) {
    const before = queue[at]!;
    if (!SUPERSEDED.has(before.event)) break;
    if (before.event !== event.event || peerOf(before) !== peerOf(event)) continue;
    queue.splice(at, 1);
    break;
  }
  queue.push(event);
}

const isDroppable = ({ event }: TransferEvent) => SUPERSEDED.has(event) || event === 'lane';

/** Drops one event from a full queue: the oldest that says least, and never the newest. */
function bound(queue: TransferEvent[]): void {
  if (queue.length > MAX_LAG) queue.splice(Math.max(0, queue.findIndex(isDroppable)), 1);
}
