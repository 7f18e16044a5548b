/**
 * A receiver's journal: what of a transfer is safely down, so that a later run need not look again. Append-only; each
 * append is one write and one sync. A crash can only leave a torn end, which the checksums show. Pure: where it lies is
 * its driver's concern, whose errors pass as they are.
 */
import { concatAll, equalBytes } from '../../base/bytes.ts';
import { crc32 } from '../../base/crc32.ts';
import { BeelineError } from '../../base/errors.ts';
import { InTurn } from '../../base/in-turn.ts';
import { decodePage, type Entry } from '../../offer/manifest.ts';
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

/** Bytes read or written at once; any record of a running journal fits. */
const BLOCK_BYTES = 1024 * 1024;

/** What can be read of a file. */
export interface Readable {
  /** Fills `into` with what lies from `at` on; fewer bytes only at the end of the file. */
  read(into: Uint8Array, at: number): Promise<number>;
  close(): Promise<void>;
}

/** The file that a journal grows in. */
export interface JournalFile extends Readable {
  /** All of `bytes`. */
  write(bytes: Uint8Array, at: number): Promise<void>;
  /** What was written is down, whatever dies. */
  sync(): Promise<void>;
  truncate(length: number): Promise<void>;
}

/** Where one transfer's journal lies, as one runtime has it. */
export interface JournalDriver {
  /** As it is, for reading only; undefined if there is none of ours. */
  open(): Promise<Readable | undefined>;
  /**
   * Makes one of these parts and puts it in the place of the old one. Whatever dies meanwhile, `open` finds the one or the
   * other; once this resolves it is the new one, and down. If it fails, nothing of the new one is left.
   */
  replace(parts: Iterable<Uint8Array>): Promise<JournalFile>;
}

export class Journal {
  readonly #file: JournalFile;
  /** Bytes that are whole records, and those of them that a sync has covered. */
  #length: number;
  #synced: number;
  readonly #turns = new InTurn();
  /** Why nothing can be appended any more. */
  #broken: unknown;
  #closed = false;

  private constructor(file: JournalFile, length: number) {
    this.#file = file;
    this.#length = length;
    this.#synced = length;
  }

  /** Begins one that is down with its first records, `begin` before all others, in the place of whatever was there. */
  static async replace(driver: JournalDriver, first: readonly JournalRecord[]): Promise<Journal> {
    if (first[0]?.type !== 'begin') throw new BeelineError('INTERNAL', 'A journal begins with `begin`.');
    let length = 0;
    function* counted() {
      for (const part of partsOf(first)) {
        length += part.length;
        yield part;
      }
    }
    return new Journal(await driver.replace(counted()), length);
  }

  /**
   * What it says, without its torn or damaged rest. Changes nothing. Undefined if there is none, or none with a whole
   * beginning. To go on, begin anew with what it says: after a failed sync, what is read may be in memory only. The disk
   * would lose it, with all that is appended behind it.
   */
  static async read(driver: Pick<JournalDriver, 'open'>): Promise<JournalState | undefined> {
    const file = await driver.open();
    if (!file) return undefined;
    try {
      return await replay(file);
    } finally {
      await file.close();
    }
  }

  /**
   * Appends in order of the calls; resolves once the records are down. With `sync: false` it resolves once they are
   * written: a crash, or a later append that fails, may take them back. After a failure the file is cut to what is
   * sound, and appending may go on; if cutting fails too, every later append rejects with that error.
   */
  async append(records: readonly JournalRecord[], { sync = true } = {}): Promise<void> {
    if (this.#closed) throw new BeelineError('INTERNAL', 'The journal is closed.');
    if (records.some((record) => record.type === 'begin'))
      throw new BeelineError('INTERNAL', 'A journal begins only once.');
    // At once: the caller may reuse its buffers.
    const data = encodeRecords(records);
    await this.#turns.run(() => this.#write(data, sync));
  }

  async #write(data: Uint8Array, sync: boolean): Promise<void> {
    if (this.#broken) throw this.#broken;
    let sound = this.#length;
    try {
      if (data.length > 0) await this.#file.write(data, this.#length);
      this.#length += data.length;
      if (!sync || this.#synced === this.#length) return;
      // A failed sync drops dirty pages and the next one succeeds, so that all that was unsynced is in doubt.
      sound = this.#synced;
      await this.#file.sync();
      this.#synced = this.#length;
    } catch (error) {
      this.#length = sound;
      await this.#file.truncate(sound).catch((reason) => {
        this.#broken = reason;
      });
      throw error;
    }
  }

  /** Waits for the appends so far. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#turns.over();
    await this.#file.close();
  }
}

/** The manifest that a journal has. Undefined if that is none. */
export function manifestOf({ pages }: JournalState): Entry[] | undefined {
  try {
    return pages.flatMap(decodePage);
  } catch (error) {
    if (error instanceof BeelineError) return undefined;
    throw error;
  }
}

/** In blocks: a manifest may have many megabytes. */
function* partsOf(records: readonly JournalRecord[]): Generator<Uint8Array> {
  let part: Uint8Array[] = [MAGIC];
  let gathered = MAGIC.length;
  for (const [i, record] of records.entries()) {
    const data = encodeRecords([record]);
    part.push(data);
    gathered += data.length;
    if (gathered < BLOCK_BYTES && i < records.length - 1) continue;
    yield concatAll(part);
    part = [];
    gathered = 0;
  }
}

/** All whole records from the start. */
export async function replay(file: Pick<Readable, 'read'>): Promise<JournalState | undefined> {
  const buffer = new Uint8Array(BLOCK_BYTES);
  const view = new DataView(buffer.buffer);
  const records = new Replay();
  let length = 0;
  for (let held = 0; ; ) {
    const end = held + (await file.read(buffer.subarray(held), length + held));
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
    if (!sound || end < BLOCK_BYTES) break;
    buffer.copyWithin(0, at, end);
    held = end - at;
  }
  return records.state();
}
