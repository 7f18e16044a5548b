/** From the real folder to the model, and back. Folders hold at most a few MiB; see MOST_BYTES. */
import type { BigIntStats } from 'node:fs';
import { join } from 'node:path';
import { DiskModel } from './disk-model.ts';
import { FileModel, MOST_BYTES } from './file-model.ts';
import { type Attributes, type Inode, Names } from './names.ts';
import { real } from './real.ts';

/** A model of what stands below a folder now, all of it durable. */
export function load(root: string): DiskModel {
  const top: Inode = { kind: 'folder' };
  const names = new Names(top);
  const known = new Map<bigint, Inode>();
  let total = 0;
  names.attributes.set(top, attributesOf(real.lstatSync(root, { bigint: true })));
  const enter = (folder: Inode, path: string) => {
    for (const name of real.readdirSync(path)) {
      const below = join(path, name);
      const stat = real.lstatSync(below, { bigint: true });
      if (stat.isFile() && !known.has(stat.ino)) total += Number(stat.size);
      if (total > MOST_BYTES) throw new Error(`${root} holds too much for the fault model`);
      const inode = known.get(stat.ino) ?? read(below, stat);
      const initial = known.has(stat.ino) ? undefined : attributesOf(stat);
      known.set(stat.ino, inode);
      names.apply({ op: 'add', folder, name, inode, initial });
      if (inode.kind === 'folder') enter(inode, below);
    }
  };
  enter(top, root);
  return new DiskModel(names);
}

function read(path: string, stat: BigIntStats): Inode {
  if (stat.isDirectory()) return { kind: 'folder' };
  if (stat.isSymbolicLink()) return { kind: 'link', target: real.readlinkSync(path) };
  if (!stat.isFile()) throw new Error(`${path} is nothing that the fault model knows`);
  return { kind: 'file', bytes: new FileModel(real.readFileSync(path)) };
}

function attributesOf({ mode, mtimeNs }: BigIntStats): Attributes {
  // The half keeps what doubles lose inside the microsecond.
  return { mode: Number(mode & 0o7777n), mtime: (Number(mtimeNs / 1000n) + 0.5) / 1e6 };
}

/** Makes a folder hold exactly this. */
export function store(root: string, names: Names, bytes: (inode: Inode) => Buffer): void {
  empty(root);
  const written = new Map<Inode, string>();
  const all = [...names.walk()].map(([path, inode]) => [join(root, path), inode] as const);
  for (const [path, inode] of all) {
    const other = written.get(inode);
    if (inode.kind === 'folder') real.mkdirSync(path);
    else if (other) real.linkSync(other, path);
    else if (inode.kind === 'link') real.symlinkSync(inode.target!, path);
    else real.writeFileSync(path, bytes(inode), { mode: 0o600 });
    written.set(inode, path);
  }
  // What is in a folder before the folder, whose time it would change.
  for (const [path, inode] of all.reverse()) settle(path, inode, names.attributes.get(inode)!);
  settle(root, names.root, names.attributes.get(names.root)!);
}

function settle(path: string, inode: Inode, { mode, mtime }: Attributes): void {
  if (inode.kind !== 'link') real.chmodSync(path, mode);
  if (mtime !== undefined) real.lutimesSync(path, mtime, mtime);
}

function empty(folder: string): void {
  real.chmodSync(folder, 0o700);
  for (const entry of real.readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      empty(path);
      real.rmdirSync(path);
    } else {
      real.unlinkSync(path);
    }
  }
}
