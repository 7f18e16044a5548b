/**
 * Folders at the destination, held open: names below one are reached through it, so that whoever renames it or puts a
 * link in its place meanwhile does not lead a write elsewhere. Linux reaches them through /proc/self/fd, as openat(2)
 * would; elsewhere Node has no way, and each is looked at right before it is used.
 */
import { type BigIntStats, closeSync, existsSync, fstatSync, lstatSync, openSync, statSync } from 'node:fs';
import { type BeelineError, codeOf, fault } from '../../base/errors.ts';
import { quoted } from '../../base/printable.ts';
import { FOLDER_FLAGS } from './io.ts';

const HANDLES = process.platform === 'linux' && existsSync('/proc/self/fd') ? '/proc/self/fd' : undefined;
/** Open at a time, the least recently used closed first. */
const MAX_OPEN = 64;

export class HeldFolders {
  readonly #root: string;
  /** Open folders by relative path, in order of last use. */
  readonly #open = new Map<string, number>();
  /** The one that was used last: most uses are of that one. */
  #last: { path: string; fd: number } | undefined;
  /** What each was when it was first seen. */
  readonly #seen = new Map<string, Pick<BigIntStats, 'dev' | 'ino'>>();

  /** @param root real path; '' is its relative path */
  constructor(root: string) {
    this.#root = root;
  }

  /** A path that leads into a folder, for use at once. UNSAFE_NAME, EXISTS, or Node's error codes. */
  inside(path: string): string {
    if (HANDLES) return `${HANDLES}/${this.#hold(path)}`;
    for (let end = 0; end >= 0; ) {
      end = path.indexOf('/', end + 1);
      this.#recognise(end < 0 ? path : path.slice(0, end));
    }
    return this.#absolute(path);
  }

  /** The path of something below the root, for use at once. As `inside`. */
  at(path: string): string {
    const cut = path.lastIndexOf('/');
    return `${this.inside(path.slice(0, Math.max(0, cut)))}/${path.slice(cut + 1)}`;
  }

  /** True if a folder that was used still stands where it did. */
  isAt(path: string): boolean {
    const before = this.#seen.get(path);
    const now = lstatSync(this.at(path), { bigint: true, throwIfNoEntry: false });
    return before !== undefined && now?.dev === before.dev && now.ino === before.ino;
  }

  /** True if the root still stands at its path: a drive that was taken out has left another folder there, or none. */
  rootStands(): boolean {
    try {
      const now = statSync(this.#root, { bigint: true });
      const held = statSync(this.inside(''), { bigint: true });
      return now.dev === held.dev && now.ino === held.ino;
    } catch {
      return false;
    }
  }

  /** @throws BeelineError UNSAFE_NAME if any folder that was used stands somewhere else by now */
  checkAll(): void {
    for (const path of this.#seen.keys()) this.#recognise(path);
  }

  close(): void {
    for (const fd of this.#open.values()) closeSync(fd);
    this.#open.clear();
    this.#last = undefined;
  }

  /** Forgets all held folders. What stands there now is held at its next use. */
  begin(): void {
    this.close();
    this.#seen.clear();
  }

  #absolute(path: string): string {
    return path === '' ? this.#root : `${this.#root}/${path}`;
  }

  #hold(path: string): number {
    if (path === this.#last?.path) return this.#last.fd;
    const fd = this.#holdAnother(path);
    this.#last = { path, fd };
    return fd;
  }

  #holdAnother(path: string): number {
    const open = this.#open.get(path);
    if (open !== undefined) {
      this.#open.delete(path);
      this.#open.set(path, open);
      return open;
    }
    const fd = this.#openFolder(path);
    this.#open.set(path, fd);
    for (const [other, held] of this.#open) {
      if (this.#open.size <= MAX_OPEN) break;
      if (other === path) continue;
      this.#open.delete(other);
      closeSync(held);
    }
    return fd;
  }

  #openFolder(path: string): number {
    let fd: number;
    try {
      fd = openSync(path === '' ? this.#root : this.at(path), FOLDER_FLAGS);
    } catch (error) {
      if (codeOf(error) === 'ELOOP' || codeOf(error) === 'ENOTDIR') throw replaced(path);
      throw error;
    }
    try {
      this.#compare(path, fstatSync(fd, { bigint: true }));
      return fd;
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  #recognise(path: string): void {
    const stat = lstatSync(this.#absolute(path), { bigint: true, throwIfNoEntry: false });
    if (!stat?.isDirectory()) throw replaced(path);
    this.#compare(path, stat);
  }

  #compare(path: string, { dev, ino }: BigIntStats): void {
    const before = this.#seen.get(path);
    if (!before) this.#seen.set(path, { dev, ino });
    else if (before.dev !== dev || before.ino !== ino) throw replaced(path);
  }
}

function replaced(path: string): BeelineError {
  return fault('FOLDER_REPLACED', { path: quoted(path || '.') }, { paths: [path] });
}
