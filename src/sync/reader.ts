/**
 * Chunks on their way out: each is read and hashed once, and its blocks go to any peers, over any lanes, that ask for them.
 * One of which some bytes have not gone is kept for a while, since a slow lane is asked for few blocks at a time.
 */
import type { Digest, Slab } from './ports.ts';
import { SlabPool } from './slabs.ts';
import { isZero, ZeroHashes } from './zeros.ts';

/** Chunks that are kept though nobody needs them now. */
const MAX_IDLE = 4;

/** A chunk in memory. */
export interface Loaded {
  readonly index: number;
  /** All of its bytes; none for a stream that has ended before it. */
  readonly data: Uint8Array;
  readonly slab: Slab;
  readonly sha256: Uint8Array;
  readonly zeros: boolean;
  /** A lane is writing its header in front of the data: no other may. */
  headroomTaken: boolean;
  /** Bytes of it that have gone, counted again where they went twice. */
  sent: number;
}

/** The use of a chunk, until it is released. */
export interface Lease {
  readonly index: number;
  readonly loaded: Promise<Loaded>;
  /** Safe to call twice. */
  release(): void;
}

interface Shelf {
  loaded: Promise<Loaded>;
  /** What that resolved to. */
  here: Loaded | undefined;
  users: number;
}

export interface ChunkReaderPorts {
  /** Bytes. */
  chunkSize: number;
  digest: Digest;
  allocate: (bytes: number) => Uint8Array;
  /** Fills `into` with a chunk, and resolves with its length in bytes. */
  read: (index: number, into: Uint8Array) => Promise<number>;
}

export class ChunkReader {
  readonly #ports: ChunkReaderPorts;
  readonly #pool: SlabPool;
  readonly #zeroHashes: ZeroHashes;
  /** Those in use, and after them those that are not, in the order of their last use. */
  readonly #shelves = new Map<number, Shelf>();
  #idle = 0;

  constructor(ports: ChunkReaderPorts) {
    this.#ports = ports;
    this.#pool = new SlabPool(ports.chunkSize, ports.allocate);
    this.#zeroHashes = new ZeroHashes(ports.digest);
  }

  /** Reads the chunk, unless it is here. */
  lease(index: number): Lease {
    let shelf = this.#shelves.get(index);
    if (!shelf) {
      shelf = { loaded: undefined as never, here: undefined, users: 0 };
      shelf.loaded = this.#load(index, shelf);
      // Whoever awaits it hears of it; nobody may be awaiting it yet.
      shelf.loaded.catch(() => {});
      this.#shelves.set(index, shelf);
    } else if (shelf.users === 0) this.#idle--;
    shelf.users++;
    let held = true;
    const mine = shelf;
    return {
      index,
      loaded: shelf.loaded,
      release: () => {
        if (held) this.#release(index, mine);
        held = false;
      },
    };
  }

  /** Nothing that is kept is right any more, for all this knows. */
  clear(): void {
    for (const [index, shelf] of this.#shelves) if (shelf.users === 0) this.#drop(index, shelf);
  }

  async #load(index: number, shelf: Shelf): Promise<Loaded> {
    const { digest, read } = this.#ports;
    const slab = await new Promise<Slab>((resolve) => {
      this.#pool.wait(resolve);
      if (this.#pool.short) this.clear();
    });
    try {
      const length = await read(index, slab.bytes);
      const data = slab.bytes.subarray(0, length);
      const zeros = isZero(data);
      const sha256 = zeros ? await this.#zeroHashes.get(length) : await digest(data);
      shelf.here = { index, data, slab, sha256, zeros, headroomTaken: false, sent: 0 };
      return shelf.here;
    } catch (thrown) {
      // Read anew for whoever asks next.
      if (this.#shelves.get(index) === shelf) this.#shelves.delete(index);
      slab.release();
      throw thrown;
    }
  }

  #release(index: number, shelf: Shelf): void {
    shelf.users--;
    if (shelf.users > 0 || this.#shelves.get(index) !== shelf) return;
    this.#idle++;
    // One that has gone as a whole is hardly asked for again: its buffer, still in the processor's cache, is the next one's.
    const { here } = shelf;
    if (!here || here.sent >= here.data.length || this.#pool.short) return this.#drop(index, shelf);
    this.#shelves.delete(index);
    this.#shelves.set(index, shelf);
    for (const [other, kept] of this.#shelves) {
      if (this.#idle <= MAX_IDLE) break;
      if (kept.users === 0) this.#drop(other, kept);
    }
  }

  #drop(index: number, shelf: Shelf): void {
    this.#shelves.delete(index);
    this.#idle--;
    // One that is still waiting for its buffer gives it back when it has one.
    void shelf.loaded.then(
      ({ slab }) => slab.release(),
      () => {},
    );
  }
}
