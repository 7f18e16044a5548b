/**
 * Files and folders of this machine as they are now, for answers over HTTP. Nothing is followed: a link in a folder is not there. Each
 * name is opened in the folder that was opened before it (openat(2), through /proc/self/fd), so that whoever moves a folder or
 * puts a link in its place leads no read elsewhere.
 */
import {
  type BigIntStats,
  closeSync,
  existsSync,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  realpathSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { BeelineError, codeOf, fault, faultAt } from '../../base/errors.ts';
import { quoted } from '../../base/printable.ts';
import type { ServedFile, ServedNode, ServedTree } from '../../http/serving/tree.ts';
import { STAGING_PREFIX } from '../../offer/names.ts';
import { FOLDER_FLAGS, READ_FLAGS, readFully } from '../files/io.ts';
import { locate } from '../files/named-path.ts';
import { FileSlices } from '../files/slices.ts';
import { versionsBy } from '../files/version.ts';

const HANDLES = process.platform === 'linux' && existsSync('/proc/self/fd') ? '/proc/self/fd' : undefined;
/** What says that there is nothing to serve under a name: nothing, a link, or a file where a folder is named. */
const ABSENT: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG', 'EINVAL']);
/** Up to this a synchronous read costs less than the trip through the thread pool. */
const SMALL = 64 * 1024;
/** Names that are looked at together. */
const BATCH = 256;

/** A file is not the one that was looked at. */
export class FileChanged extends Error {}

export interface FolderTreeOptions {
  /** Serve names with a dot in front too. */
  hidden: boolean;
  /** Of tags: see `versionsBy`. */
  versionKey: Uint8Array;
}

export class FolderTree implements ServedTree {
  readonly #hidden: boolean;
  readonly #tagOf: ReturnType<typeof versionsBy>;
  /** What was named, by its name at the top; a single folder is the top itself. */
  readonly #tops: ReadonlyMap<string, string>;
  readonly #single: string | undefined;
  readonly #name: string;

  /** @throws BeelineError NO_SUCH_PATH, UNREADABLE or USAGE */
  constructor(paths: readonly string[], { hidden, versionKey }: FolderTreeOptions) {
    if (paths.length === 0) throw fault('NOTHING_TO_SERVE');
    const tops = new Map<string, string>();
    let folders = 0;
    for (const path of paths) {
      const { name, absolute } = isRoot(path)
        ? { name: 'files', absolute: realpathSync(path) }
        : locate(path);
      if (tops.has(name)) {
        const both = `Both ${quoted(path)} and another one`;
        throw fault('NAMES_COLLIDE', { paths: both, name: quoted(name) });
      }
      const stat = lstatSync(absolute);
      if (!stat.isFile() && !stat.isDirectory())
        throw faultAt('SPECIAL_FILE', path, { more: ', which cannot be served' });
      if (stat.isDirectory()) folders++;
      tops.set(name, absolute);
    }
    const [[name, absolute] = ['', '']] = tops;
    this.#tops = tops;
    this.#single = tops.size === 1 && folders === 1 ? absolute : undefined;
    this.#name = this.#single === undefined ? 'files' : name;
    this.#hidden = hidden;
    this.#tagOf = versionsBy(versionKey);
  }

  /** The one file that is all there is. */
  get only(): string | undefined {
    const [name] = this.#tops.keys();
    return this.#tops.size === 1 && this.#single === undefined ? name : undefined;
  }

  async look(path: readonly string[]): Promise<ServedNode | undefined> {
    if (path.length === 0) return this.#root();
    return absent(() => this.#within(path, (at) => this.#node(path, lstatSync(at, { bigint: true }))));
  }

  async list(folder: ServedNode, most: number): Promise<{ nodes: ServedNode[]; more: boolean }> {
    const nodes: ServedNode[] = [];
    for await (const some of this.#batches(folder.path)) {
      for (const node of some) nodes.push(node);
      if (nodes.length > most) return { nodes: nodes.slice(0, most), more: true };
    }
    return { nodes, more: false };
  }

  async *walk(folder: ServedNode): AsyncGenerator<ServedNode> {
    const levels = [this.#each(folder.path)];
    for (let level = levels.at(-1); level; level = levels.at(-1)) {
      const { done, value: node } = await level.next();
      if (done) {
        levels.pop();
        continue;
      }
      yield node;
      if (node.kind === 'folder') levels.push(this.#each(node.path));
    }
  }

  async *#each(path: readonly string[]): AsyncGenerator<ServedNode, undefined> {
    for await (const some of this.#batches(path)) yield* some;
  }

  /** What is in a folder, in the order of names. */
  async *#batches(path: readonly string[]): AsyncGenerator<ServedNode[]> {
    const slices = new FileSlices();
    const names = this.#names(path);
    for (let at = 0; at < names.length; at += BATCH) {
      const some = names.slice(at, at + BATCH);
      const top = path.length === 0 && this.#single === undefined;
      if (slices.over()) await slices.next();
      yield top
        ? some.flatMap((name) => this.#lookAt([name], this.#top(name)) ?? [])
        : this.#inFolder(path, (folder) =>
            some.flatMap((name) => this.#lookAt([...path, name], join(folder, name)) ?? []),
          );
    }
  }

  #lookAt(path: readonly string[], at: string): ServedNode | undefined {
    return absent(() => this.#node(path, lstatSync(at, { bigint: true })));
  }

  async open(node: ServedNode): Promise<ServedFile> {
    const fd = this.#within(node.path, (at) => openSync(at, READ_FLAGS));
    const check = () => {
      const stat = fstatSync(fd, { bigint: true });
      if (!stat.isFile() || this.#tagOf(stat) !== node.tag) throw new FileChanged('The file has changed.');
    };
    try {
      check();
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    return {
      descriptor: fd,
      async read(into, at) {
        const got =
          into.length <= SMALL
            ? readSync(fd, into, 0, into.length, at)
            : await readFully(fd, into, 0, into.length, at);
        // Behind the read, so that whatever was changed before it or under it shows.
        check();
        return got;
      },
      async close() {
        closeSync(fd);
      },
    };
  }

  #root(): ServedNode {
    const single = this.#single === undefined ? undefined : lstatSync(this.#single);
    const mtime = single?.mtimeMs ?? 0;
    return { path: [], name: this.#name, kind: 'folder', size: 0, mtime, tag: '' };
  }

  /** In the order of their bytes, as far as UTF-16 has it. */
  #names(path: readonly string[]): string[] {
    if (path.length === 0 && this.#single === undefined) return [...this.#tops.keys()].sort();
    // The folder of a folder's own name: `.` in it is itself.
    const names = this.#inFolder(path, (at) => readdirSync(at));
    return names.filter((name) => this.#isShown(name)).sort();
  }

  #isShown(name: string): boolean {
    return !name.startsWith(STAGING_PREFIX) && (this.#hidden || !name.startsWith('.'));
  }

  #node(path: readonly string[], stat: BigIntStats): ServedNode | undefined {
    const name = path.at(-1)!;
    const mtime = Number(stat.mtimeNs / 1_000_000n);
    if (stat.isDirectory()) return { path, name, kind: 'folder', size: 0, mtime, tag: '' };
    if (!stat.isFile()) return undefined;
    return { path, name, kind: 'file', size: Number(stat.size), mtime, tag: this.#tagOf(stat) };
  }

  /** Acts on what a path names, by a path that is for use at once. @throws Node's error codes */
  #within<T>(path: readonly string[], act: (at: string) => T): T {
    const name = path.at(-1)!;
    if (this.#single === undefined && path.length === 1) return act(this.#top(name));
    if (!this.#isShown(name)) throw missing();
    return this.#inFolder(path.slice(0, -1), (at) => act(join(at, name)));
  }

  /** Acts in a folder, which is held open meanwhile. */
  #inFolder<T>(path: readonly string[], act: (at: string) => T): T {
    const [top, below] =
      this.#single === undefined ? [this.#top(path[0]!), path.slice(1)] : [this.#single, path];
    if (!below.every((name) => this.#isShown(name))) throw missing();
    if (HANDLES === undefined) return this.#inChecked(top, below, act);
    let fd = openSync(top, FOLDER_FLAGS);
    try {
      for (const name of below) {
        const next = openSync(`${HANDLES}/${fd}/${name}`, FOLDER_FLAGS);
        closeSync(fd);
        fd = next;
      }
      return act(`${HANDLES}/${fd}`);
    } finally {
      closeSync(fd);
    }
  }

  /** Without such a way to a folder: it is looked at right before it is used, and once more behind that. */
  #inChecked<T>(top: string, below: readonly string[], act: (at: string) => T): T {
    const at = join(top, below.join('/'));
    const isThere = () => realpathSync(at) === at;
    if (!isThere()) throw missing();
    const result = act(at);
    if (!isThere()) throw missing();
    return result;
  }

  #top(name: string): string {
    const absolute = this.#tops.get(name);
    if (absolute === undefined) throw missing();
    return absolute;
  }
}

/** `/` has no name of its own, and may be served nevertheless. */
const isRoot = (path: string): boolean => path !== '' && dirname(path) === path && basename(path) === '';

function missing(): Error {
  return Object.assign(new Error('There is no such thing.'), { code: 'ENOENT' });
}

function absent<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch (error) {
    if (error instanceof BeelineError || !ABSENT.has(codeOf(error))) throw error;
    return undefined;
  }
}
