/**
 * The bytes of one transfer and its journal, on two files that are written in place. Group commit: the data is flushed
 * first, then the records that say so are written, then those are flushed; so a recorded chunk is down whatever dies.
 * Runs in the storage worker, where alone such handles exist.
 */
import { concatAll } from '../../protocol/bytes.ts';

/** The part of FileSystemSyncAccessHandle that is used; its calls throw DOMExceptions. */
export interface SyncFile {
  read(into: Uint8Array, options: { at: number }): number;
  write(bytes: Uint8Array, options: { at: number }): number;
  flush(): void;
  truncate(bytes: number): void;
  getSize(): number;
  close(): void;
}

/** Milliseconds until what was written is committed: what a crash can cost. */
const DELAY = 300;
/** Bytes that are committed without waiting for that. */
const FULL = 64 * 1024 * 1024;
/** Bytes read or written by one call: writes of 2 MiB took ten times as long here (Linux 6.18, ext4). */
const BLOCK = 1024 * 1024;

export class SpaceFile {
  readonly #data: SyncFile;
  readonly #journal: SyncFile;
  /** Where the next record goes. */
  #end = 0;
  /** Nothing but zeros is where nothing was written by this object. */
  #fresh = false;
  #records: Uint8Array[] = [];
  #bytes = 0;
  #dirty = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #failure: unknown;
  #scratch: Uint8Array | undefined;

  constructor(data: SyncFile, journal: SyncFile) {
    this.#data = data;
    this.#journal = journal;
  }

  /** The whole journal as it is. */
  read(): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(this.#journal.getSize());
    let at = 0;
    for (let more = 1; more > 0 && at < bytes.length; at += more)
      more = this.#journal.read(bytes.subarray(at), { at });
    return bytes.subarray(0, at);
  }

  /** Bytes of the data, as it is. */
  get size(): number {
    return this.#data.getSize();
  }

  /**
   * Goes on behind the first `trusted` bytes of the journal, or begins anew with 0 of them. The data gets its full
   * size at once, so that a quota that is too small shows now.
   */
  begin(trusted: number, records: Uint8Array, size: number): void {
    this.#fresh = trusted === 0;
    this.#journal.truncate(trusted);
    if (this.#fresh) this.#data.truncate(0);
    this.#data.truncate(size);
    this.#data.flush();
    this.#end = trusted;
    this.#append(records);
    this.#journal.flush();
  }

  /** @param record what the journal is to say of it once it is down; empty: nothing */
  write(at: number, bytes: Uint8Array, record: Uint8Array): void {
    this.#check();
    this.#guarded(() => writeFully(this.#data, bytes, at));
    this.#wrote(bytes.length, record);
  }

  zeros(at: number, length: number, record: Uint8Array): void {
    this.#check();
    this.#guarded(() => {
      if (this.#data.getSize() < at + length) this.#data.truncate(at + length);
      if (!this.#fresh) this.#clear(at, length);
    });
    this.#wrote(0, record);
  }

  /** Records about what is no chunk; they are down with the next commit. */
  append(records: Uint8Array): void {
    this.#check();
    this.#wrote(0, records);
  }

  /** Everything so far is down, and recorded. */
  flush(): void {
    this.#check();
    this.#guarded(() => this.#commit());
  }

  /** What is not committed is forgotten. */
  close(): void {
    clearTimeout(this.#timer);
    this.#failure ??= new Error('closed');
    this.#data.close();
    this.#journal.close();
  }

  #wrote(bytes: number, record: Uint8Array): void {
    if (record.length > 0) this.#records.push(record);
    this.#bytes += bytes;
    this.#dirty = true;
    if (this.#bytes >= FULL) return this.#guarded(() => this.#commit());
    this.#timer ??= setTimeout(() => {
      try {
        this.flush();
      } catch {
        // Whoever asks next is told.
      }
    }, DELAY);
  }

  #commit(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (!this.#dirty) return;
    this.#data.flush();
    if (this.#records.length > 0) {
      this.#append(concatAll(this.#records));
      this.#journal.flush();
    }
    this.#records = [];
    this.#bytes = 0;
    this.#dirty = false;
  }

  #append(record: Uint8Array): void {
    writeFully(this.#journal, record, this.#end);
    this.#end += record.length;
  }

  /** What an earlier run wrote there may be something else; a hole that is one stays one. */
  #clear(at: number, length: number): void {
    this.#scratch ??= new Uint8Array(BLOCK);
    for (let done = 0; done < length; done += BLOCK) {
      const part = this.#scratch.subarray(0, Math.min(BLOCK, length - done));
      part.fill(0);
      this.#data.read(part, { at: at + done });
      if (part.every((byte) => byte === 0)) continue;
      part.fill(0);
      writeFully(this.#data, part, at + done);
    }
  }

  /** After a failure nothing here is certain but what is in the journal: it takes a new beginning. */
  #check(): void {
    if (this.#failure) throw this.#failure;
  }

  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      clearTimeout(this.#timer);
      this.#failure = error;
      throw error;
    }
  }
}

function writeFully(file: SyncFile, bytes: Uint8Array, at: number): void {
  for (let done = 0, more = 1; done < bytes.length; done += more) {
    more = file.write(bytes.subarray(done, done + BLOCK), { at: at + done });
    // A browser that writes nothing and says nothing has no room.
    if (more <= 0) throw new DOMException('Nothing more could be written.', 'QuotaExceededError');
  }
}
