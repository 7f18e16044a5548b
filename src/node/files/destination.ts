/** The folder to receive into: found or made. */
import {
  accessSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  realpathSync,
  rmdirSync,
  statSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { codeOf, fault, faultAt } from '../../base/errors.ts';
import { escapeName } from '../../base/printable.ts';
import { diskError } from './disk-errors.ts';

export class Destination {
  readonly #to: string;
  readonly #below: { to: string; within: string };
  /** The topmost folder that `make` made. */
  #made: string | undefined;

  /**
   * @param to as the person gave it; may itself be a link to a folder
   * @param within a folder below it, which others had a say in: no part of that may be a link
   */
  constructor(to: string, within = '') {
    this.#to = resolve(join(to, within));
    this.#below = { to, within };
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

  /** Its real path, or undefined if there is nothing yet. EXISTS if it is a file, UNSAFE_NAME if it leads through a link. */
  find(): string | undefined {
    this.#checkLinks();
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
    this.#checkLinks();
    try {
      this.#made = makeFolders(this.#to);
      // Somebody may have put one there meanwhile.
      this.#checkLinks();
      return realpathSync(this.#to);
    } catch (error) {
      throw diskError(error, this.#to);
    }
  }

  #checkLinks(): void {
    const link = linkBelow(this.#below.to, this.#below.within);
    if (link !== undefined) throw faultAt('LINK_IN_THE_WAY', link);
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

/** The first part of `within` that is a link, with what is above it. */
export function linkBelow(to: string, within: string): string | undefined {
  const parts = within.split('/').filter((part) => part !== '');
  for (let count = 1; count <= parts.length; count++) {
    const path = parts.slice(0, count).join('/');
    try {
      const found = lstatSync(join(to, path));
      if (found.isSymbolicLink()) return path;
    } catch {
      // Nothing is there yet, or nothing that can be looked at: what is below is neither.
      return undefined;
    }
  }
  return undefined;
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
