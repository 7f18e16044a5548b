/**
 * Chunks on their way in: blocks gather in a buffer, the whole is checked against its hash and handed to the sink.
 * What state a chunk is in, `Chunks` says. There are no more chunks on their way than buffers.
 */
import { equalBytes } from '../base/bytes.ts';
import { fault } from '../base/errors.ts';
import { BLOCK_BYTES } from '../base/limits.ts';
import type { ChunkHash } from '../offer/merkle.ts';
import type { Extent } from '../offer/space.ts';
import type { Landing } from '../wire/framing.ts';
import type { BlocksHeader } from '../wire/messages.ts';
import { type Arriving, blocksOf, type Chunks, type Holder } from './chunks.ts';
import type { Digest, Sink } from './ports.ts';
import type { SlabPool } from './slabs.ts';
import { ZeroHashes } from './zeros.ts';

/** Chunks that are read here at a time, to be compared. */
const COMPARED_AT_ONCE = 4;

export interface IntakeOptions {
  digest: Digest;
  chunks: Chunks;
  pool: SlabPool;
  sink: Sink;
  /** A chunk is down; `kept` bytes of it were here already. */
  written: (chunk: number, extents: readonly Extent[], kept: number) => void;
  /** Something is wanted again that was not. */
  changed: () => void;
  /** A chunk is not what the origin says, and this holder brought some of it. */
  lied: (holder: Holder) => void;
  fail: (thrown: unknown) => void;
}

export class Intake {
  readonly #options: IntakeOptions;
  readonly #zeroHashes: ZeroHashes;
  readonly #running = new Set<Promise<void>>();
  readonly #toCompare: (ChunkHash & { length: number })[] = [];
  #comparing = 0;
  #over = false;

  constructor(options: IntakeOptions) {
    this.#options = options;
    this.#zeroHashes = new ZeroHashes(options.digest);
  }

  get busy(): boolean {
    return this.#running.size > 0;
  }

  /** Resolves when nothing is being written or compared. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  /** Nothing more is begun. */
  stop(): void {
    this.#over = true;
    this.#toCompare.length = 0;
  }

  /** What was to be compared is forgotten: all begins anew. */
  clear(): void {
    this.#toCompare.length = 0;
  }

  /**
   * Where bytes that were asked for go.
   * @param came called for each block that they complete, with the block after it and how many bytes that was
   * @param wanted false if all began anew since they were asked for
   * @param holder who brings them; undefined: the origin
   * @throws BeelineError PROTOCOL for a length that the chunk cannot have, or one hash after the other
   */
  land(
    header: BlocksHeader,
    came: (to: number, bytes: number) => void,
    wanted: boolean,
    holder: Holder | undefined,
  ): Landing {
    const life = wanted ? this.#arriving(header, holder) : undefined;
    if (life && !life.slab) life.slab = this.#options.pool.take();
    let { slab } = life ?? {};
    const { chunks } = this.#options;
    // Bytes that nobody waits for are counted too: the lane that brings them owes them.
    let at = header.offset;
    let going = true;
    // Another lane may have completed the chunk meanwhile: its buffer is not this lane's any more.
    const mine = () => life !== undefined && slab !== undefined && life.slab === slab;
    const count = (bytes: number) => {
      const still = mine();
      const before = Math.floor(at / BLOCK_BYTES);
      at += bytes;
      const after = at >= header.length ? blocksOf(header.length) : Math.floor(at / BLOCK_BYTES);
      let whole = false;
      for (let block = before; block < after; block++) {
        if (still && chunks.took(life!, block)) whole = true;
        // It was for another hash: it is wanted again, if nobody else brings it.
        if (!still && wanted) chunks.unclaim({ index: header.index, from: block, to: block + 1 });
        came(block + 1, Math.min(header.length, (block + 1) * BLOCK_BYTES) - block * BLOCK_BYTES);
      }
      if (whole) this.#run(() => this.#write(header));
    };
    const put = (bytes: Uint8Array) => {
      if (!going) return;
      if (mine()) slab!.bytes.set(bytes, at);
      count(bytes.length);
    };
    return {
      put,
      take: (lent) => {
        const { offset, bytes, length } = header;
        // A whole chunk of which nothing has come need not be copied.
        const kept = mine() && bytes === length && life!.missing === life!.blocks.length;
        if (kept) {
          slab!.release();
          slab = lent;
          life!.slab = lent;
          count(bytes);
        } else put(lent.bytes.subarray(offset, offset + bytes));
        return kept;
      },
      cut: () => {
        going = false;
      },
    };
  }

  /** A chunk that is all zeros, in answer to a range of its blocks. */
  zeros(header: BlocksHeader, { from, to }: { from: number; to: number }, holder: Holder | undefined): void {
    const { index } = header;
    if (this.#arriving(header, holder)) this.#run(() => this.#write(header, 'zeros'));
    else this.#options.chunks.unclaim({ index, from, to });
  }

  /** The sender's hash of a chunk in whose place something lies. */
  compare(theirs: ChunkHash & { length: number }): void {
    this.#toCompare.push(theirs);
    this.#compareMore();
  }

  #compareMore(): void {
    while (this.#comparing < COMPARED_AT_ONCE && !this.#over) {
      const next = this.#toCompare.shift();
      if (!next) return;
      this.#comparing++;
      this.#run(async () => {
        try {
          await this.#compare(next);
        } finally {
          this.#comparing--;
          this.#compareMore();
        }
      });
    }
  }

  async #compare({ index, hash, length }: ChunkHash & { length: number }): Promise<void> {
    const { chunks, sink, written, changed } = this.#options;
    const extents = chunks.offer.space.extents(index);
    if (!chunks.comparing(index)) return;
    const guess = await sink.guess?.(index, extents);
    if (!chunks.comparing(index) || this.#over) return;
    if (!guess || !equalBytes(guess, hash)) {
      chunks.differs(index);
      return changed();
    }
    chunks.write(index);
    await sink.keep!(index, extents, hash);
    if (chunks.written(index, hash, length)) written(index, extents, length);
  }

  #arriving({ index, length, hash }: BlocksHeader, holder: Holder | undefined): Arriving | undefined {
    const { chunks } = this.#options;
    if (index < chunks.offer.space.chunks) chunks.offer.checkLength(index, length);
    return this.#over ? undefined : chunks.arriving(index, length, hash, holder);
  }

  #run(work: () => Promise<void>): void {
    const running = work()
      .catch((thrown) => this.#options.fail(thrown))
      .finally(() => {
        this.#running.delete(running);
        this.#options.changed();
      });
    this.#running.add(running);
  }

  /** From here on nobody else has the chunk: neither its buffer nor its place is touched by what may still come of it. */
  async #write({ index, length, hash }: BlocksHeader, form: 'data' | 'zeros' = 'data'): Promise<void> {
    const { chunks, sink, digest, written, lied } = this.#options;
    const slab = chunks.write(index);
    try {
      const extents = chunks.offer.space.extents(index);
      const data = form === 'data' ? slab!.bytes.subarray(0, length) : undefined;
      const actual = data ? await digest(data) : await this.#zeroHashes.get(length);
      if (!equalBytes(actual, hash)) {
        const holder = chunks.wrong(index);
        if (holder) return lied(holder);
        throw fault('CHUNK_ALTERED', { chunk: index });
      }
      await sink.write(index, extents, data, hash);
      if (chunks.written(index, hash, length)) written(index, extents, 0);
    } finally {
      slab?.release();
    }
  }
}
