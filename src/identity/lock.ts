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
type Holder = v.InferOutput<typeof HOLDER>;

interface Found {
  /** Undefined if what is there cannot be read as a lock. */
  holder: Holder | undefined;
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
export async function takeLock(folder: string, options: LockOptions = {}): Promise<Lock> {
  const contender = new Contender(folder, options);
  try {
    return await contender.take();
  } catch (error) {
    contender.leave();
    throw error;
  }
}

/** For listings: true if a live process holds it, or if that cannot be ruled out. Changes nothing. */
export function isLocked(folder: string): boolean {
  const found = attempt(() => look(`${folder}/lock`) ?? 'free');
  return found !== 'free' && !(found && isStale(found, Date.now()));
}

class Contender {
  readonly #folder: string;
  readonly #path: string;
  readonly #shown: string;
  readonly #patience: number;
  readonly #me = thisProcess();
  readonly #bytes = Buffer.from(`${JSON.stringify(this.#me)}\n`);
  readonly #announcement: string;
  /** Undefined while withdrawn. Kept open by the holder, since only its own file must be touched. */
  #fd: number | undefined;

  constructor(folder: string, { shown = folder, patience = 0 }: LockOptions) {
    this.#folder = folder;
    this.#shown = `${shown}/lock`;
    this.#patience = patience;
    this.#path = `${folder}/lock`;
    this.#announcement = `${folder}/lock.${this.#me.id}`;
  }

  async take(): Promise<Lock> {
    this.#fd = this.#write(this.#announcement);
    // As the file system's clock has it.
    const began = performance.now();
    const then = fstatSync(this.#fd).mtimeMs;
    let deadline = began + CONTEST_MS;
    let holder: string | undefined;
    for (; ; await sleep(LOOK_MS)) {
      const now = then + performance.now() - began;
      const others = this.#others(now);
      // Looked at after the others: from then on nobody else replaces a stale one.
      const found = look(this.#path);
      // Over NFS a link may be made and yet reported as failed.
      if (found?.holder?.id === this.#me.id) return this.#held();
      if (found && !isStale(found, now)) {
        if (this.#patience === 0) throw locked(this.#shown, found.holder);
        // Each of those before this one has its time, and is not disturbed.
        const next = found.holder?.id ?? '';
        if (next !== holder) deadline = performance.now() + this.#patience;
        holder = next;
        this.leave();
      } else if (this.#fd === undefined) {
        if (others.length === 0) this.#fd = this.#write(this.#announcement);
        if (others.length === 0) continue;
      } else if (!found) {
        if (this.#link()) return this.#held();
      } else if (others.length === 0) {
        renameSync(this.#announcement, this.#path);
        return this.#held();
      } else if (others.some((id) => id < this.#me.id)) {
        // The least of all stays; the others make room, and come back only when nobody is left.
        this.leave();
      }
      if (performance.now() > deadline) throw locked(this.#shown, found?.holder);
    }
  }

  /** Leaves nothing behind. */
  leave(): void {
    if (this.#fd === undefined) return;
    closeSync(this.#fd);
    this.#fd = undefined;
    removeQuietly(this.#announcement);
  }

  /** Ids of other contenders. What dead ones left is removed: their names never come again. */
  #others(now: number): string[] {
    const others: string[] = [];
    for (const name of readdirSync(this.#folder)) {
      const id = ANNOUNCED.exec(name)?.[1];
      if (id === undefined || id === this.#me.id) continue;
      const found = look(`${this.#folder}/${name}`);
      if (found && isStale(found, now)) removeQuietly(`${this.#folder}/${name}`);
      else if (found) others.push(id);
    }
    return others;
  }

  /** False if there is one by now. */
  #link(): boolean {
    const link = () => {
      linkSync(this.#announcement, this.#path);
      return true;
    };
    if (attempt(link)) return true;
    try {
      // For file systems without links, like exFAT. Half-written it counts as held, see isStale.
      const fd = this.#write(this.#path);
      closeSync(this.#fd!);
      this.#fd = fd;
      return true;
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false;
      throw error;
    }
  }

  #held(): Lock {
    removeQuietly(this.#announcement);
    const fd = this.#fd!;
    // The same bytes again, so that the file server's clock sets the time. A full disk may refuse: then the next time.
    const touch = () => writeSync(fd, this.#bytes, 0, this.#bytes.length, 0);
    const timer = setInterval(() => attempt(touch), TOUCH_MS).unref();
    let released = false;
    return {
      release: () => {
        if (released) return;
        released = true;
        clearInterval(timer);
        closeSync(fd);
        if (attempt(() => look(this.#path))?.holder?.id === this.#me.id) removeQuietly(this.#path);
      },
    };
  }

  /** Makes a file that says who this is, and is whole on the disk even after a power cut. */
  #write(path: string): number {
    const fd = openSync(path, 'wx', 0o600);
    try {
      const { length } = this.#bytes;
      for (let at = 0; at < length; ) at += writeSync(fd, this.#bytes, at, length - at, at);
      fdatasyncSync(fd);
      return fd;
    } catch (error) {
      closeSync(fd);
      removeQuietly(path);
      throw error;
    }
  }
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

function runs({ pid, start }: Holder): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM is an answer too: somebody is there.
    if (codeOf(error) === 'ESRCH') return false;
  }
  const found = processStat(pid);
  if (!found) return true;
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

function thisProcess(): Holder {
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
    const stat = lstatSync(path);
    if (stat.isFile()) throw error;
    return { holder: undefined, touched: stat.mtimeMs };
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

function locked(path: string, holder: Holder | undefined): BeelineError {
  const who = holder ? `process ${holder.pid} on ${escapeName(holder.host)}` : 'another process';
  return fault('FOLDER_LOCKED', { who, path: quoted(path) });
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
