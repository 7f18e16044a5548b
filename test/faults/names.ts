/** Files, folders and links under their names, as plain data: the part of a disk that a journal keeps in order. */
import type { FileModel } from './file-model.ts';

/** One file, folder or link; names and hard links point to it. */
export interface Inode {
  readonly kind: 'file' | 'folder' | 'link';
  /** A file's bytes. */
  readonly bytes?: FileModel;
  /** A link's target. */
  readonly target?: string;
}

export interface Attributes {
  mode: number;
  /** As futimes takes it. Undefined: whenever it was last written. */
  mtime?: number | Date;
}

export type NameOperation =
  /** `initial`: made with this name; absent: one more name for what has one. */
  | { op: 'add'; folder: Inode; name: string; inode: Inode; initial?: Attributes }
  | { op: 'remove'; folder: Inode; name: string; inode: Inode }
  | { op: 'move'; folder: Inode; name: string; toFolder: Inode; toName: string; inode: Inode }
  | { op: 'attributes'; inode: Inode; attributes: Attributes };

export class Names {
  readonly root: Inode;
  readonly folders: Map<Inode, Map<string, Inode>>;
  readonly attributes: Map<Inode, Attributes>;

  constructor(root: Inode, folders = new Map([[root, new Map<string, Inode>()]]), attributes = new Map()) {
    this.root = root;
    this.folders = folders;
    this.attributes = attributes;
  }

  clone(): Names {
    const folders = new Map([...this.folders].map(([folder, names]) => [folder, new Map(names)] as const));
    return new Names(this.root, folders, new Map(this.attributes));
  }

  /** By its path relative to the root, '' for the root itself. */
  at(path: string): Inode | undefined {
    let inode: Inode | undefined = this.root;
    for (const name of path === '' ? [] : path.split('/'))
      inode = inode && this.folders.get(inode)?.get(name);
    return inode;
  }

  apply(operation: NameOperation): void {
    const { inode } = operation;
    if (operation.op === 'attributes') {
      this.attributes.set(inode, operation.attributes);
      return;
    }
    const names = this.folders.get(operation.folder)!;
    if (operation.op !== 'add') names.delete(operation.name);
    else names.set(operation.name, inode);
    if (operation.op === 'move') this.folders.get(operation.toFolder)!.set(operation.toName, inode);
    if (operation.op !== 'add' || !operation.initial) return;
    this.attributes.set(inode, operation.initial);
    if (inode.kind === 'folder') this.folders.set(inode, new Map());
  }

  /** Every path with what stands there, a folder before what is in it; the root is not among them. */
  *walk(folder = this.root, prefix = ''): Generator<[path: string, inode: Inode]> {
    for (const [name, inode] of this.folders.get(folder)!) {
      yield [prefix + name, inode];
      if (inode.kind === 'folder') yield* this.walk(inode, `${prefix}${name}/`);
    }
  }
}
