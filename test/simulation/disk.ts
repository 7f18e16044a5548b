/**
 * A disk in memory: what was written and not synced may be lost, whole or in part, when the power goes, and a name that
 * was changed may be the old one again. A sync that fails leaves what it was for in doubt, whatever later syncs say.
 */
import type { Chance } from './world.ts';

/** What a write changed: puts it back. */
interface Change {
  at: number;
  before: Buffer;
  /** Of the whole file, before. */
  length: number;
}

export class SimFile {
  bytes: Buffer = Buffer.alloc(0);
  /** It stood here before there was any transfer. */
  readonly old: boolean;
  #unsynced: Change[] = [];
  /** Of syncs that failed. */
  #doubtful: Change[] = [];

  constructor(old = false) {
    this.old = old;
  }

  get durable(): boolean {
    return this.#unsynced.length === 0 && this.#doubtful.length === 0;
  }

  write(data: Uint8Array, at: number): void {
    if (at + data.length > this.bytes.length) this.truncate(at + data.length);
    const { length } = this.bytes;
    if (data.length === 0) return;
    this.#unsynced.push({ at, before: Buffer.from(this.bytes.subarray(at, at + data.length)), length });
    this.bytes.set(data, at);
    // What is written again is no longer in doubt once it is synced.
    this.#doubtful = this.#doubtful.filter(
      (change) => change.at < at || change.at + change.before.length > at + data.length,
    );
  }

  truncate(length: number): void {
    const cut = Math.min(length, this.bytes.length);
    if (length === this.bytes.length) return;
    this.#unsynced.push({
      at: cut,
      before: Buffer.from(this.bytes.subarray(cut)),
      length: this.bytes.length,
    });
    this.bytes = Buffer.concat([this.bytes.subarray(0, cut), Buffer.alloc(length - cut)]);
    this.#doubtful = this.#doubtful.filter((change) => change.at < length);
  }

  sync(): void {
    this.#unsynced = [];
  }

  failSync(): void {
    this.#doubtful.push(...this.#unsynced);
    this.#unsynced = [];
  }

  /** The power went. */
  crash(chance: Chance): void {
    for (const { at, before, length } of [...this.#doubtful, ...this.#unsynced].reverse()) {
      const fate = chance.below(3);
      if (fate === 0) continue;
      // All of it is undone, or what is behind some point.
      const from = fate === 1 ? 0 : chance.below(before.length + 1);
      const end = Math.max(at + before.length, this.bytes.length);
      const whole = Buffer.alloc(end);
      whole.set(this.bytes);
      whole.set(before.subarray(from), at + from);
      this.bytes = fate === 1 ? whole.subarray(0, length) : whole;
    }
    this.#unsynced = [];
    this.#doubtful = [];
  }
}

/** One folder. */
export class SimFolder {
  readonly names = new Map<string, SimFile>();
  /** Each takes back one change of a name, which was of this file. */
  #unsynced: { file: SimFile | undefined; undo: () => void }[] = [];

  get durable(): boolean {
    return this.#unsynced.length === 0;
  }

  /** An empty file, in the place of whatever had that name. */
  create(name: string): SimFile {
    const file = new SimFile();
    this.#set(name, file);
    return file;
  }

  rename(from: string, to: string): void {
    const [file, before] = [this.names.get(from), this.names.get(to)];
    if (!file) throw new Error(`there is no ${from}`);
    this.names.delete(from);
    this.names.set(to, file);
    const undo = () => {
      this.#put(to, before);
      this.#put(from, file);
    };
    this.#unsynced.push({ file, undo });
  }

  remove(name: string): void {
    if (this.names.has(name)) this.#set(name, undefined);
  }

  sync(): void {
    this.#unsynced = [];
  }

  /** A file is synced, and with it its name and what was done to names before, as ext4, XFS and Btrfs do. */
  syncFile(file: SimFile): void {
    file.sync();
    const last = this.#unsynced.findLastIndex((change) => change.file === file);
    this.#unsynced.splice(0, last + 1);
  }

  /** Of names changed one after the other the first few are. */
  crash(chance: Chance): void {
    const kept = chance.below(this.#unsynced.length + 1);
    for (const { undo } of this.#unsynced.slice(kept).reverse()) undo();
    this.#unsynced = [];
    for (const file of new Set(this.names.values())) file.crash(chance);
  }

  #set(name: string, file: SimFile | undefined): void {
    const before = this.names.get(name);
    this.#put(name, file);
    this.#unsynced.push({ file, undo: () => this.#put(name, before) });
  }

  #put(name: string, file: SimFile | undefined): void {
    if (file) this.names.set(name, file);
    else this.names.delete(name);
  }
}
