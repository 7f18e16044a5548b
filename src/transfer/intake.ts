/** Chunks on their way in: each is checked against its hash and handed to the sink. How many is bounded by the slabs. */
import { equalBytes } from '../protocol/bytes.ts';
import { BeelineError } from '../protocol/errors.ts';
import type { Message } from '../protocol/messages.ts';
import type { Holdings } from './holdings.ts';
import type { Digest, Extent, Sink, Slab } from './ports.ts';
import type { ByteSpace } from './space.ts';
import { ZeroHashes } from './zeros.ts';

export interface IntakeOptions {
  digest: Digest;
  space: ByteSpace;
  sink: Sink;
  holdings: Holdings;
  /** A chunk is down; `kept` bytes of it were here already. */
  written: (extents: readonly Extent[], kept: number) => void;
}

export class Intake {
  readonly #options: IntakeOptions;
  readonly #zeroHashes: ZeroHashes;
  readonly #writing = new Set<number>();
  /** What was guessed of chunks that were asked for under a condition. */
  readonly #guesses = new Map<number, Uint8Array>();

  constructor(options: IntakeOptions) {
    this.#options = options;
    this.#zeroHashes = new ZeroHashes(options.digest);
  }

  get busy(): boolean {
    return this.#writing.size > 0;
  }

  /** What lies in a chunk's place already, if anything; remembered, since the sender may say that it is right. */
  async guess(index: number): Promise<Uint8Array | undefined> {
    const { sink, space } = this.#options;
    if (!sink.guess) return undefined;
    const guess = await sink.guess(index, space.extents(index));
    if (guess) this.#guesses.set(index, guess);
    return guess;
  }

  /** Resolves when it is written, or was not needed. @throws BeelineError PROTOCOL, VERIFICATION, and what the sink throws. */
  async take(message: Message & { type: 'chunk' }, slab: Slab | undefined): Promise<void> {
    const { index } = message;
    const { space, holdings } = this.#options;
    try {
      if (holdings.have.has(index) || this.#writing.has(index) || index >= space.chunks) return;
      this.#writing.add(index);
      await this.#write(message);
    } finally {
      this.#writing.delete(index);
      slab?.release();
    }
  }

  async #write(message: Message & { type: 'chunk' }): Promise<void> {
    const { index, length, sha256, form } = message;
    const { space, sink, holdings, written } = this.#options;
    if (space.stream && length < space.chunkSize) space.end(index * space.chunkSize + length);
    const extents = space.extents(index);
    if (length !== extents.reduce((sum, extent) => sum + extent.length, 0))
      throw new BeelineError('PROTOCOL', `Chunk ${index} has a wrong length.`);
    if (form === 'same') {
      const guess = this.#guesses.get(index);
      if (!guess || !equalBytes(guess, sha256))
        throw new BeelineError('PROTOCOL', `Chunk ${index} is said to be here, and is not.`);
      await sink.keep!(index, extents, sha256);
    } else {
      const data = form === 'data' ? message.data : undefined;
      const hash = data ? await this.#options.digest(data) : await this.#zeroHashes.get(length);
      if (!equalBytes(hash, sha256))
        throw new BeelineError('VERIFICATION', `Chunk ${index} is not what its hash says.`);
      await sink.write(index, extents, data, sha256);
    }
    this.#guesses.delete(index);
    holdings.add(index, sha256, length);
    written(extents, form === 'same' ? length : 0);
  }
}
