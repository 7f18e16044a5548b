/** The folder to receive into: found or made. */
import { accessSync, constants, existsSync, mkdirSync, realpathSync, rmdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { codeOf, fault } from '../../base/errors.ts';
import { escapeName } from '../../base/printable.ts';
import { diskError } from './disk-errors.ts';

export class Destination {
  readonly #to: string;
  /** The topmost folder that `make` made. */
  #made: string | undefined;

  /** @param to as the person gave it; may itself be a link to a folder */
  constructor(to: string) {
    this.#to = resolve(to);
  }

  /**
   * Whether anything can be received into it, before a code is spent on that. What is missing is made, and removed again.
   * @throws BeelineError EXISTS, WRITE_FAILED and their like
   */
  check(): void {
    const found = this.find();
    if (found === undefined) {
      this.make();
      this.unmake();
      return;
    }
    try {
      accessSync(found, constants.W_OK | constants.X_OK);
    } catch (error) {
      throw diskError(error, this.#to);
    }
  }

  /** Its real path, or undefined if there is nothing yet. EXISTS if it is a file. */
  find(): string | undefined {
    try {
      if (statSync(this.#to).isDirectory()) return realpathSync(this.#to);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw diskError(error, this.#to);
    }
    throw fault('DESTINATION_NO_FOLDER', { path: escapeName(this.#to) });
  }

  /** Makes it, and the folders above it, where they are missing; its real path. */
  make(): string {
    try {
      this.#made = makeFolders(this.#to);
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

/**
 * Makes a folder and those above it that are missing; returns the topmost that it made. Node's own recursive `mkdir` never
 * returns where a file system says ENOENT of a new name in a folder that is there, as /proc does.
 */
function makeFolders(path: string): string | undefined {
  const missing: string[] = [];
  for (let at = path; !existsSync(at) && dirname(at) !== at; at = dirname(at)) missing.push(at);
  for (const folder of missing.reverse()) {
    try {
      mkdirSync(folder);
    } catch (error) {
      // Somebody else has made it meanwhile.
      if (codeOf(error) !== 'EEXIST' || !statSync(folder).isDirectory()) throw error;
    }
  }
  return missing[0];
}
