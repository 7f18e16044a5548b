/**
 * The folder that keeps this device's key and its trusted devices: where it is, and reading and writing small files in
 * it so that no one else can read or change them, a crash leaves the old or the new one, and writers take turns.
 */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { BeelineError, codeOf, fault } from '../base/errors.ts';
import { takeLock } from './lock.ts';
import { whenClosed } from './open-elsewhere.ts';

/** What one writer's turn may take: a few milliseconds, but for a disk that is slow to sync. */
const TURN_MS = 10_000;

/**
 * Where this user's own files are: $BEELINE_CONFIG_DIR, else %APPDATA%\beeline on Windows, else $XDG_CONFIG_HOME/beeline,
 * else ~/.config/beeline; and for what is kept of transfers $BEELINE_STATE_DIR, %LOCALAPPDATA%, $XDG_STATE_HOME, ~/.local/state.
 */
export function userFolder(kind: 'CONFIG' | 'STATE', env = process.env, platform = process.platform): string {
  const own = env[`BEELINE_${kind}_DIR`];
  if (own) return own;
  const [windows, home] =
    kind === 'CONFIG' ? [env.APPDATA, '.config'] : [env.LOCALAPPDATA, join('.local', 'state')];
  if (platform === 'win32' && windows) return join(windows, 'beeline');
  const xdg = env[`XDG_${kind}_HOME`];
  // The XDG Base Directory specification: a relative path there is to be ignored.
  return join(xdg?.startsWith('/') ? xdg : join(homedir(), home), 'beeline');
}

export function defaultConfigDir(env = process.env, platform = process.platform): string {
  return userFolder('CONFIG', env, platform);
}

export interface FileRules {
  /** Bytes; a larger file is refused unread. */
  max: number;
  /** Mode bits (as in chmod) of others that the file must not have. */
  forbidden: number;
  /** It must be this user's, or root's. */
  ownOnly?: boolean;
}

/**
 * A file's text, or undefined if there is none.
 * @throws BeelineError USAGE if its permissions or its owner are not as `rules` say; DAMAGED if it is too large; UNREADABLE.
 */
export async function readPrivate(path: string, rules: FileRules): Promise<string | undefined> {
  try {
    // O_NONBLOCK: a FIFO in the file's place must not hang the command.
    const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      const found = await file.stat();
      if (!found.isFile()) throw fault('PRIVATE_FILE_IS_NONE', { path });
      // Windows keeps access in lists that mode bits do not show; a user's profile is private there.
      if (process.platform !== 'win32' && (found.mode & rules.forbidden) !== 0)
        throw fault('PRIVATE_FILE_OPEN', { path });
      if (rules.ownOnly && process.platform !== 'win32' && ![0, process.getuid!()].includes(found.uid))
        throw fault('PRIVATE_FILE_FOREIGN', { path });
      if (found.size > rules.max) throw fault('PRIVATE_FILE_TOO_LARGE', { path });
      const buffer = Buffer.alloc(rules.max);
      const { bytesRead } = await file.read(buffer, 0, rules.max, 0);
      return buffer.toString('utf8', 0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof BeelineError) throw cause;
    if (codeOf(cause) === 'ENOENT') return undefined;
    throw fault('FILE_UNREADABLE', { path, why: reason(cause) }, { cause });
  }
}

/** @throws BeelineError WRITE_FAILED; the old file is whole then. */
export async function writePrivate(path: string, text: string): Promise<void> {
  try {
    await replaceFile(path, [text], '.');
  } catch (cause) {
    throw fault('DISK_OTHER', { path, why: reason(cause) }, { cause });
  }
}

/** What `writePrivate` writes first. */
const HALF_WRITTEN = /^\.[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}\.tmp$/;
/** Characters in one write. */
const BLOCK = 256 * 1024;

/**
 * Replaces a file, readable by this user only, at once and durably: a crash leaves the old one or the new one. Node's errors.
 * @param prefix of the name under which it is written first
 */
export async function replaceFile(path: string, parts: Iterable<string>, prefix: string): Promise<void> {
  const temporary = join(dirname(path), `${prefix}${randomUUID()}.tmp`);
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      let block = '';
      for (const part of parts) {
        block += part;
        if (block.length < BLOCK) continue;
        await file.appendFile(block);
        block = '';
      }
      await file.appendFile(block);
      await file.sync();
    } finally {
      await file.close();
    }
    await whenClosed(() => rename(temporary, path));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
  // Windows opens no folders, and some network mounts sync none; the rename stands either way.
  const folder = await open(dirname(path), 'r').catch(() => undefined);
  await folder?.sync().catch(() => undefined);
  await folder?.close();
}

/** What is there, or what is made in a turn in which it still is not. Throws as `whileLocked`. */
export async function madeOnce<T>(
  folder: string,
  read: () => Promise<T | undefined>,
  make: () => Promise<T>,
): Promise<T> {
  return (await read()) ?? whileLocked(folder, async () => (await read()) ?? make());
}

/**
 * Makes the folder if need be (0700) and runs `work` while no other process does the same in it, so that two that
 * read, change and write do not undo each other.
 * @throws BeelineError TIMEOUT, WRITE_FAILED, USAGE if everyone may write to the folder.
 */
export async function whileLocked<T>(folder: string, work: () => Promise<T>): Promise<T> {
  await makePrivateFolder(folder);
  const lock = await takeLock(folder, { patience: TURN_MS }).catch((cause) => {
    const path = join(folder, 'lock');
    if (cause instanceof BeelineError) throw fault('CONFIG_BUSY', { folder, lock: path }, { cause });
    throw fault('DISK_OTHER', { path, why: reason(cause) }, { cause });
  });
  try {
    await sweep(folder).catch(() => undefined);
    return await work();
  } finally {
    lock.release();
  }
}

/** Files are written here by whoever has the lock: a half-written one is of a process that was killed. */
async function sweep(folder: string): Promise<void> {
  for (const name of await readdir(folder))
    if (HALF_WRITTEN.test(name)) await rm(join(folder, name), { force: true });
}

async function makePrivateFolder(folder: string): Promise<void> {
  let mode: number;
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    mode = (await stat(folder)).mode;
  } catch (cause) {
    throw fault('DISK_OTHER', { path: folder, why: reason(cause) }, { cause });
  }
  if (process.platform !== 'win32' && (mode & 0o002) !== 0) throw fault('PRIVATE_FOLDER_OPEN', { folder });
}

function reason(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
