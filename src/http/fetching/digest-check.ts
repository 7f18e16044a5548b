/**
 * The SHA-256 of a whole file while it comes in pieces from everywhere: what comes in order is hashed as it comes, the rest is read
 * back. It is known before the file's last chunk is written, and so before the file has its name.
 */
import { createHash } from 'node:crypto';
import { fault } from '../../base/errors.ts';
import { quoted } from '../../base/printable.ts';

export interface Expected {
  /** Hex digits. */
  readonly sha256: string;
  /** Who says so, for people. */
  readonly who: string;
}

/** The file's bytes in a chunk; undefined: they are not here yet. */
export type ReadBack = (chunk: number) => Promise<Uint8Array> | undefined;

export class DigestCheck {
  readonly #expected: Expected;
  readonly #path: string;
  readonly #hash = createHash('sha256');
  readonly #end: number;
  #next: number;
  #reading: Promise<void> = Promise.resolve();
  #busy = 0;

  /** @param first @param end chunks: the file's first one, and the one past its last */
  constructor(path: string, expected: Expected, first: number, end: number) {
    this.#path = path;
    this.#expected = expected;
    this.#next = first;
    this.#end = end;
  }

  /** These bytes lie in that chunk: they are hashed if it is their turn and nothing is being read back. */
  take(chunk: number, bytes: Uint8Array): void {
    if (chunk !== this.#next || this.#busy > 0) return;
    this.#hash.update(bytes);
    this.#next++;
  }

  /** Goes on over what is here, behind what is being read already. */
  follow(read: ReadBack): Promise<void> {
    this.#busy++;
    const following = this.#reading.catch(() => {}).then(() => this.#follow(read));
    this.#reading = following.finally(() => this.#busy--);
    this.#reading.catch(() => {});
    return following;
  }

  async #follow(read: ReadBack): Promise<void> {
    while (this.#next < this.#end) {
      const bytes = read(this.#next);
      if (!bytes) return;
      this.#hash.update(await bytes);
      this.#next++;
    }
  }

  /** All of it was hashed. @throws BeelineError VERIFICATION if it is not what it should be */
  conclude(): void {
    const { sha256: expected, who } = this.#expected;
    const found = this.#hash.digest('hex');
    if (found === expected) return;
    const values = { file: quoted(this.#path), found, who, expected };
    throw fault('HTTP_DIGEST_DIFFERS', values, { paths: [this.#path] });
  }
}
