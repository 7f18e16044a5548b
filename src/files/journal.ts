/**
 * The receiver's journal: what of a transfer is safely on the disk, so that a later run need not look again.
 * Append-only; each append is one write and one fdatasync. A crash can only leave a torn end, which the checksums
 * show and the next opening cuts off. All system failures pass as Node's own errors.
 */
import { closeSync, fdatasync, fstatSync, ftruncate, openSync, renameSync, unlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { concatAll, equalBytes } from '../protocol/bytes.ts';
import { BeelineError } from '../protocol/errors.ts';
import { CREATE_FLAGS, codeOf, READ_FLAGS, readFully, settled, writeFully } from './io.ts';
import {
  encodeRecords,
  FRAME,
  HEADER,
  type JournalRecord,
  type JournalState,
  MAGIC,
  MAX_BODY,
  Replay,
} from './journal-records.ts';
import { syncFolders } from './sync.ts';

export type { JournalState };

/** What an open that finds no journal of ours fails with: nothing there, a link, a folder, a socket, another's. */
const NOT_OURS = ['ENOENT', 'ENOTDIR', 'ELOOP', 'EISDIR', 'ENXIO', 'EACCES'];
/** Bytes read or written at once; any record of a running journal fits. */
const BLOCK = 1024 * 1024;

export class Journal {
  readonly path: string;
  readonly #fd: number;
  /** Bytes that are whole records, and those of them that an fdatasync has covered. */
  #length: number;
  #synced: number;
  #queue: Promise<void> = Promise.resolve();
  /** Why nothing can be appended any more. */
  #broken: Error | undefined;
  #closed = false;

  private constructor(path: string, fd: number, length: number) {
    this.path = path;
    this.#fd = fd;
    this.#length = length;
    this.#synced = length;
  }

  /**
   * Makes one that is on the disk with its first records, `begin` before all others. Where an old one is, at any moment
   * the one or the other is there.
   */
  static async replace(path: string, first: readonly JournalRecord[]): Promise<Journal> {
    const next = `${path}.next`;
    // From a run that ended right here.
    removeIfThere(next);
    const journal = await Journal.#make(next, path, first);
    try {
      renameSync(next, path);
      // Its name may be a link to a folder that is held open, as in /proc/self/fd.
      await syncFolders([`${dirname(path)}/.`], dirname(path));
      return journal;
    } catch (error) {
      await journal.close();
      removeIfThere(next);
      throw error;
    }
  }

  static async #make(at: string, path: string, first: readonly JournalRecord[]): Promise<Journal> {
    if (first[0]?.type !== 'begin') throw new BeelineError('INTERNAL', 'A journal begins with `begin`.');
    const fd = openSync(at, CREATE_FLAGS, 0o600);
    try {
      // In blocks: a manifest may have many megabytes.
      let block: Uint8Array[] = [MAGIC];
      let [gathered, length] = [MAGIC.length, 0];
      for (const [i, record] of first.entries()) {
        const data = encodeRecords([record]);
        block.push(data);
        gathered += data.length;
        if (gathered < BLOCK && i < first.length - 1) continue;
        await writeFully(fd, concatAll(block), length);
        length += gathered;
        block = [];
        gathered = 0;
      }
      await settled((done) => fdatasync(fd, done));
      return new Journal(path, fd, length);
    } catch (error) {
      closeSync(fd);
      removeIfThere(at);
      throw error;
    }
  }

  /**
   * What the one at a path says, its torn or damaged rest left out; changes nothing. Undefined if there is none, or none
   * of this user's, or one without a whole beginning.
   * To go on, begin anew with what it says: what is read may be in memory only, left by a sync that failed, and the
   * disk would lose it with all that is appended behind it.
   */
  static async read(path: string): Promise<JournalState | undefined> {
    const fd = openOwn(path);
    if (fd === undefined) return undefined;
    try {
      return await replay(fd);
    } finally {
      closeSync(fd);
    }
  }

  /**
   * Appends in order of the calls; resolves once the records are on the disk. With `sync: false` it resolves once they
   * are written: a crash, or a later append that fails, may take them back. After a failure the file is cut to what is
   * sound, and appending may go on; if cutting fails too, every later append rejects with that error.
   */
  async append(records: readonly JournalRecord[], { sync = true } = {}): Promise<void> {
    if (this.#closed) throw new BeelineError('INTERNAL', 'The journal is closed.');
    if (records.some((record) => record.type === 'begin'))
      throw new BeelineError('INTERNAL', 'A journal begins only once.');
    // At once: the caller may reuse its buffers.
    const data = encodeRecords(records);
    const turn = this.#queue.then(() => this.#write(data, sync));
    this.#queue = turn.catch(() => {});
    await turn;
  }

  async #write(data: Uint8Array, sync: boolean): Promise<void> {
    if (this.#broken) throw this.#broken;
    let sound = this.#length;
    try {
      await writeFully(this.#fd, data, this.#length);
      this.#length += data.length;
      if (!sync || this.#synced === this.#length) return;
      // A failed sync drops dirty pages and the next one succeeds, so that all that was unsynced is in doubt.
      sound = this.#synced;
      await settled((done) => fdatasync(this.#fd, done));
      this.#synced = this.#length;
    } catch (error) {
      this.#length = sound;
      await settled((done) => ftruncate(this.#fd, sound, done)).catch((reason) => {
        this.#broken = reason;
      });
      throw error;
    }
  }

  /** Waits for the appends so far. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#queue;
    closeSync(this.#fd);
  }
}

/** All whole records from the start. */
async function replay(fd: number): Promise<JournalState | undefined> {
  const buffer = new Uint8Array(BLOCK);
  const view = new DataView(buffer.buffer);
  const records = new Replay();
  let length = 0;
  for (let held = 0; ; ) {
    const end = held + (await readFully(fd, buffer, held, BLOCK - held, length + held));
    let at = 0;
    if (length === 0) {
      if (!equalBytes(buffer.subarray(0, MAGIC.length), MAGIC)) break;
      at = MAGIC.length;
    }
    let sound = true;
    while (end - at >= FRAME) {
      const size = view.getUint32(at);
      sound = size <= MAX_BODY;
      if (!sound || end - at < FRAME + size) break;
      const body = at + HEADER;
      sound = crc32(buffer.subarray(at, body + size)) === view.getUint32(body + size);
      sound &&= records.take(buffer[at + HEADER - 1]!, buffer.subarray(body, body + size));
      if (!sound) break;
      at += FRAME + size;
    }
    length += at;
    if (!sound || end < BLOCK) break;
    buffer.copyWithin(0, at, end);
    held = end - at;
  }
  return records.state();
}

/** A regular file of this user's under one name only, so that nobody else wrote it and nothing else is cut. */
function openOwn(path: string): number | undefined {
  let fd: number;
  try {
    fd = openSync(path, READ_FLAGS);
  } catch (error) {
    if (NOT_OURS.includes(codeOf(error))) return undefined;
    throw error;
  }
  const found = fstatSync(fd);
  if (found.isFile() && found.nlink === 1 && found.uid === (process.getuid?.() ?? found.uid)) return fd;
  closeSync(fd);
  return undefined;
}

function removeIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}
