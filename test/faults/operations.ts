/**
 * The functions of node:fs that change a disk, done for real and in the model. Each takes the arguments of its
 * synchronous form. Asynchronous calls begin and end apart, since much may happen between: `finish` is run when the
 * caller is about to be told.
 */
import type { PathLike } from 'node:fs';
import { bitsOf, writeArguments } from './arguments.ts';
import type { Sync } from './disk-model.ts';
import { FileModel } from './file-model.ts';
import type { Life, Opened } from './life.ts';
import type { Attributes, Inode } from './names.ts';
import { type Kind, systemError } from './plan.ts';
import { real } from './real.ts';

export interface Started {
  result?: unknown;
  finish?: () => void;
}

export type Operation = (life: Life, args: unknown[], asynchronous: boolean) => Started;

function open(life: Life, args: unknown[]): Started {
  const [path, flags = 'r', mode = 0o666] = args as [PathLike, (string | number)?, number?];
  const bits = typeof flags === 'number' ? flags : bitsOf(flags);
  const { O_CREAT, O_TRUNC, O_APPEND, O_DIRECTORY } = real.constants;
  life.plan.checkAlive();
  // Followed, as open(2) does: it may make what a link leads to.
  const exists = real.existsSync(path);
  const creates = (bits & O_CREAT) !== 0 && !exists;
  const cuts = (bits & O_TRUNC) !== 0 && exists && real.statSync(path).size > 0;
  if (creates) life.plan.enter('create', life.shown(path));
  if (cuts) life.plan.enter('truncate', life.shown(path));
  const fd = real.openSync(path, flags, mode);
  const led = real.lstatSync(path).isSymbolicLink() ? real.realpathSync(path) : path;
  if (creates) {
    const inode: Inode = { kind: 'file', bytes: new FileModel() };
    const initial = { mode: real.fstatSync(fd).mode & 0o7777 };
    life.model.change({ op: 'add', ...life.place(led), inode, initial });
  }
  const inode = life.at(led);
  if (cuts) changed(life, inode, { size: 0 })();
  const append = (bits & O_APPEND) !== 0 && (bits & (O_DIRECTORY ?? 0)) === 0;
  life.files.set(fd, { inode, path: life.shown(path), append, position: 0, closed: false });
  return { result: fd };
}

function close(life: Life, [fd]: unknown[]): Started {
  const file = life.files.get(fd as number)!;
  // The end of the process has closed it, and the number may be another's by now.
  if (file.closed) return {};
  life.files.delete(fd as number);
  real.closeSync(fd as number);
  return {};
}

function write(life: Life, args: unknown[], asynchronous: boolean): Started {
  const fd = args[0] as number;
  const file = life.opened(fd);
  const { data, position } = writeArguments(args);
  life.plan.enter('write', file.path);
  const bytes = Buffer.from(data.subarray(0, life.plan.take(data.length)));
  const at = file.append ? real.fstatSync(fd).size : (position ?? file.position);
  if (position === null) file.position = at + bytes.length;
  const apply = () => {
    for (let done = 0; done < bytes.length; )
      done += real.writeSync(fd, bytes, done, bytes.length - done, file.append ? null : at + done);
    return changed(life, file.inode, { at, data: bytes });
  };
  // A process that dies meanwhile may leave it done or not.
  if (asynchronous && life.random() < 0.5) return { result: bytes.length, finish: () => apply()() };
  return { result: bytes.length, finish: apply() };
}

function changed(life: Life, inode: Inode, change: Parameters<FileModel['change']>[0]): () => void {
  life.model.touched(inode);
  return inode.bytes!.change(change);
}

function read(life: Life, args: unknown[]): Started {
  const file = life.opened(args[0] as number);
  life.plan.checkAlive();
  const result = (real.readSync as (...all: unknown[]) => number)(...args);
  const options =
    args[2] !== null && typeof args[2] === 'object' ? (args[2] as { position?: unknown }) : undefined;
  const position = options ? options.position : args[4];
  if (position === undefined || position === null || position === -1) file.position += result;
  return { result };
}

function ftruncate(life: Life, [fd, size = 0]: unknown[]): Started {
  const file = life.opened(fd as number);
  life.plan.enter('truncate', file.path);
  real.ftruncateSync(fd as number, size as number);
  return { finish: changed(life, file.inode, { size: size as number }) };
}

function syncOf(kind: 'fsync' | 'fdatasync'): Operation {
  return (life, [fd]) => {
    const file = life.opened(fd as number);
    return synced(life, kind, file.path, () => life.model.beginSync(file.inode, kind), file.inode);
  };
}

/** Its real counterpart is left out: no power is lost here, and a real sync costs milliseconds. */
export function synced(life: Life, kind: Kind, path: string, begin: () => Sync, inode?: Inode): Started {
  life.plan.checkAlive();
  const sync = begin();
  try {
    life.plan.enter(kind, path);
    if (inode?.bytes?.takeFailure()) throw systemError('EIO', kind, path);
  } catch (error) {
    if (!life.plan.crashed) sync.failed();
    throw error;
  }
  return { finish: () => sync.done() };
}

function rename(life: Life, [from, to]: unknown[]): Started {
  both(life, from, to);
  life.plan.enter('rename', `${life.shown(from)} ${life.shown(to)}`);
  real.renameSync(from as PathLike, to as PathLike);
  const { folder, name } = life.place(from);
  const { folder: toFolder, name: toName } = life.place(to);
  const inode = life.model.live.folders.get(folder)!.get(name)!;
  // rename(2) does nothing between two names of one file.
  if (life.model.live.folders.get(toFolder)!.get(toName) === inode) return {};
  life.model.change({ op: 'move', folder, name, toFolder, toName, inode });
  return {};
}

function link(life: Life, [existing, path]: unknown[]): Started {
  both(life, existing, path);
  life.plan.enter('link', `${life.shown(existing)} ${life.shown(path)}`);
  real.linkSync(existing as PathLike, path as PathLike);
  life.model.change({ op: 'add', ...life.place(path), inode: life.at(existing) });
  return {};
}

function both(life: Life, from: unknown, to: unknown): void {
  if (!life.concerns(from) || !life.concerns(to))
    throw new Error(`${from} or ${to} is outside of the folder that the fault model knows`);
}

function removal(kind: 'unlink' | 'rmdir', remove: (path: PathLike) => void): Operation {
  return (life, [path]) => {
    life.plan.enter(kind, life.shown(path));
    remove(path as PathLike);
    const { folder, name } = life.place(path);
    life.model.change({ op: 'remove', folder, name, inode: life.model.live.folders.get(folder)!.get(name)! });
    return {};
  };
}

export function mkdirOne(life: Life, path: PathLike, mode?: number): void {
  life.plan.enter('mkdir', life.shown(path));
  real.mkdirSync(path, mode);
  const inode: Inode = { kind: 'folder' };
  const initial = { mode: real.lstatSync(path).mode & 0o7777 };
  life.model.change({ op: 'add', ...life.place(path), inode, initial });
}

function symlink(life: Life, [target, path]: unknown[]): Started {
  life.plan.enter('symlink', life.shown(path));
  real.symlinkSync(target as string, path as PathLike);
  const inode: Inode = { kind: 'link', target: String(target) };
  const initial = { mode: 0o777 };
  life.model.change({ op: 'add', ...life.place(path), inode, initial });
  return {};
}

/** Modes and times, by path or by descriptor. `follows`: of what a link leads to. */
function attribute(
  name: string,
  next: (old: Attributes, args: unknown[]) => Attributes,
  follows = false,
): Operation {
  const set = (real as unknown as { [name: string]: (...args: unknown[]) => void })[`${name}Sync`]!;
  return (life, args) => {
    const file: Opened | undefined = typeof args[0] === 'number' ? life.opened(args[0]) : undefined;
    life.plan.enter('attributes', file?.path ?? life.shown(args[0]));
    set(...args);
    const inode = file?.inode ?? life.at(follows ? real.realpathSync(args[0] as PathLike) : args[0]);
    life.model.change({
      op: 'attributes',
      inode,
      attributes: next(life.model.live.attributes.get(inode)!, args),
    });
    return {};
  };
}

const mode = (old: Attributes, [, value]: unknown[]): Attributes => ({ ...old, mode: Number(value) });
const time = (old: Attributes, [, , mtime]: unknown[]): Attributes => ({
  ...old,
  mtime: mtime as number | Date,
});

/** By name; those of the first table take a descriptor, the others a path. */
export const ON_DESCRIPTORS: { readonly [name: string]: Operation } = {
  close,
  write,
  read,
  ftruncate,
  fsync: syncOf('fsync'),
  fdatasync: syncOf('fdatasync'),
  fchmod: attribute('fchmod', mode),
  futimes: attribute('futimes', time),
};
export const ON_PATHS: { readonly [name: string]: Operation } = {
  open,
  rename,
  link,
  symlink,
  unlink: removal('unlink', real.unlinkSync),
  rmdir: removal('rmdir', real.rmdirSync),
  chmod: attribute('chmod', mode, true),
  utimes: attribute('utimes', time, true),
  lutimes: attribute('lutimes', time),
};
