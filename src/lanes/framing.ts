/**
 * Cuts a lane's bytes into messages. Lengths are checked before anything is allocated; a chunk's data is copied
 * once, straight into a pooled buffer, and while none is free the lane is not read.
 */

import { decodeChunkHeader, decodeHeader, decodeMessage, type FrameHeader } from '../protocol/decode.ts';
import { asBeelineError, type BeelineError } from '../protocol/errors.ts';
import { CHUNK_HEADER_LENGTH, type ChunkHeader, HEADER_LENGTH, type Message } from '../protocol/messages.ts';
import type { Slab } from '../transfer/ports.ts';

export interface FrameSink {
  message(message: Message, slab?: Slab): void;
  /** A chunk begins: lend a buffer, now or later. Throws when no chunk is expected. */
  slab(then: (slab: Slab) => void): void;
  /** Stop and go on reading the pipe. */
  pause(): void;
  resume(): void;
  /** Not the protocol: the lane must end. */
  fail(error: BeelineError): void;
}

export class FrameReader {
  readonly #sink: FrameSink;
  readonly #fixed = new Uint8Array(HEADER_LENGTH + CHUNK_HEADER_LENGTH);
  /** Where the bytes of the present part go, and how many are there. */
  #target: Uint8Array;
  #filled = 0;
  #frame: FrameHeader | undefined;
  #chunk: ChunkHeader | undefined;
  #slab: Slab | undefined;
  #waiting = false;
  /** What came while waiting for a buffer: at most what the pipe delivers after `pause`. */
  #stash: Uint8Array[] = [];
  #ended = false;

  constructor(sink: FrameSink) {
    this.#sink = sink;
    this.#target = this.#fixed.subarray(0, HEADER_LENGTH);
  }

  feed(bytes: Uint8Array): void {
    if (this.#ended) return;
    if (this.#waiting) {
      this.#stash.push(new Uint8Array(bytes));
      return;
    }
    this.#guarded(() => this.#consume(bytes));
  }

  /** The lane is over: gives back what it holds. */
  end(): void {
    this.#ended = true;
    this.#slab?.release();
    this.#slab = undefined;
    this.#stash = [];
  }

  #guarded(work: () => void): void {
    try {
      work();
    } catch (thrown) {
      this.end();
      this.#sink.fail(asBeelineError(thrown, 'PROTOCOL'));
    }
  }

  #consume(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length && !this.#ended) {
      if (this.#waiting) {
        this.#stash.push(new Uint8Array(bytes.subarray(at)));
        return;
      }
      const take = Math.min(this.#target.length - this.#filled, bytes.length - at);
      this.#target.set(bytes.subarray(at, at + take), this.#filled);
      this.#filled += take;
      at += take;
      if (this.#filled === this.#target.length) this.#partDone();
    }
  }

  #expect(target: Uint8Array): void {
    this.#target = target;
    this.#filled = 0;
    if (target.length === 0) this.#partDone();
  }

  #partDone(): void {
    if (!this.#frame) {
      this.#frame = decodeHeader(this.#target);
      const { type, length } = this.#frame;
      this.#expect(type === 'chunk' ? this.#fixed.subarray(HEADER_LENGTH) : new Uint8Array(length));
    } else if (this.#frame.type !== 'chunk') {
      this.#deliver(decodeMessage(this.#frame.type, this.#target));
    } else if (!this.#chunk) {
      this.#chunk = decodeChunkHeader(this.#target, this.#frame.length);
      if (this.#chunk.form !== 'data')
        this.#deliver({ type: 'chunk', ...this.#chunk, data: new Uint8Array(0) });
      else this.#borrow(this.#chunk.length);
    } else {
      const slab = this.#slab;
      this.#slab = undefined;
      this.#deliver({ type: 'chunk', ...this.#chunk, data: this.#target }, slab);
    }
  }

  #deliver(message: Message, slab?: Slab): void {
    this.#frame = undefined;
    this.#chunk = undefined;
    this.#target = this.#fixed.subarray(0, HEADER_LENGTH);
    this.#filled = 0;
    try {
      this.#sink.message(message, slab);
    } catch (thrown) {
      slab?.release();
      throw thrown;
    }
  }

  #borrow(length: number): void {
    let now = true;
    this.#waiting = true;
    this.#sink.slab((slab) => {
      if (this.#ended) return slab.release();
      this.#waiting = false;
      this.#slab = slab;
      if (now) return this.#expect(slab.bytes.subarray(0, length));
      // Called by whoever gave the buffer back: what is wrong with this lane is not for it to catch.
      this.#guarded(() => {
        this.#expect(slab.bytes.subarray(0, length));
        this.#unstash();
      });
    });
    now = false;
    if (this.#waiting) this.#sink.pause();
  }

  #unstash(): void {
    const stash = this.#stash;
    this.#stash = [];
    for (const bytes of stash) this.feed(bytes);
    if (!this.#waiting && !this.#ended) this.#sink.resume();
  }
}
