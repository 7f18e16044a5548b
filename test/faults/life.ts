/** One process as the disk sees it: its open files, and what is planned to befall it. */
import { basename, dirname, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DiskModel } from './disk-model.ts';
import type { Inode } from './names.ts';
import type { Plan } from './plan.ts';
import { real } from './real.ts';

export interface Opened {
  inode: Inode;
  path: string;
  append: boolean;
  /** Where a read or write without a position goes on. */
  position: number;
  closed: boolean;
}

export class Life {
  readonly plan: Plan;
  readonly random: () => number;
  readonly model: DiskModel;
  /** Also those that the end of the process closed, so that none of its late calls meets another's file. */
  readonly files = new Map<number, Opened>();
  /** Real path of the folder that is modelled. */
  readonly #root: string;

  constructor(root: string, model: DiskModel, plan: Plan, random: () => number) {
    this.#root = root;
    this.model = model;
    this.plan = plan;
    this.random = random;
  }

  /** True if a call with this path is about the modelled folder or what is below it. */
  concerns(path: unknown): boolean {
    const text = textOf(path);
    return text !== undefined && this.#isBelow(text.startsWith('/proc/self/fd/') ? anchored(text) : text);
  }

  /** For messages. */
  shown(path: unknown): string {
    return relative(this.#root, textOf(path) ?? '') || '.';
  }

  /** The folder of the model that a path's last name stands in. */
  place(path: unknown): { folder: Inode; name: string } {
    const anchor = anchored(textOf(path)!);
    const folder = this.#at(dirname(anchor));
    return { folder, name: basename(anchor) };
  }

  /** What stands at a path, its last name not followed if it is a link. */
  at(path: unknown): Inode {
    return this.#at(anchored(textOf(path)!));
  }

  opened(fd: number): Opened {
    const file = this.files.get(fd)!;
    // Only an ended process has files that it did not close itself.
    if (file.closed) this.plan.checkAlive();
    return file;
  }

  /** Nothing it does from now on has an effect. */
  end(): void {
    this.plan.ended = true;
    for (const [fd, file] of this.files) if (!file.closed) real.closeSync(fd);
    for (const file of this.files.values()) file.closed = true;
  }

  #isBelow(path: string): boolean {
    return path === this.#root || path.startsWith(`${this.#root}/`);
  }

  #at(path: string): Inode {
    const inode = this.#isBelow(path) ? this.model.live.at(relative(this.#root, path)) : undefined;
    if (!inode) throw new Error(`${path} is not in the model: was it changed outside of a run?`);
    return inode;
  }
}

function textOf(path: unknown): string | undefined {
  // A folder by itself, which may be reached through /proc/self/fd: resolve() would take the dot away, and name the link.
  if (typeof path === 'string' && path.endsWith('/.')) return whole(path);
  if (typeof path === 'string') return resolve(path);
  if (path instanceof URL) return fileURLToPath(path);
  return Buffer.isBuffer(path) ? resolve(path.toString()) : undefined;
}

function whole(path: string): string {
  try {
    return real.realpathSync(path);
  } catch {
    return resolve(path);
  }
}

/** With all but the last name free of links, where that exists. */
function anchored(path: string): string {
  try {
    return resolve(real.realpathSync(dirname(path)), basename(path));
  } catch {
    return path;
  }
}
