/** Modes and times, on file systems that may know neither. */

import { fchmodSync, futimesSync } from 'node:fs';
import { codeOf } from '../../base/errors.ts';
import type { Entry } from '../../offer/manifest.ts';
import { diskError } from './disk-errors.ts';
import { fromMicros } from './io.ts';

/** Errors of FAT, some network mounts and odd times. The file's bytes are right all the same. */
const UNSUPPORTED = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL']);

/** Permission bits as they are written here: no setuid, setgid, sticky, and never writable by everyone. */
export function permissions(mode: number): number {
  return mode & 0o775;
}

export class Attributes {
  readonly #warn: (path: string, error: unknown) => void;
  /** This file system keeps permission bits. */
  readonly modes: boolean;
  /** Every mode and time could be kept so far. */
  kept = true;

  /** @param warn told once, of the first path whose mode or time could not be kept */
  constructor(modes: boolean, warn: (path: string, error: unknown) => void) {
    this.modes = modes;
    this.#warn = warn;
  }

  /** Mode and modification time of an open file. */
  apply(fd: number, entry: Entry): void {
    const time = fromMicros(entry.mtime);
    this.mode(entry, (mode) => fchmodSync(fd, mode));
    this.attempt(entry.path, () => futimesSync(fd, time, time));
  }

  /** Sets permission bits through `set`; does not try where they are not kept. */
  mode({ path, mode }: Entry, set: (mode: number) => void): void {
    if (this.modes) this.attempt(path, () => set(permissions(mode)));
  }

  attempt(path: string, set: () => void): void {
    try {
      set();
    } catch (error) {
      if (!UNSUPPORTED.has(codeOf(error))) throw diskError(error, path);
      if (this.kept) this.#warn(path, error);
      this.kept = false;
    }
  }
}
