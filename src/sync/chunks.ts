/**
 * The life of every chunk, in one place: wanted, compared, arriving block by block, being written, down. Nothing else
 * says what state a chunk is in. Pure: no time, no lanes, no disk; who owes a block is a count.
 *
 *     wanted ──▶ arriving ──▶ writing ──▶ down
 *        └─────▶ comparing ──▶ writing (what is here is right) or arriving (it is not)
 *
 * A block that was asked for on a lane that dies is wanted again; a write that fails makes all begin anew from what
 * the sink is certain of.
 *
 * The origin has every chunk and tells its hash with the first blocks of it. Another receiver, a holder, brings only
 * chunks whose hash the origin has told, and no two holders bring parts of the same chunk: so it is known who lied.
 */

import { Bitfield } from '../base/bitfield.ts';
import { equalBytes } from '../base/bytes.ts';
import { fault } from '../base/errors.ts';
import { BLOCK_BYTES } from '../base/limits.ts';
import type { Slab } from '../base/slab.ts';
import type { ChunkHash } from '../offer/merkle.ts';
import type { Offer } from '../offer/offer.ts';
import type { BlockRange } from '../wire/messages.ts';

/** What to ask for: blocks, or what a chunk's hash is, since something lies in its place already. */
export type Claim =
  /** `spare`: only if the origin has not given the chunk to others. */
  ({ what: 'blocks'; spare: boolean } & BlockRange) | { what: 'hash'; index: number };

/** In place of the number of lanes that owe a block: it is here. */
const HERE = 255;
/** How often the origin may say another hash of a chunk that is arriving: a file of it went away, then another. */
const MAX_CHANGES = 16;

/** Of all buffers, what may be used for chunks from holders. */
const FROM_HOLDERS = 0.75;
/** Places drawn by chance that are tried for a chunk that nobody has. */
const JUMPS = 32;
/** Chunks of a holder among which the rarest is looked for. */
const LOOKED_AT = 32;

/** Another receiver of the same offer: what it has, by its own word. */
export class Holder {
  readonly has = new Bitfield();
  /** Of these, chunks that can be asked of it: wanted here, with a hash that the origin has told. */
  readonly ready = new Set<number>();
  /** Chunks that it said it has and did not bring: it is not asked for them again, whatever it says. */
  readonly #forgone = new Bitfield();
  /** Chunks that it began to bring with another hash than the origin's. */
  mistaken = 0;
  /** Blocks that it has brought. */
  brought = 0;
  /** It is not asked for anything now; what was asked for still comes. */
  paused = false;

  /** Chunks of a piece of a map, which begins with a whole byte, that it has not said that it has. */
  *news(first: number, bits: Uint8Array): Generator<number> {
    const known = this.has.bytes(first / 8, first / 8 + bits.length);
    for (const [at, byte] of bits.entries())
      for (const index of indexesOf(first + at * 8, byte & ~known[at]!))
        if (!this.#forgone.has(index)) yield index;
  }

  /** It did not bring this one. False if that was known. */
  forgo(index: number): boolean {
    this.#forgone.add(index);
    this.ready.delete(index);
    return this.has.remove(index);
  }
}

/** Asked for, perhaps in parts, and not all here. */
export interface Arriving {
  readonly state: 'arriving';
  readonly index: number;
  /** For each block how many lanes owe it, or HERE. */
  blocks: Uint8Array;
  /** Bytes of the chunk: of a stream's last one it is known late. */
  length: number;
  /** Blocks that are not here. */
  missing: number;
  /** Where its bytes gather; there is one once the first of them comes. */
  slab: Slab | undefined;
  /** How often the origin has said another hash. */
  changes: number;
  /** The one holder that was asked for a part of it. */
  from: Holder | undefined;
  /** 'asked': the origin was asked for it with `spare`, and nothing of it has come. 'declined': it has given it to others. */
  spare: 'no' | 'asked' | 'declined';
}

type Life =
  | Arriving
  | { readonly state: 'comparing' }
  | { readonly state: 'writing'; readonly bytes: number; readonly from: Holder | undefined };

export interface ChunksOptions {
  offer: Offer;
  /** How far past the first missing chunk may be asked; Infinity for random-access sinks. */
  window: number;
  /** Chunks that may be between asked for and down: each has a buffer, so that whatever comes has a place. */
  most: number;
  /** The same until `widen` says that there is need of more; default `most`. */
  usual?: number;
  /** This side gives to others what it has. */
  shares: boolean;
  /** Chance, from 0 up to 1. */
  random: () => number;
  /** Whether something lies in a chunk's place already that may be right. */
  comparable: (chunk: number) => boolean;
}

export class Chunks {
  readonly #options: ChunksOptions;
  /** Chunks that may be between asked for and down now. */
  #buffers: number;
  /** Chunks that are safely with the sink. */
  readonly down = new Bitfield();
  /** Chunks that an earlier run left here. */
  readonly #before = new Bitfield();
  /** Neither here nor wanted. */
  #unwanted = new Bitfield();
  /** Every chunk between wanted and down. */
  readonly #open = new Map<number, Life>();
  /** Of these, the ones with blocks that nobody owes. */
  readonly #lacking = new Set<number>();
  /** To be begun again, before those that never were. */
  readonly #redo = new Set<number>();
  /** What lay in their place is not what the origin has. */
  readonly #compared = new Bitfield();
  /** How many have been looked at, of those that were never begun. */
  #next = 0;
  /** Others receive the same: the origin is asked first for what none of them has, or will have. */
  #crowd = false;
  /** In a crowd: where to look next for such a chunk. */
  #at = 0;
  /** In a crowd: there was none, and nothing has changed that since. */
  #exhausted = false;
  /** The origin was started again. */
  #renewed = false;
  #bytes = 0;
  #gathered = 0;
  #writing = 0;
  readonly #holders = new Set<Holder>();
  /** Chunks that holders have and whose hash is to be asked of the origin, and those whose hash has been asked. */
  readonly #unhashed = new Set<number>();
  readonly #hashing = new Set<number>();
  /** Chunks that the origin has given to others, by its word. */
  readonly #given = new Bitfield();
  /** Chunks that came wrong from a holder. */
  readonly #fromOrigin = new Set<number>();

  constructor(options: ChunksOptions) {
    this.#options = options;
    this.#buffers = options.usual ?? options.most;
  }

  /** So many bytes are to be asked for at a time. @returns how many may be, not fewer than usual */
  widen(bytes: number): number {
    const { most, usual = most, offer } = this.#options;
    this.#buffers = Math.min(most, Math.max(usual, Math.ceil(bytes / offer.space.chunkSize)));
    return this.#buffers * offer.space.chunkSize;
  }

  get offer(): Offer {
    return this.#options.offer;
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

  /** Others receive the same. */
  get crowd(): boolean {
    return this.#crowd;
  }

  /** How many are being written. */
  get writing(): number {
    return this.#writing;
  }

  /** Every chunk is down or not wanted. A stream's end is the origin's word: chunks past it make up for none. */
  get complete(): boolean {
    const { space } = this.offer;
    if (space.stream) return this.down.firstMissing >= space.chunks;
    return this.down.count + this.#unwanted.count >= space.chunks;
  }

  /** The hash of a chunk that is down. */
  hash(chunk: number): Uint8Array | undefined {
    return this.down.has(chunk) ? this.offer.hashes.get(chunk) : undefined;
  }

  /** Starts over from what a sink says it holds: nothing else is here any more. */
  restart(held: Iterable<ChunkHash>, unwanted: (down: Bitfield) => Bitfield): void {
    for (const life of this.#open.values()) if (life.state === 'arriving') this.#abandon(life);
    for (const list of [this.#open, this.#lacking, this.#redo, this.#compared, this.down, this.#before])
      list.clear();
    this.#next = 0;
    this.#bytes = 0;
    this.#gathered = 0;
    this.#writing = 0;
    const { space } = this.offer;
    for (const { index, hash } of held) {
      this.#add(index, hash, space.length(index));
      // A stream is not gone on with by another process: its origin need not hear of what is here.
      if (!space.stream) this.#before.add(index);
    }
    this.#unwanted = unwanted(this.down);
    for (const list of [this.#unhashed, this.#hashing]) list.clear();
    this.#exhausted = false;
    for (const holder of this.#holders) {
      holder.ready.clear();
      for (const index of holder.has) this.#markReady(holder, index);
    }
  }

  /** The origin is a new process. For it, all that is down is from an earlier run. */
  renewed(): void {
    this.#renewed = true;
    this.#given.clear();
    this.#exhausted = false;
    for (const index of this.down) this.#before.add(index);
  }

  /** What an earlier run left here, in lists of at most `most`. */
  *heldBefore(most: number): Generator<ChunkHash[]> {
    let list: ChunkHash[] = [];
    for (let index = 0, left = this.#before.count; left > 0; index++) {
      if (!this.#before.has(index)) continue;
      left--;
      list.push({ index, hash: this.offer.hashes.get(index)! });
      if (list.length < most) continue;
      yield list;
      list = [];
    }
    if (list.length > 0) yield list;
  }

  /** A stream's end has become known: nothing past it is awaited. */
  ended(): void {
    const { space } = this.offer;
    for (const [index, life] of this.#open) {
      if (life.state !== 'arriving') continue;
      if (index >= space.chunks) this.#drop(life);
      else this.#shorten(life, space.length(index));
    }
  }

  /**
   * The next thing to ask for, of at most so many blocks; undefined when nothing is wanted that nobody owes.
   * @param holder whom to ask; undefined: the origin
   * @param all of the origin also what others have, or will have
   */
  claim(most: number, holder?: Holder, all = false): Claim | undefined {
    let index = lowest(this.#lacking, (lacking) => this.#brings(lacking, holder, all));
    if (index === undefined) {
      // What is asked of holders leaves buffers for what only the origin has.
      const buffers = holder ? Math.ceil(this.#buffers * FROM_HOLDERS) : this.#buffers;
      if (this.#open.size >= buffers) return undefined;
      index = holder ? this.#nextReady(holder) : this.#begin();
      const asks = !holder && this.#options.shares && index !== undefined && this.#allowed(index);
      if (all) index ??= this.#nextOfOthers();
      if (index === undefined) return undefined;
      if (!holder && this.#uncompared(index)) {
        this.#open.set(index, { state: 'comparing' });
        return { what: 'hash', index };
      }
      this.#arrive(index, asks ? 'asked' : 'no');
    }
    const life = this.#open.get(index) as Arriving;
    if (holder) life.from = holder;
    if (holder || all) life.spare = 'no';
    const { blocks } = life;
    const from = blocks.indexOf(0);
    let to = from;
    while (to < blocks.length && to - from < most && blocks[to] === 0) blocks[to++] = 1;
    if (blocks.indexOf(0, to) < 0) this.#lacking.delete(index);
    return { what: 'blocks', index, from, to, spare: life.spare === 'asked' };
  }

  /** The origin will not bring some of this chunk, since it has given it to others. */
  decline(index: number): void {
    this.#beOneOfMany();
    this.#given.add(index);
    const life = this.#open.get(index);
    if (life?.state !== 'arriving' || life.spare === 'no') return;
    life.spare = 'declined';
    // Once nobody owes any of it, it is as if it had never been asked for.
    if (life.blocks.some((owing) => owing !== 0)) return;
    this.#open.delete(index);
    this.#lacking.delete(index);
    for (const holder of this.#holders) if (holder.has.has(index)) this.#markReady(holder, index);
  }

  /** A chunk that holders have, and whose hash is to be asked of the origin before they can be asked for it. */
  claimHash(): Claim | undefined {
    for (const index of this.#unhashed) {
      this.#unhashed.delete(index);
      if (!this.#lacksHash(index)) continue;
      this.#hashing.add(index);
      return { what: 'hash', index };
    }
    return undefined;
  }

  /** Makes one more lane owe the last of these blocks that only one lane owes, at most so many in a row. */
  double({ index, from, to }: BlockRange, most: number, holder?: Holder): BlockRange | undefined {
    const life = this.#open.get(index);
    if (life?.state !== 'arriving' || !this.#brings(index, holder)) return undefined;
    const { blocks } = life;
    let end = to;
    while (end > from && blocks[end - 1] !== 1) end--;
    let begin = end;
    while (begin > from && end - begin < most && blocks[begin - 1] === 1) blocks[--begin] = 2;
    if (begin === end) return undefined;
    if (holder) life.from = holder;
    return { index, from: begin, to: end };
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
    if (this.#hashing.delete(index)) this.#unhashed.add(index);
    if (this.#open.get(index)?.state !== 'comparing') return;
    this.#open.delete(index);
    this.#redo.add(index);
    this.#exhausted = false;
  }

  /** The origin has told the hash of a chunk that is not here. */
  told(index: number, hash: Uint8Array): void {
    this.#hashing.delete(index);
    if (!this.#lacksHash(index)) return;
    this.offer.hashes.set(index, hash);
    for (const holder of this.#holders) if (holder.has.has(index)) this.#markReady(holder, index);
  }

  /** Another receiver is there. */
  join(holder: Holder): void {
    this.#beOneOfMany();
    this.#holders.add(holder);
    for (const index of holder.has) this.#markReady(holder, index);
  }

  /** It went away: what only it had is the origin's to bring. */
  leave(holder: Holder): void {
    this.#holders.delete(holder);
    this.#exhausted = false;
  }

  /** The origin says which chunks from `first` on it has given to others, and of which it knows the hash: as bits. */
  given(first: number, bits: Uint8Array, hashed: Uint8Array): void {
    this.#beOneOfMany();
    const known = this.#given.bytes(first / 8, first / 8 + bits.length);
    for (const [at, byte] of bits.entries())
      for (const index of indexesOf(first + at * 8, byte ^ known[at]!)) {
        if (this.#given.add(index)) continue;
        this.#given.remove(index);
        this.#exhausted = false;
      }
    const { chunks } = this.offer.space;
    for (const [at, byte] of hashed.entries())
      for (const index of indexesOf(first + at * 8, byte)) if (index < chunks) this.#awaitHash(index);
  }

  #beOneOfMany(): void {
    if (this.#crowd) return;
    this.#crowd = true;
    if (this.#anyOrder) this.#at = this.#any();
  }

  /** An entry is gone at the origin: holders may have another version of it. */
  gone(entry: number): void {
    const { first, end } = this.offer.space.chunksOf(entry);
    if (end > first) this.#exhausted = false;
  }

  /** It says that it has this chunk too. True if it is wanted here. */
  holds(holder: Holder, index: number): boolean {
    if (!holder.has.add(index) || !this.#holders.has(holder)) return false;
    this.#markReady(holder, index);
    return this.#wanted(index);
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

  /** What lies in its place is not what the origin has. */
  differs(index: number): void {
    this.#compared.add(index);
    this.unclaimHash(index);
  }

  /**
   * The chunk, if more of its bytes may be taken; undefined if it is whole or not wanted any more, or if a holder means
   * another one by it. Bytes that were gathered for another hash of the origin's are forgotten.
   * @throws BeelineError PROTOCOL if the origin changes its word too often
   */
  arriving(index: number, length: number, hash: Uint8Array, holder?: Holder): Arriving | undefined {
    const life = this.#open.get(index);
    if (life?.state !== 'arriving') return undefined;
    const known = this.offer.hashes.get(index);
    const same = known !== undefined && equalBytes(known, hash);
    if (holder) {
      // It is not asked for this one again. All pieces of one chunk are one mistake: its file may have changed.
      if (!same && holder.forgo(index)) holder.mistaken++;
      return same && life.from === holder ? life : undefined;
    }
    if (known && !same) {
      if (++life.changes > MAX_CHANGES)
        throw fault('PEER_MISBEHAVES', { what: `says another hash of chunk ${index} each time` });
      this.#forget(life);
    }
    this.offer.hashes.set(index, hash);
    this.#shorten(life, length);
    return life;
  }

  /** A stream's last chunk is shorter than could be known when it was asked for. */
  #shorten(life: Arriving, length: number): void {
    life.length = Math.min(life.length, length);
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
    life.from = undefined;
    if (life.blocks.includes(0)) this.#lacking.add(life.index);
    this.#abandon(life);
  }

  /** A block is in the slab. True once that makes the chunk whole. */
  took(life: Arriving, block: number): boolean {
    if (life.blocks[block] === HERE) return false;
    life.blocks[block] = HERE;
    life.spare = 'no';
    life.missing--;
    // It may come though nobody is asked for it: on a lane that still owed it from an earlier time.
    if (this.#lacking.has(life.index) && !life.blocks.includes(0)) this.#lacking.delete(life.index);
    this.#gathered += this.#lengthOf(life, block);
    return life.missing === 0;
  }

  /** It is whole, or need not come: nobody else touches it until it is down. Returns its buffer, if it has one. */
  write(index: number): Slab | undefined {
    const life = this.#open.get(index);
    let slab: Slab | undefined;
    let from: Holder | undefined;
    let bytes = 0;
    if (life?.state === 'arriving') {
      ({ slab, from } = life);
      for (const [block, owing] of life.blocks.entries())
        if (owing === HERE) bytes += this.#lengthOf(life, block);
      life.slab = undefined;
    }
    this.#lacking.delete(index);
    this.#open.set(index, { state: 'writing', bytes, from });
    this.#writing++;
    return slab;
  }

  /** The sink has it. False if all began anew meanwhile: then it counts for nothing. */
  written(index: number, hash: Uint8Array, length: number): boolean {
    const life = this.#endWriting(index);
    if (life) this.#add(index, hash, length);
    // A new process of the origin has not told its hash, and hears it before the last word.
    if (life?.from && this.#renewed) this.#before.add(index);
    return life !== undefined;
  }

  /** It is not what the origin said. Returns the holder that brought a part of it, if any did: then the origin sends it. */
  wrong(index: number): Holder | undefined {
    const holder = this.#endWriting(index)?.from;
    if (!holder) return undefined;
    this.#fromOrigin.add(index);
    this.#redo.add(index);
    this.#exhausted = false;
    return holder;
  }

  #endWriting(index: number): (Life & { state: 'writing' }) | undefined {
    const life = this.#open.get(index);
    if (life?.state !== 'writing') return undefined;
    this.#open.delete(index);
    this.#writing--;
    this.#gathered -= life.bytes;
    return life;
  }

  #add(index: number, hash: Uint8Array, length: number): void {
    if (!this.down.add(index)) return;
    this.offer.hashes.set(index, hash);
    this.#bytes += length;
  }

  #wanted(index: number): boolean {
    return !this.down.has(index) && !this.#unwanted.has(index) && !this.#open.has(index);
  }

  /** Something lies in its place that may be right. */
  #uncompared(index: number): boolean {
    return !this.#compared.has(index) && this.#options.comparable(index);
  }

  /** A chunk that nobody has begun, and that the origin is to bring. */
  #begin(): number | undefined {
    if (this.#crowd) return this.#beginFresh();
    for (let index = lowest(this.#redo); index !== undefined; index = lowest(this.#redo)) {
      this.#redo.delete(index);
      if (this.#wanted(index)) return index;
    }
    const { space } = this.offer;
    const end = Math.min(space.chunks, this.down.firstMissing + this.#options.window);
    while (this.#next < end) {
      const index = this.#next++;
      if (this.#wanted(index)) return index;
    }
    return undefined;
  }

  /** Chunks may come in any order. */
  get #anyOrder(): boolean {
    return (
      this.#options.window === Number.POSITIVE_INFINITY && this.offer.space.chunks < Number.POSITIVE_INFINITY
    );
  }

  /** One that nobody else has or was given. If the next one is somebody's, who goes on behind it, then one drawn by chance. */
  #beginFresh(): number | undefined {
    if (!this.#anyOrder) {
      const { firstMissing } = this.down;
      const end = Math.min(this.offer.space.chunks, firstMissing + this.#options.window);
      for (let index = firstMissing; index < end; index++) if (this.#fresh(index)) return index;
      return undefined;
    }
    if (this.#exhausted) return undefined;
    const { chunks } = this.offer.space;
    const begin = (index: number) => {
      this.#at = (index + 1) % chunks;
      return index;
    };
    if (this.#fresh(this.#at)) return begin(this.#at);
    for (let tries = 0; tries < JUMPS; tries++) {
      const index = this.#any();
      if (this.#fresh(index)) return begin(index);
    }
    const from = this.#any();
    for (let i = 0; i < chunks; i++) {
      const index = (from + i) % chunks;
      if (this.#fresh(index)) return begin(index);
    }
    this.#exhausted = true;
    return undefined;
  }

  #any(): number {
    return Math.floor(this.#options.random() * this.offer.space.chunks);
  }

  #fresh(index: number): boolean {
    if (!this.#wanted(index)) return false;
    return !this.#allowed(index) || !(this.#given.has(index) || this.#held(index) > 0);
  }

  /** Any that is wanted, but first one that no holder has. */
  #nextOfOthers(): number | undefined {
    const { chunks } = this.offer.space;
    if (this.down.count + this.#unwanted.count + this.#open.size >= chunks) return undefined;
    const { firstMissing } = this.down;
    const end = this.#anyOrder ? chunks : Math.min(chunks, firstMissing + this.#options.window);
    const from = this.#anyOrder ? this.#any() : firstMissing;
    let held: number | undefined;
    for (let i = 0; i < (this.#anyOrder ? chunks : end - firstMissing); i++) {
      const index = (from + i) % chunks;
      if (!this.#wanted(index)) continue;
      if (this.#held(index) === 0) return index;
      held ??= index;
    }
    return held;
  }

  /** The one that the fewest have, among the first few. */
  #nextReady(holder: Holder): number | undefined {
    let rarest: number | undefined;
    let fewest = Number.POSITIVE_INFINITY;
    let looked = 0;
    for (const index of holder.ready) {
      if (!this.#wanted(index) || !this.#allowed(index)) {
        holder.ready.delete(index);
        continue;
      }
      const held = this.#held(index);
      if (held < fewest) [rarest, fewest] = [index, held];
      if (++looked === LOOKED_AT) break;
    }
    if (rarest === undefined) return undefined;
    holder.ready.delete(rarest);
    this.#redo.delete(rarest);
    return rarest;
  }

  /** Anybody but the origin may bring it. */
  #allowed(index: number): boolean {
    return !this.#fromOrigin.has(index) && !this.#uncompared(index) && !this.offer.isTorn(index);
  }

  /** How many holders have it. */
  #held(index: number): number {
    let count = 0;
    for (const { has } of this.#holders) if (has.has(index)) count++;
    return count;
  }

  #markReady(holder: Holder, index: number): void {
    if (this.#fromOrigin.has(index)) return;
    if (!this.offer.hashes.get(index)) this.#awaitHash(index);
    else if (this.#wanted(index)) holder.ready.add(index);
  }

  /** The origin is to be asked what its hash is. */
  #awaitHash(index: number): void {
    if (this.#lacksHash(index) && !this.#hashing.has(index)) this.#unhashed.add(index);
  }

  /** Also of a chunk that the origin was asked for: it may go away before it has brought any of it. */
  #lacksHash(index: number): boolean {
    if (this.down.has(index) || this.#unwanted.has(index) || this.offer.hashes.get(index)) return false;
    return (this.#open.get(index)?.state ?? 'arriving') === 'arriving';
  }

  /** Whether more blocks of a chunk that has been begun may be asked of this peer. */
  #brings(index: number, holder: Holder | undefined, all = true): boolean {
    const { from, spare } = this.#open.get(index) as Arriving;
    if (!holder) {
      const others =
        spare === 'declined' || (from && !from.paused && this.#holders.has(from) && from.has.has(index));
      return all || !others;
    }
    if (from !== undefined && from !== holder) return false;
    return holder.has.has(index) && this.offer.hashes.get(index) !== undefined && this.#allowed(index);
  }

  #arrive(index: number, spare: Arriving['spare']): void {
    const length = this.offer.space.length(index);
    const blocks = new Uint8Array(blocksOf(length));
    this.#open.set(index, {
      state: 'arriving',
      index,
      blocks,
      length,
      missing: blocks.length,
      slab: undefined,
      changes: 0,
      from: undefined,
      spare,
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
    return Math.min(BLOCK_BYTES, life.length - block * BLOCK_BYTES);
  }
}

/** Blocks that so many bytes make. */
export function blocksOf(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES);
}

/** The chunks that a byte of a map holds, of which the first is `first`. */
export function* indexesOf(first: number, byte: number): Generator<number> {
  for (let bit = 0; byte >> bit !== 0; bit++) if (byte & (1 << bit)) yield first + bit;
}

/** The lowest one that fits, of a small set. */
function lowest(set: ReadonlySet<number>, fits = (_index: number) => true): number | undefined {
  let least: number | undefined;
  for (const index of set) if ((least === undefined || index < least) && fits(index)) least = index;
  return least;
}
