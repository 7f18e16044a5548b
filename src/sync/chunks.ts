/**
 * The life of every chunk, in one place: wanted, compared, arriving block by block, being written, down. Nothing else
 * says what state a chunk is in. Pure: no time, no lanes, no disk; who owes a block is a count.
 *
 *     wanted ──▶ arriving ──▶ writing ──▶ down
 *        └─────▶ comparing ──▶ writing (what is here is right) or arriving (it is not)
 *
 * A block that was asked for on a lane that dies is wanted again; a write that fails makes all begin anew from what
 * the sink is certain of.
 */

import { Bitfield } from '../base/bitfield.ts';
import { BeelineError } from '../base/errors.ts';
import { BLOCK_BYTES } from '../base/limits.ts';
import type { ChunkHash } from '../offer/merkle.ts';
import { ChunkHashes } from '../offer/merkle.ts';
import type { ByteSpace } from '../offer/space.ts';
import type { BlockRange } from '../wire/messages.ts';
import type { Slab } from './ports.ts';

/** What to ask for: blocks, or what a chunk's hash is, since something lies in its place already. */
export type Claim = ({ what: 'blocks' } & BlockRange) | { what: 'hash'; index: number };

/** In place of the number of lanes that owe a block: it is here. */
const HERE = 255;
/** How often the sender may say another hash of a chunk that is arriving: a file of it went away, then another. */
const MAX_CHANGES = 16;

/** Asked for, perhaps in parts, and not all here. */
export interface Arriving {
  readonly state: 'arriving';
  readonly index: number;
  /** For each block how many lanes owe it, or HERE. */
  blocks: Uint8Array;
  /** Blocks that are not here. */
  missing: number;
  /** What the sender says it is. */
  promised: Promised | undefined;
  /** Where its bytes gather; there is one once the first of them comes. */
  slab: Slab | undefined;
  changes: number;
}

/** A chunk's length in bytes, and its hash. */
interface Promised {
  length: number;
  sha256: Uint8Array;
}

type Life =
  | Arriving
  | { readonly state: 'comparing' }
  | { readonly state: 'writing'; readonly bytes: number };

export interface ChunksOptions {
  space: ByteSpace;
  /** How far past the first missing chunk may be asked; Infinity for random-access sinks. */
  window: number;
  /** Chunks that may be between asked for and down: each has a buffer, so that whatever comes has a place. */
  most: number;
  /** Whether something lies in a chunk's place already that may be right. */
  comparable: (chunk: number) => boolean;
}

export class Chunks {
  readonly #options: ChunksOptions;
  /** Of chunks that are safely with the sink. */
  readonly hashes = new ChunkHashes();
  /** These chunks. */
  readonly down = this.hashes.have;
  /** Chunks that an earlier run left here. */
  readonly #before = new Bitfield();
  /** Neither here nor wanted. */
  #unwanted = new Bitfield();
  /** Every chunk between wanted and down. */
  readonly #open = new Map<number, Life>();
  /** Of these, the ones with blocks that nobody owes. */
  readonly #lacking = new Set<number>();
  /** To be begun again, before those that never were. */
  readonly #again = new Set<number>();
  /** What lay in their place is not what the sender has. */
  readonly #compared = new Bitfield();
  /** The first that was never begun. */
  #next = 0;
  #bytes = 0;
  #gathered = 0;
  #writing = 0;

  constructor(options: ChunksOptions) {
    this.#options = options;
  }

  get space(): ByteSpace {
    return this.#options.space;
  }

  /** Bytes of the chunks that are down. */
  get bytes(): number {
    return this.#bytes;
  }

  /** These, and the bytes of chunks that are not. */
  get arrived(): number {
    return this.#bytes + this.#gathered;
  }

  /** Blocks that two lanes owe: the same bytes may come twice. */
  get doubled(): number {
    let count = 0;
    for (const life of this.#open.values())
      if (life.state === 'arriving') for (const owing of life.blocks) if (owing === 2) count++;
    return count;
  }

  /** How many are being written. */
  get writing(): number {
    return this.#writing;
  }

  /** Every chunk is down or not wanted. A stream's end is the sender's word: chunks past it make up for none. */
  get complete(): boolean {
    const { space } = this.#options;
    if (space.stream) return this.down.firstMissing >= space.chunks;
    return this.down.count + this.#unwanted.count >= space.chunks;
  }

  /** Starts over from what a sink says it holds: nothing else is here any more. */
  restart(held: Iterable<ChunkHash>, unwanted: (down: Bitfield) => Bitfield): void {
    for (const life of this.#open.values()) if (life.state === 'arriving') this.#abandon(life);
    this.#open.clear();
    this.#lacking.clear();
    this.#again.clear();
    this.#compared.clear();
    this.hashes.clear();
    this.#before.clear();
    this.#next = 0;
    this.#bytes = 0;
    this.#gathered = 0;
    this.#writing = 0;
    for (const { index, sha256 } of held) {
      this.#add(index, sha256, this.space.length(index));
      // A stream is not gone on with by another process: its sender need not hear of what is here.
      if (!this.space.stream) this.#before.add(index);
    }
    this.#unwanted = unwanted(this.down);
  }

  /** The sender is a new process, to which all that is down is from earlier. */
  renewed(): void {
    for (const index of this.down) this.#before.add(index);
  }

  /** What an earlier run left here, in lists of at most `most`. */
  *heldBefore(most: number): Generator<ChunkHash[]> {
    let list: ChunkHash[] = [];
    for (let index = 0, left = this.#before.count; left > 0; index++) {
      if (!this.#before.has(index)) continue;
      left--;
      list.push({ index, sha256: this.hashes.get(index)! });
      if (list.length < most) continue;
      yield list;
      list = [];
    }
    if (list.length > 0) yield list;
  }

  /** A stream's end has become known: nothing past it is awaited. */
  ended(): void {
    for (const [index, life] of this.#open) {
      if (life.state !== 'arriving') continue;
      if (index >= this.space.chunks) this.#drop(life);
      else this.#shorten(life, this.space.length(index));
    }
  }

  /** The next thing to ask for, of at most so many blocks; undefined when nothing is wanted that nobody owes. */
  claim(most: number): Claim | undefined {
    let index = lowest(this.#lacking);
    if (index === undefined) {
      if (this.#open.size >= this.#options.most) return undefined;
      index = this.#begin();
      if (index === undefined) return undefined;
      if (!this.#compared.has(index) && this.#options.comparable(index)) {
        this.#open.set(index, { state: 'comparing' });
        return { what: 'hash', index };
      }
      this.#arrive(index);
    }
    const { blocks } = this.#open.get(index) as Arriving;
    const from = blocks.indexOf(0);
    let to = from;
    while (to < blocks.length && to - from < most && blocks[to] === 0) blocks[to++] = 1;
    if (blocks.indexOf(0, to) < 0) this.#lacking.delete(index);
    return { what: 'blocks', index, from, to };
  }

  /** Has one more lane owe the last of these blocks that only one owes, at most so many in a row. */
  double({ index, from, to }: BlockRange, most: number): BlockRange | undefined {
    const life = this.#open.get(index);
    if (life?.state !== 'arriving') return undefined;
    const { blocks } = life;
    let end = to;
    while (end > from && blocks[end - 1] !== 1) end--;
    let begin = end;
    while (begin > from && end - begin < most && blocks[begin - 1] === 1) blocks[--begin] = 2;
    return begin < end ? { index, from: begin, to: end } : undefined;
  }

  /** A lane that owed these blocks will not bring them. */
  unclaim({ index, from, to }: BlockRange): void {
    const life = this.#open.get(index);
    if (life?.state !== 'arriving') return;
    for (let block = from; block < Math.min(to, life.blocks.length); block++) {
      const owing = life.blocks[block]!;
      if (owing === HERE || owing === 0) continue;
      life.blocks[block] = owing - 1;
      if (owing === 1) this.#lacking.add(index);
    }
  }

  /** A lane that was asked for this chunk's hash will not say it. */
  unclaimHash(index: number): void {
    if (this.#open.get(index)?.state !== 'comparing') return;
    this.#open.delete(index);
    this.#again.add(index);
  }

  /** Whether only one lane owes this block. */
  hangsOn(index: number, block: number): boolean {
    const life = this.#open.get(index);
    return life?.state === 'arriving' && life.blocks[block] === 1;
  }

  /** No block of it is of use any more: it is being written, or down. */
  closed(index: number): boolean {
    return this.#open.get(index)?.state === 'writing' || this.down.has(index);
  }

  /** The chunk's hash has been asked for. */
  comparing(index: number): boolean {
    return this.#open.get(index)?.state === 'comparing';
  }

  /** What lies in its place is not what the sender has. */
  differs(index: number): void {
    this.#compared.add(index);
    this.unclaimHash(index);
  }

  /**
   * The chunk, if more of its bytes may be taken; undefined if it is whole or not wanted any more. Bytes that were
   * gathered for another hash are forgotten.
   * @throws BeelineError PROTOCOL if the sender changes its word too often
   */
  arriving(index: number, length: number, sha256: Uint8Array): Arriving | undefined {
    const life = this.#open.get(index);
    if (life?.state !== 'arriving') return undefined;
    const same = life.promised?.sha256.every((byte, at) => byte === sha256[at]);
    if (life.promised && !same) {
      if (++life.changes > MAX_CHANGES)
        throw new BeelineError('PROTOCOL', `Chunk ${index} has another hash each time.`);
      this.#forget(life);
    }
    life.promised = { length, sha256 };
    this.#shorten(life, length);
    return life;
  }

  /** A stream's last chunk is shorter than could be known when it was asked for. */
  #shorten(life: Arriving, length: number): void {
    const count = blocksOf(length);
    if (count >= life.blocks.length) return;
    life.blocks = life.blocks.slice(0, count);
    // What nobody owed may all have been past the end.
    if (!life.blocks.includes(0)) this.#lacking.delete(life.index);
    life.missing = life.blocks.reduce((sum, block) => sum + (block === HERE ? 0 : 1), 0);
  }

  /** What arrived of it was for another hash, and comes again. */
  #forget(life: Arriving): void {
    for (const [block, owing] of life.blocks.entries()) {
      if (owing !== HERE) continue;
      life.blocks[block] = 0;
      this.#gathered -= this.#lengthOf(life, block);
    }
    life.missing = life.blocks.length;
    if (life.blocks.includes(0)) this.#lacking.add(life.index);
    this.#abandon(life);
  }

  /** A block is in the slab. True once that makes the chunk whole. */
  took(life: Arriving, block: number): boolean {
    if (life.blocks[block] === HERE) return false;
    life.blocks[block] = HERE;
    life.missing--;
    this.#gathered += this.#lengthOf(life, block);
    return life.missing === 0;
  }

  /** It is whole, or need not come: nobody else touches it until it is down. Returns its buffer, if it has one. */
  write(index: number): Slab | undefined {
    const life = this.#open.get(index);
    let slab: Slab | undefined;
    let bytes = 0;
    if (life?.state === 'arriving') {
      slab = life.slab;
      for (const [block, owing] of life.blocks.entries())
        if (owing === HERE) bytes += this.#lengthOf(life, block);
      life.slab = undefined;
    }
    this.#lacking.delete(index);
    this.#open.set(index, { state: 'writing', bytes });
    this.#writing++;
    return slab;
  }

  /** The sink has it. False if all began anew meanwhile: then it counts for nothing. */
  written(index: number, sha256: Uint8Array, length: number): boolean {
    const life = this.#open.get(index);
    if (life?.state !== 'writing') return false;
    this.#open.delete(index);
    this.#writing--;
    this.#gathered -= life.bytes;
    this.#add(index, sha256, length);
    return true;
  }

  #add(index: number, sha256: Uint8Array, length: number): void {
    if (this.down.has(index)) return;
    this.hashes.set(index, sha256);
    this.#bytes += length;
  }

  /** The next chunk that nobody has begun. */
  #begin(): number | undefined {
    const { space, window } = this.#options;
    const again = lowest(this.#again);
    if (again !== undefined) {
      this.#again.delete(again);
      return again;
    }
    const skip = (chunk: number) =>
      this.down.has(chunk) || this.#unwanted.has(chunk) || this.#open.has(chunk);
    while (this.#next < space.chunks && skip(this.#next)) this.#next++;
    if (this.#next >= Math.min(space.chunks, this.down.firstMissing + window)) return undefined;
    return this.#next++;
  }

  #arrive(index: number): void {
    const blocks = new Uint8Array(blocksOf(this.space.length(index)));
    this.#open.set(index, {
      state: 'arriving',
      index,
      blocks,
      missing: blocks.length,
      promised: undefined,
      slab: undefined,
      changes: 0,
    });
    this.#lacking.add(index);
  }

  #drop(life: Arriving): void {
    this.#forget(life);
    this.#open.delete(life.index);
    this.#lacking.delete(life.index);
  }

  /** Gives its buffer back. */
  #abandon(life: Arriving): void {
    life.slab?.release();
    life.slab = undefined;
  }

  #lengthOf(life: Arriving, block: number): number {
    const length = life.promised?.length ?? 0;
    return Math.min(BLOCK_BYTES, length - block * BLOCK_BYTES);
  }
}

/** Blocks that so many bytes make. */
export function blocksOf(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES);
}

/** Of a few. */
function lowest(set: ReadonlySet<number>): number | undefined {
  let least: number | undefined;
  for (const index of set) if (least === undefined || index < least) least = index;
  return least;
}
