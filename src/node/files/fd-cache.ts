/** A few open files, the least recently used closed first, none while it is being used. */
import { closeSync } from 'node:fs';

const MAX_OPEN = 16;

interface Held {
  readonly fd: number;
  users: number;
  /** No longer in the cache: to be closed by its last user. */
  dropped: boolean;
}

export class FdCache {
  readonly #open: (key: number) => number;
  /** In order of last use. */
  readonly #held = new Map<number, Held>();
  #users = 0;
  #closed: (() => void)[] = [];

  /** @param open opens the file of a key; what it throws, `use` throws. */
  constructor(open: (key: number) => number) {
    this.#open = open;
  }

  /** Runs `work` on the open file of a key. Never closes a file under it. */
  async use<T>(key: number, work: (fd: number) => Promise<T>): Promise<T> {
    const held = this.#held.get(key) ?? { fd: this.#open(key), users: 0, dropped: false };
    this.#held.delete(key);
    this.#held.set(key, held);
    held.users++;
    this.#users++;
    this.#trim(MAX_OPEN);
    try {
      return await work(held.fd);
    } finally {
      held.users--;
      this.#users--;
      if (held.dropped && held.users === 0) closeSync(held.fd);
      this.#trim(this.#closed.length > 0 ? 0 : MAX_OPEN);
      if (this.#users === 0) for (const resolve of this.#closed.splice(0)) resolve();
    }
  }

  /** Closes one file, at once or behind whoever uses it now. */
  drop(key: number): void {
    const held = this.#held.get(key);
    if (!held) return;
    this.#held.delete(key);
    held.dropped = true;
    if (held.users === 0) closeSync(held.fd);
  }

  /** Closes everything; resolves once running `use`s are done, each of which is one read or write. */
  close(): Promise<void> {
    this.#trim(0);
    if (this.#users === 0) return Promise.resolve();
    return new Promise((resolve) => this.#closed.push(resolve));
  }

  #trim(most: number): void {
    for (const [key, held] of this.#held) {
      if (this.#held.size <= most) return;
      if (held.users === 0) this.drop(key);
    }
  }
}
