/** What leaves a sealed lane: the owner's bytes, as far as there is credit for them, and control records ahead of them. */

import type { Credit } from '../../base/credit.ts';
import { type BeelineError, fault } from '../../base/errors.ts';
import type { Pipe } from '../pipe.ts';
import type { Sealer } from './cipher.ts';
import {
  BATCH,
  HEADER_LENGTH,
  MAX_PLAIN,
  RECORD_COST,
  type RecordType,
  type SealedRecord,
} from './record.ts';

interface Plain {
  type: RecordType;
  bytes: Uint8Array;
}

type Done = (error?: Error | null) => void;

export class SealedWriter {
  readonly #inner: Pipe;
  readonly #sealer: Sealer;
  readonly #credit: Credit;
  readonly #fail: (error: unknown) => void;
  /** Not behind data: a grant that waited for credit could let both sides wait for ever. */
  readonly #control: Plain[] = [];
  #write: { bytes: Uint8Array; at: number; done: Done } | undefined;
  /** Bytes of it that credit was given for, or is asked for. */
  #cleared = 0;
  #asked = false;
  #running = false;
  #idle: (() => void)[] = [];
  /** Records of the batch that is being written, put together; free again when the pipe below has taken them. */
  #scratch = new Uint8Array(0);
  #over = false;

  /** @param fail the pipe below, or the key, takes no more */
  constructor(inner: Pipe, sealer: Sealer, credit: Credit, fail: (error: unknown) => void) {
    this.#inner = inner;
    this.#sealer = sealer;
    this.#credit = credit;
    this.#fail = fail;
  }

  /** The owner is in the middle of a write. */
  get busy(): boolean {
    return this.#write !== undefined;
  }

  /** As a pipe's; calls back when all is sealed and the pipe below has begun with the last of it. */
  write(bytes: Uint8Array, done: Done): void {
    if (this.#over) return void queueMicrotask(() => done(closed()));
    this.#write = { bytes, at: 0, done };
    this.#clear();
    // Also for what needs no credit: nothing at all.
    void this.#run();
  }

  control(type: RecordType, bytes: Uint8Array = new Uint8Array(0)): void {
    if (this.#over) return;
    this.#control.push({ type, bytes });
    void this.#run();
  }

  /** Resolves when the pipe below has taken all that there is, or takes no more. */
  flushed(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#running) this.#idle.push(resolve);
      else resolve();
    });
  }

  close(error: Error = closed()): void {
    if (this.#over) return;
    this.#over = true;
    this.#credit.close();
    const write = this.#write;
    this.#write = undefined;
    if (write) queueMicrotask(() => write.done(error));
  }

  #clear(): void {
    if (!this.#write || this.#asked || this.#cleared > 0) return;
    const { bytes, at } = this.#write;
    const length = Math.min(bytes.length - at, BATCH * MAX_PLAIN);
    if (length === 0) return;
    this.#asked = true;
    this.#credit.spend(length + Math.ceil(length / MAX_PLAIN) * RECORD_COST, () => {
      this.#asked = false;
      this.#cleared = length;
      void this.#run();
    });
  }

  /** While one batch is under way in the pipe below, the next is sealed. */
  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    try {
      let sent = Promise.resolve();
      while (!this.#over) {
        const batch = this.#next();
        if (batch.length === 0) {
          await sent;
          this.#advance();
          if (this.#control.length === 0 && this.#cleared === 0) break;
          continue;
        }
        const records = await Promise.all(batch.map(({ type, bytes }) => this.#sealer.seal(type, bytes)));
        await sent;
        if (this.#over) break;
        sent = this.#send(records);
        // Whoever awaits it does so later.
        sent.catch(() => {});
        this.#advance();
      }
    } catch (thrown) {
      this.#fail(thrown);
    }
    this.#running = false;
    for (const idle of this.#idle.splice(0)) idle();
  }

  /** What is to be sealed now: control first, and of the write what has credit. */
  #next(): Plain[] {
    const batch = this.#control.splice(0, BATCH);
    const write = this.#write;
    while (write && this.#cleared > 0) {
      const bytes = write.bytes.subarray(write.at, write.at + Math.min(this.#cleared, MAX_PLAIN));
      write.at += bytes.length;
      this.#cleared -= bytes.length;
      batch.push({ type: 'data', bytes });
    }
    return batch;
  }

  /** All that was taken of the write is sealed and handed on. */
  #advance(): void {
    const write = this.#write;
    if (!write) return;
    if (write.at < write.bytes.length) return this.#clear();
    this.#write = undefined;
    write.done();
  }

  #send(records: SealedRecord[]): Promise<void> {
    const length = records.reduce((sum, { body }) => sum + HEADER_LENGTH + body.length, 0);
    if (this.#scratch.length < length) this.#scratch = new Uint8Array(length);
    let at = 0;
    for (const { header, body } of records) {
      this.#scratch.set(header, at);
      this.#scratch.set(body, at + HEADER_LENGTH);
      at += HEADER_LENGTH + body.length;
    }
    return new Promise((resolve, reject) => {
      this.#inner.write(this.#scratch.subarray(0, length), (error) => (error ? reject(error) : resolve()));
    });
  }
}

function closed(): BeelineError {
  return fault('LANE_CLOSED');
}
