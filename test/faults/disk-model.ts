/**
 * What a power loss may leave of a disk. The rules are those of file systems that people have (ext4, XFS, Btrfs):
 * - Changes of names and attributes are committed in the order they were made; a power loss cuts that order at one
 *   point. On ext4 and XFS a sync commits all that came before. On Btrfs it may write its own changes ahead, with what
 *   they build on, so that these survive and unrelated earlier ones do not. Each loss follows the one or the other.
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
  readonly #start: Names;
  /** All since `#start`, in order. */
  readonly #log: Logged[] = [];

  /** @param names all of it durable; belongs to the model from now on */
  constructor(names: Names) {
    this.#start = names;
    this.live = names.clone();
  }

  change(operation: NameOperation): void {
    this.live.apply(operation);
    this.#log.push({ operation, durable: false });
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
    const keep = this.#withFoundations(this.#log.filter(({ operation }) => concerned(operation, inode)));
    const bytes = inode.bytes?.beginSync();
    return {
      done: () => {
        bytes?.done();
        for (const each of keep) each.durable = true;
      },
      failed: () => bytes?.failed(),
    };
  }

  /** All of the file system, as `sync -f` does. */
  beginSyncAll(): Sync {
    const keep = [...this.#log];
    const all = new Set([...this.live.folders.values()].flatMap((names) => [...names.values()]));
    const syncs = [...all].map((inode) => inode.bytes?.beginSync(false));
    return {
      done: () => {
        for (const sync of syncs) sync?.done();
        for (const each of keep) each.durable = true;
      },
      failed: () => {
        for (const sync of syncs) sync?.failed();
      },
    };
  }

  /** Names as a power loss at this moment could leave them, and what each file then holds. */
  survive(random: () => number): { names: Names; bytes: (inode: Inode) => Buffer } {
    const inOrder = random() < 0.5;
    const least = inOrder ? this.#log.findLastIndex(({ durable }) => durable) + 1 : 0;
    const cut = least + Math.floor(random() * (this.#log.length - least + 1));
    const names = this.#start.clone();
    for (const [i, { operation, durable }] of this.#log.entries())
      if (i < cut || durable) names.apply(operation);
    return { names, bytes: (inode) => inode.bytes!.survive(random) };
  }

  /** These and, of what came before them, all that they would be impossible without. */
  #withFoundations(some: readonly Logged[]): Logged[] {
    const all = new Set(some);
    for (let i = this.#log.length - 1; i >= 0; i--) {
      const later = this.#log[i]!;
      if (!all.has(later) || later.durable) continue;
      for (const earlier of this.#log.slice(0, i))
        if (!earlier.durable && carries(earlier.operation, later.operation)) all.add(earlier);
    }
    return [...all];
  }
}

interface Logged {
  readonly operation: NameOperation;
  durable: boolean;
}

/** An earlier operation that a later one needs: on the same thing, on the folders it is in, or on the same name. */
function carries(earlier: NameOperation, later: NameOperation): boolean {
  // Attributes are written with their inode, all or none.
  if (later.op === 'attributes') return earlier.inode === later.inode;
  // Nobody can sync a link itself: its time goes with its name.
  if (earlier.op === 'attributes') return later.inode === earlier.inode && later.inode.kind === 'link';
  if (earlier.inode === later.inode) return true;
  const folders = later.op === 'move' ? [later.folder, later.toFolder] : [later.folder];
  if (folders.includes(earlier.inode)) return true;
  // A folder goes only once it is empty.
  if (later.op !== 'add' && entersOrNames(earlier, later.inode)) return true;
  return slots(later).some(([folder, name]) => slots(earlier).some(([f, n]) => f === folder && n === name));
}

function slots(operation: NameOperation): [folder: Inode, name: string][] {
  if (operation.op === 'attributes') return [];
  const { folder, name } = operation;
  return operation.op === 'move'
    ? [
        [folder, name],
        [operation.toFolder, operation.toName],
      ]
    : [[folder, name]];
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
