/** Two ends of a pipe in memory, asynchronous like a socket, that can be cut or corrupted at any byte. */
import type { Pipe } from '../../src/secure/pipe.ts';

export interface MemoryPipe extends Pipe {
  /** Ends both sides, as a lost connection does: what is under way is lost. */
  cut(): void;
}

export interface Faults {
  /** Cut once this many bytes have crossed from either side. */
  cutAfter?: number;
  /** Largest piece delivered at a time. */
  piece?: number;
}

export function memoryPipes(faults: Faults = {}): [MemoryPipe, MemoryPipe] {
  let crossed = 0;
  let dead = false;
  const ends: End[] = [];
  const cut = () => {
    if (dead) return;
    dead = true;
    for (const end of ends) setImmediate(() => end.closed?.(new Error('cut')));
  };
  interface End extends MemoryPipe {
    data?: (bytes: Uint8Array) => void;
    closed?: (error?: Error) => void;
    queue: Uint8Array[];
    paused: boolean;
    drain(): void;
  }
  const make = (index: number): End => ({
    kind: 'memory',
    local: `memory:${index}`,
    remote: `memory:${1 - index}`,
    queue: [],
    paused: false,
    cut,
    write(bytes, done) {
      const copy = bytes.slice();
      setImmediate(() => {
        if (dead) return done(new Error('cut'));
        const other = ends[1 - index]!;
        const piece = faults.piece ?? 65536;
        for (let at = 0; at < copy.length; at += piece) other.queue.push(copy.subarray(at, at + piece));
        crossed += copy.length;
        other.drain();
        if (faults.cutAfter !== undefined && crossed >= faults.cutAfter) cut();
        done();
      });
    },
    start(data, closed) {
      this.data = data;
      this.closed = closed;
      this.drain();
    },
    drain() {
      while (!dead && !this.paused && this.data && this.queue.length > 0) this.data(this.queue.shift()!);
    },
    pause() {
      this.paused = true;
    },
    resume() {
      this.paused = false;
      setImmediate(() => this.drain());
    },
    destroy: cut,
  });
  ends.push(make(0), make(1));
  return [ends[0]!, ends[1]!];
}
