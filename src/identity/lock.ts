/**
 * One process at a time in a folder, a receive's staging or the configuration, without the kernel's locks: Node has none. Who
 * holds `lock` stands in it, so that a holder that was killed is told from one that lives.
 *
 * A free lock is taken by link(2), which is atomic. A stale one is never moved away, which could hit the lock of
 * whoever has just taken it over. Instead each contender announces itself as `lock.<id>` before it looks for others
 * (as in Lamport's bakery): of any two, one sees the other, and only who sees nobody renames over the stale lock.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  linkSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import * as v from 'valibot';
import { type BeelineError, codeOf, fault } from '../base/errors.ts';
import { count, text, tryJson } from '../base/json.ts';
import { escapeName, quoted } from '../base/printable.ts';
import { isOpenElsewhere, whenClosed } from './open-elsewhere.ts';

export interface Lock {
  /** Idempotent; removes the file only if it is still this lock's. Never throws. */
  release(): void;
}

/** Where the system does not tell, a field is ''. */
const HOLDER = v.object({
  id: text(255),
  /** 0 and negative numbers would mean groups of processes to kill(2). */
  pid: count(2 ** 31 - 1, 1),
  /** Start time of the process in clock ticks since boot, against reused numbers. */
  start: text(255),
  /** This run of the kernel. */
  boot: text(255),
  /** The pid namespace: numbers of another one mean nothing here. */
  space: text(255),
  host: text(255),
});
type LockHolder = v.InferOutput<typeof HOLDER>;

interface Found {
  /** Undefined if what is there cannot be read as a lock. */
  holder: LockHolder | undefined;
  /** Milliseconds since 1970. */
  touched: number;
}

/** Milliseconds. A holder that cannot be looked up from here touches its lock so often, and is dead if it does not. */
const TOUCH_MS = 20_000;
const STALE_MS = 120_000;
/** Milliseconds that contenders for a stale lock wait for each other, and between two looks. */
const CONTEST_MS = 2_000;
const LOOK_MS = 5;
/** A link is not followed, and what is no file cannot hang the open. */
const READ_FLAGS = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
const ANNOUNCED = /^lock\.([0-9a-f]{32})$/;

export interface LockOptions {
  /** What the folder is called in errors. Default: as it is. */
  shown?: string;
  /** Milliseconds for which one holder after the other is waited for. Default: not at all. */
  patience?: number;
}

/** Takes `folder/lock`. @throws BeelineError LOCKED, naming who holds it; for a failing disk Node's error codes */
export async function takeLock(
  folder: string,
  { shown = folder, patience = 0 }: LockOptions = {},
): Promise<Lock> {
  const path = `${folder}/lock`;
  const me = thisProcess();
  const announcement = `${folder}/lock.${me.id}`;
  const bytes = Buffer.from(`${JSON.stringify(me)}\n`);
  let fd: number | undefined = makeFile(announcement, bytes);
  /** Leaves nothing behind. */
  const leave = () => {
    if (fd === undefined) return;
    closeSync(fd);
    fd = undefined;
    removeQuietly(announcement);
  };
  try {
    // As the file system's clock has it.
    const began = performance.now();
    const then = fstatSync(fd).mtimeMs;
    let deadline = began + CONTEST_MS;
    let holder: string | undefined;
    for (; ; await sleep(LOOK_MS)) {
      const now = then + performance.now() - began;
      const others = otherContenders(folder, me.id, now);
      // Looked at after the others: from then on nobody else replaces a stale one.
      const found = look(path);
      // Over NFS a link may be made and yet reported as failed.
      if (found?.holder?.id === me.id) break;
      if (found && !isStale(found, now)) {
        if (patience === 0) throw locked(shown, found.holder);
        // Each of those before this one has its time, and is not disturbed.
        const next = found.holder?.id ?? '';
        if (next !== holder) deadline = performance.now() + patience;
        holder = next;
        leave();
      } else if (fd === undefined) {
        if (others.length === 0) fd = makeFile(announcement, bytes);
        if (others.length === 0) continue;
      } else if (!found) {
        const linked = attempt(() => {
          linkSync(announcement, path);
          return true;
        });
        if (linked) {
          // Windows keeps the name of what is open, so it is closed before that name is removed.
          if (process.platform === 'win32') {
            leave();
            fd = await reopened(path);
          }
          break;
        }
        // For file systems without links, like exFAT. Half-written it counts as held, see isStale.
        const own: number | undefined = makeFile(path, bytes, 'EEXIST');
        if (own !== undefined) {
          closeSync(fd);
          fd = own;
          break;
        }
      } else if (others.length === 0) {
        if (replaced(announcement, path)) break;
      } else if (others.some((id) => id < me.id)) {
        // The least of all stays; the others make room, and come back only when nobody is left.
        leave();
      }
      if (performance.now() > deadline) throw locked(shown, found?.holder);
    }
  } catch (error) {
    leave();
    throw error;
  }
  removeQuietly(announcement);
  return held(path, fd!, me.id, bytes);
}

/** @param fd stays open, since only the holder's own file must be touched */
function held(path: string, fd: number, id: string, bytes: Uint8Array): Lock {
  // The same bytes again, so that the file server's clock sets the time. A full disk may refuse: then the next time.
  const touch = () => writeSync(fd, bytes, 0, bytes.length, 0);
  const timer = setInterval(() => attempt(touch), TOUCH_MS).unref();
  let released = false;
  return {
    release: () => {
      if (released) return;
      released = true;
      clearInterval(timer);
      closeSync(fd);
      if (attempt(() => look(path))?.holder?.id === id) removeQuietly(path);
    },
  };
}

/** A lock that is this one's, and that nobody is to find held by it where it cannot be opened. */
async function reopened(path: string): Promise<number> {
  try {
    return await whenClosed(async () => openSync(path, 'r+'));
  } catch (error) {
    removeQuietly(path);
    throw error;
  }
}

/** False while somebody looks at the stale one. */
function replaced(announcement: string, path: string): boolean {
  try {
    renameSync(announcement, path);
    return true;
  } catch (error) {
    if (isOpenElsewhere(error)) return false;
    throw error;
  }
}

/** Ids of other contenders. What dead ones left is removed: their names never come again. */
function otherContenders(folder: string, own: string, now: number): string[] {
  const others: string[] = [];
  for (const name of readdirSync(folder)) {
    const id = ANNOUNCED.exec(name)?.[1];
    if (id === undefined || id === own) continue;
    const found = look(`${folder}/${name}`);
    if (found && isStale(found, now)) removeQuietly(`${folder}/${name}`);
    else if (found) others.push(id);
  }
  return others;
}

/** Makes a file that is whole on the disk even after a power cut. Undefined where that fails with the code `unless`. */
function makeFile(path: string, bytes: Uint8Array): number;
function makeFile(path: string, bytes: Uint8Array, unless: string): number | undefined;
function makeFile(path: string, bytes: Uint8Array, unless?: string): number | undefined {
  let fd: number;
  try {
    fd = openSync(path, 'wx', 0o600);
  } catch (error) {
    if (unless !== undefined && (codeOf(error) === unless || isOpenElsewhere(error))) return undefined;
    throw error;
  }
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, at);
    fdatasyncSync(fd);
    return fd;
  } catch (error) {
    closeSync(fd);
    removeQuietly(path);
    throw error;
  }
}

/** For listings: true if a live process holds it, or if that cannot be ruled out. Changes nothing. */
export function isLocked(folder: string): boolean {
  const found = attempt(() => look(`${folder}/lock`) ?? 'free');
  return found !== 'free' && !(found && isStale(found, Date.now()));
}

/** @param now ms since 1970 */
function isStale({ holder, touched }: Found, now: number): boolean {
  const silent = now - touched > STALE_MS;
  if (!holder) return silent;
  const { host, boot, space } = thisProcess();
  const sameBoot = holder.boot === boot;
  if (holder.host !== host || (sameBoot && holder.space !== space)) return silent;
  return !sameBoot || !runs(holder);
}

function runs({ pid, start }: LockHolder): boolean {
  let ours = true;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM is an answer too: somebody is there.
    if (codeOf(error) === 'ESRCH') return false;
    ours = false;
  }
  const found = processStat(pid);
  // It has ended since: one that may be signalled can be looked up where this process can.
  if (!found) return !(ours && processStat(process.pid));
  // A zombie answers signals, but does no more.
  return !'ZXx'.includes(found.state) && (start === '' || found.start === start);
}

/** Linux only, see proc(5). Undefined if there is no /proc, or one of another pid namespace. */
function processStat(pid: number): { state: string; start: string } | undefined {
  if (attempt(() => readlinkSync('/proc/self')) !== String(process.pid)) return undefined;
  const stat = attempt(() => readFileSync(`/proc/${pid}/stat`, 'latin1')) ?? '';
  // The name of the program, in brackets, may contain anything; fields 3 and 22 count from behind it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, start] = [fields[0], fields[19]];
  return state && start ? { state, start } : undefined;
}

function thisProcess(): LockHolder {
  return {
    id: randomBytes(16).toString('hex'),
    pid: process.pid,
    start: processStat(process.pid)?.start ?? '',
    boot: attempt(() => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()) ?? '',
    space: attempt(() => readlinkSync('/proc/self/ns/pid')) ?? '',
    host: hostname(),
  };
}

/** Undefined if nothing is there. Node's error codes. */
function look(path: string): Found | undefined {
  let fd: number;
  try {
    fd = openSync(path, READ_FLAGS);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    const stat = attempt(() => lstatSync(path));
    if (stat && !stat.isFile()) return { holder: undefined, touched: stat.mtimeMs };
    // Removed, and not yet gone.
    if (isOpenElsewhere(error)) return { holder: undefined, touched: Number.POSITIVE_INFINITY };
    throw error;
  }
  try {
    const stat = fstatSync(fd);
    const buffer = Buffer.alloc(4096);
    const length = stat.isFile() ? readSync(fd, buffer) : 0;
    return { holder: tryJson(HOLDER, buffer.toString('utf8', 0, length)), touched: stat.mtimeMs };
  } finally {
    closeSync(fd);
  }
}

function locked(folder: string, holder: LockHolder | undefined): BeelineError {
  const who = holder ? `process ${holder.pid} on ${escapeName(holder.host)}` : 'another process';
  return fault('FOLDER_LOCKED', { who, path: quoted(`${folder}/lock`) });
}

/** Undefined where it fails. */
function attempt<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch {
    return undefined;
  }
}

/** What stays, whoever takes the lock next clears up. */
const removeQuietly = (path: string) => attempt(() => unlinkSync(path));
