/**
 * What a power loss may leave of a disk. The rules are those of journaling file systems (ext4, XFS):
 * - Changes of names and attributes become durable in the order they were made; a power loss cuts that order at
 *   one point. So whatever makes one durable makes all earlier ones durable. (Btrfs keeps less order between
 *   unrelated folders; code that syncs every folder it counts on does not depend on the difference.)
 * - fsync of a folder makes its entries durable, and its own name.
 * - fsync of a file makes its bytes, attributes and its names until then durable. POSIX asks for less, but ext4,
 *   XFS and Btrfs all do it. fdatasync spares what is not needed to read the bytes: of the names it only keeps
 *   the file's creation, not a later rename, and no attributes.
 * - Bytes have no order at all between syncs, and none relative to names.
 */
import type { Inode, NameOperation, Names } from './names.ts';

/** A sync under way. */
export interface Sync {
  done(): void;
  failed(): void;
}

export class DiskModel {
  /** As a running system sees it. */
  readonly live: Names;
  readonly #durable: Names;
  /** All since `#durable`, in order; the first `#kept` of them are durable too. */
  readonly #log: NameOperation[] = [];
  #kept = 0;

  /** @param names all of it durable; belongs to the model from now on */
  constructor(names: Names) {
    this.#durable = names;
    this.live = names.clone();
  }

  change(operation: NameOperation): void {
    this.live.apply(operation);
    this.#log.push(operation);
    if (operation.op === 'attributes') return;
    this.touched(operation.folder);
    if (operation.op === 'move') this.touched(operation.toFolder);
  }

  /** Bytes or names were written, which sets its time to now, whatever it was set to before. */
  touched(inode: Inode): void {
    const attributes = this.live.attributes.get(inode)!;
    if (attributes.mtime !== undefined)
      this.change({ op: 'attributes', inode, attributes: { mode: attributes.mode } });
  }

  beginSync(inode: Inode, how: 'fsync' | 'fdatasync'): Sync {
    const concerned = inode.kind === 'folder' ? entersOrNames : how === 'fsync' ? names : creates;
    const keep = this.#log.findLastIndex((operation) => concerned(operation, inode)) + 1;
    const bytes = inode.bytes?.beginSync();
    return {
      done: () => {
        bytes?.done();
        this.#kept = Math.max(this.#kept, keep);
      },
      failed: () => bytes?.failed(),
    };
  }

  /** All of the file system, as `sync -f` does. */
  beginSyncAll(): Sync {
    const keep = this.#log.length;
    const all = new Set([...this.live.folders.values()].flatMap((names) => [...names.values()]));
    const syncs = [...all].map((inode) => inode.bytes?.beginSync(false));
    return {
      done: () => {
        for (const sync of syncs) sync?.done();
        this.#kept = Math.max(this.#kept, keep);
      },
      failed: () => {
        for (const sync of syncs) sync?.failed();
      },
    };
  }

  /** Names as a power loss at this moment could leave them, and what each file then holds. */
  survive(random: () => number): { names: Names; bytes: (inode: Inode) => Buffer } {
    const unsure = this.#log.length - this.#kept;
    const names = this.#durable.clone();
    for (const operation of this.#log.slice(0, this.#kept + Math.floor(random() * (unsure + 1))))
      names.apply(operation);
    return { names, bytes: (inode) => inode.bytes!.survive(random) };
  }
}

function names(operation: NameOperation, inode: Inode): boolean {
  return operation.inode === inode;
}

function creates(operation: NameOperation, inode: Inode): boolean {
  return operation.op === 'add' && operation.initial !== undefined && operation.inode === inode;
}

function entersOrNames(operation: NameOperation, inode: Inode): boolean {
  if (operation.inode === inode) return true;
  if (operation.op === 'attributes') return false;
  return operation.folder === inode || (operation.op === 'move' && operation.toFolder === inode);
}
