/**
 * Cuts a lane's bytes into messages. Lengths are checked before anything is allocated;
 * the data of blocks is copied once, straight to where their chunk gathers. There is a place for whatever was asked for,
 * so a lane is always read, and control messages arrive however slow this side's disk is.
 */

import { asBeelineError, type BeelineError } from '../base/errors.ts';
import type { Slab } from '../base/slab.ts';
import {
  BLOCKS_HEADER_LENGTH,
  type BlocksHeader,
  decodeBlocksHeader,
  decodeHeader,
  decodeMessage,
  type FrameHeader,
  HEADER_LENGTH,
  type Message,
} from './messages.ts';

/** Takes the bytes of blocks as they come. */
export interface Landing {
  /** The next bytes. */
  put(bytes: Uint8Array): void;
  /** All of them at once, in a buffer where they lie as in their chunk. True: it is kept, and released in time. */
  take(slab: Slab): boolean;
  /** No more bytes come: the lane has ended. */
  cut(): void;
}

export interface FrameSink {
  message(message: Message): void;
  /** Called when blocks begin. Returns where they go. Throws if none are expected. */
  land(header: BlocksHeader): Landing;
  /** The bytes are not the protocol's: the lane must end. */
  fail(error: BeelineError): void;
}

export class FrameReader {
  readonly #sink: FrameSink;
  readonly #fixed = new Uint8Array(HEADER_LENGTH + BLOCKS_HEADER_LENGTH);
  /** Where the bytes of the present part go, and how many are there. */
  #target: Uint8Array;
  #filled = 0;
  #frame: FrameHeader | undefined;
  #landing: Landing | undefined;
  /** Bytes of the present blocks that are still to come. */
  #left = 0;
  #ended = false;

  constructor(sink: FrameSink) {
    this.#sink = sink;
    this.#target = this.#fixed.subarray(0, HEADER_LENGTH);
  }

  feed(bytes: Uint8Array): void {
    if (this.#ended) return;
    this.#guarded(() => this.#consume(bytes));
  }

  /** The lane has ended: gives back what it holds. */
  end(): void {
    this.#ended = true;
    this.#landing?.cut();
    this.#landing = undefined;
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
      if (this.#landing) {
        const take = Math.min(this.#left, bytes.length - at);
        this.#left -= take;
        const landing = this.#landing;
        if (this.#left === 0) this.#next();
        landing.put(bytes.subarray(at, at + take));
        at += take;
        continue;
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

  #next(): void {
    this.#frame = undefined;
    this.#landing = undefined;
    this.#target = this.#fixed.subarray(0, HEADER_LENGTH);
    this.#filled = 0;
  }

  #partDone(): void {
    if (!this.#frame) {
      this.#frame = decodeHeader(this.#target);
      const { type, length } = this.#frame;
      this.#expect(type === 'blocks' ? this.#fixed.subarray(HEADER_LENGTH) : new Uint8Array(length));
    } else if (this.#frame.type !== 'blocks') {
      const message = decodeMessage(this.#frame.type, this.#target);
      this.#next();
      this.#sink.message(message);
    } else {
      const header = decodeBlocksHeader(this.#target, this.#frame.length);
      if (header.form === 'data') {
        this.#left = header.bytes;
        this.#landing = this.#sink.land(header);
      } else {
        this.#next();
        this.#sink.message({ type: 'blocks', ...header, data: new Uint8Array(0) });
      }
    }
  }
}
