/** The folder to receive into: found or made. */
import { mkdirSync, realpathSync, rmdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { BeelineError } from '../protocol/errors.ts';
import { escapeName } from '../protocol/names.ts';
import { diskError } from './disk-errors.ts';
import { codeOf } from './io.ts';

export class Destination {
  readonly #to: string;
  /** The topmost folder that `make` made. */
  #made: string | undefined;

  /** @param to as the person gave it; may itself be a link to a folder */
  constructor(to: string) {
    this.#to = resolve(to);
  }

  /** Its real path, or undefined if there is nothing yet. EXISTS if it is a file. */
  find(): string | undefined {
    try {
      if (statSync(this.#to).isDirectory()) return realpathSync(this.#to);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw diskError(error, this.#to);
    }
    throw new BeelineError(
      'EXISTS',
      `'${escapeName(this.#to)}' is not a folder. Choose a folder with --to, or '--to -' for one file.`,
    );
  }

  /** Makes it, and the folders above it, where they are missing; its real path. */
  make(): string {
    try {
      this.#made = mkdirSync(this.#to, { recursive: true });
      return realpathSync(this.#to);
    } catch (error) {
      throw diskError(error, this.#to);
    }
  }

  /** Removes what `make` made, as far as it is still empty. */
  unmake(): void {
    if (this.#made === undefined) return;
    try {
      for (let path = this.#to; path.length >= this.#made.length; path = dirname(path)) rmdirSync(path);
    } catch {
      // Something is in it by now, and stays.
    }
  }
}
