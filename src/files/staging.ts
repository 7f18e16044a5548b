/**
 * The staging folder: unfinished data lives in it, under numbers, beside where it will stand and in the same file
 * system. Who asks where a staged thing is asks here, so that a later run can find what this one left.
 */
import { randomBytes } from 'node:crypto';
import { lstatSync, mkdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { STAGING_PREFIX } from '../protocol/names.ts';

export class Staging {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Makes a new one, for this user only. Node's error codes. */
  static create(root: string): Staging {
    const path = join(root, STAGING_PREFIX + randomBytes(8).toString('hex'));
    mkdirSync(path, 0o700);
    return new Staging(path);
  }

  /** Where an entry's data (or link) is until it is whole. */
  file(entry: number): string {
    return `${this.path}/${entry}`;
  }

  /** True if the file system finds it under upper-case letters too. */
  foldsCase(): boolean {
    const upper = join(dirname(this.path), basename(this.path).toUpperCase());
    return lstatSync(upper, { throwIfNoEntry: false }) !== undefined;
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true, maxRetries: 3 });
  }
}
