/**
 * Chunks on their way out: each is read and hashed once, and its blocks go to any peers, over any lanes, that ask for them.
 * One of which some bytes have not gone is kept for a while, since a slow lane is asked for few blocks at a time.
 *
 * Each peer that is served is a user, which pins a chunk's buffer while it is being sent there. A user always gets its first few
 * buffers at once, whatever the others pin: so one that reads nothing keeps nobody waiting. Beyond these it waits until all pins
 * together are fewer than the pool's buffers. A chunk that several pin counts for each of them.
 */
import type { Slab } from '../base/slab.ts';
import type { Digest } from './ports.ts';
import { SlabPool } from './slabs.ts';
import { isZero, ZeroHashes } from './zeros.ts';

/** Chunks that are kept though nobody needs them now. */
const MAX_IDLE = 4;
/** Buffers that each user gets at once: one for what is sent and one for what is read meanwhile, if the pool has so many for this many users. */
const SURE = 2;
const SURE_USERS = 16;

/** A chunk in memory. */
export interface Loaded {
  readonly index: number;
  /** All of its bytes; none for a stream that has ended before it. */
  readonly data: Uint8Array;
  readonly slab: Slab;
  readonly hash: Uint8Array;
  readonly zeros: boolean;
  /** A lane is writing its header in front of the data: no other may. */
  headroomTaken: boolean;
  /** Bytes of it that have gone, counted again where they went twice. */
  sent: number;
}

/** The use of a chunk, until it is released. */
export interface Lease {
  readonly index: number;
  /** Undefined: it was released before there was a buffer for it. */
  readonly loaded: Promise<Loaded | undefined>;
  /** Safe to call twice. */
  release(): void;
}

/** One peer that is served. */
export interface ReaderUser {
  /** Reads the chunk once this user may have it, unless it is here. */
  lease(index: number): Lease;
  /** The same if it may have it now. */
  ahead(index: number): Lease | undefined;
  /** Chunks that only this user has used are not kept any more: they may be out of date. */
  restart(): void;
  /** Nothing more is read for it. */
  close(): void;
}

interface Shelf {
  loaded: Promise<Loaded>;
  /** What that resolved to. */
  here: Loaded | undefined;
  /** Leases of each user. */
  readonly pins: Map<object, number>;
  /** The one user that has used it; undefined: there were several. */
  only: object | undefined;
  /** It was read for what is not so any more: its buffer is given back when the last lease ends. */
  forgotten: boolean;
}

interface User {
  pinned: number;
  closed: boolean;
}

interface Waiting {
  readonly user: User;
  readonly index: number;
  readonly admit: (shelf: Shelf | undefined) => void;
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
  #zeroHashes: ZeroHashes;
  /** Those in use, and after them those that are not, in the order of their last use. */
  readonly #shelves = new Map<number, Shelf>();
  #idle = 0;
  readonly #users = new Set<User>();
  /** Pins of all users: a chunk counts for each that pins it. */
  #pinned = 0;
  /** Oldest first. */
  #waiting: Waiting[] = [];

  constructor(ports: ChunkReaderPorts) {
    this.#ports = ports;
    this.#pool = new SlabPool(ports.chunkSize, ports.allocate);
    this.#zeroHashes = new ZeroHashes(ports.digest);
  }

  /** Chunks are hashed otherwise from here on: nothing that has been read is of use to anybody new. */
  forget(): void {
    this.#zeroHashes = new ZeroHashes(this.#ports.digest);
    for (const [index, shelf] of this.#shelves) {
      if (shelf.pins.size === 0) this.#drop(index, shelf);
      shelf.forgotten = true;
    }
    this.#shelves.clear();
  }

  /** One more peer that is served. */
  user(): ReaderUser {
    const user: User = { pinned: 0, closed: false };
    this.#users.add(user);
    return {
      lease: (index) => this.#lease(user, index),
      ahead: (index) => (this.#mayHave(user, index) ? this.#lease(user, index) : undefined),
      restart: () => this.#clear(({ only }) => only === user),
      close: () => {
        user.closed = true;
        this.#users.delete(user);
        for (const one of this.#waiting) if (one.user === user) one.admit(undefined);
        this.#waiting = this.#waiting.filter((one) => one.user !== user);
      },
    };
  }

  #lease(user: User, index: number): Lease {
    let shelf: Shelf | undefined;
    let over = user.closed;
    let waiting: Waiting | undefined;
    let loaded: Promise<Loaded | undefined>;
    if (over) loaded = Promise.resolve(undefined);
    else if (this.#mayHave(user, index)) {
      shelf = this.#pin(user, index);
      loaded = shelf.loaded;
    } else {
      loaded = new Promise<Shelf | undefined>((admit) => {
        waiting = { user, index, admit };
        this.#waiting.push(waiting);
      }).then((admitted) => {
        shelf = admitted;
        return admitted?.loaded;
      });
      // Whoever awaits it hears of it; nobody may be awaiting it yet.
      loaded.catch(() => {});
    }
    return {
      index,
      loaded,
      release: () => {
        if (over) return;
        over = true;
        if (shelf) return this.#unpin(user, index, shelf);
        this.#waiting = this.#waiting.filter((one) => one !== waiting);
        waiting!.admit(undefined);
      },
    };
  }

  /** Whether it may pin this chunk now. */
  #mayHave(user: User, index: number): boolean {
    if (this.#shelves.get(index)?.pins.has(user)) return true;
    const { size } = this.#pool;
    return user.pinned < Math.max(1, Math.min(SURE, Math.floor(size / SURE_USERS))) || this.#pinned < size;
  }

  #pin(user: User, index: number): Shelf {
    let shelf = this.#shelves.get(index);
    if (!shelf) {
      shelf = { loaded: undefined as never, here: undefined, pins: new Map(), only: user, forgotten: false };
      shelf.loaded = this.#load(index, shelf);
      // Whoever awaits it hears of it; nobody may be awaiting it yet.
      shelf.loaded.catch(() => {});
      this.#shelves.set(index, shelf);
    } else if (shelf.pins.size === 0) this.#idle--;
    if (shelf.only !== user) shelf.only = undefined;
    const pins = shelf.pins.get(user) ?? 0;
    shelf.pins.set(user, pins + 1);
    if (pins === 0) {
      user.pinned++;
      this.#pinned++;
    }
    return shelf;
  }

  #clear(of: (shelf: Shelf) => boolean): void {
    for (const [index, shelf] of this.#shelves)
      if (shelf.pins.size === 0 && of(shelf)) this.#drop(index, shelf);
  }

  async #load(index: number, shelf: Shelf): Promise<Loaded> {
    const { digest, read } = this.#ports;
    const slab = this.#buffer();
    try {
      const length = await read(index, slab.bytes);
      const data = slab.bytes.subarray(0, length);
      const zeros = isZero(data);
      const hash = zeros ? await this.#zeroHashes.get(length) : await digest(data);
      shelf.here = { index, data, slab, hash, zeros, headroomTaken: false, sent: 0 };
      return shelf.here;
    } catch (thrown) {
      // Read anew for whoever asks next.
      if (this.#shelves.get(index) === shelf) this.#shelves.delete(index);
      slab.release();
      throw thrown;
    }
  }

  /** What nobody needs makes way. */
  #buffer(): Slab {
    const free = this.#pool.take();
    if (free) return free;
    this.#clear(({ here }) => here !== undefined);
    return this.#pool.take() ?? this.#pool.extra();
  }

  #unpin(user: User, index: number, shelf: Shelf): void {
    const left = shelf.pins.get(user)! - 1;
    if (left > 0) {
      shelf.pins.set(user, left);
      return;
    }
    shelf.pins.delete(user);
    user.pinned--;
    this.#pinned--;
    if (shelf.pins.size === 0 && this.#shelves.get(index) === shelf) this.#rest(index, shelf);
    else if (shelf.pins.size === 0 && shelf.forgotten) giveBack(shelf);
    this.#admit();
  }

  /** Those who may go on now, the longest waiting first. */
  #admit(): void {
    if (this.#waiting.length === 0) return;
    this.#waiting = this.#waiting.filter((one) => {
      if (!this.#mayHave(one.user, one.index)) return true;
      one.admit(this.#pin(one.user, one.index));
      return false;
    });
  }

  /** Nobody needs it now. */
  #rest(index: number, shelf: Shelf): void {
    this.#idle++;
    const { here } = shelf;
    // A chunk that has gone whole to all is hardly asked for again. The next one gets its buffer, still in the processor's cache.
    if (!here || here.sent >= here.data.length * this.#users.size || this.#waiting.length > 0)
      return this.#drop(index, shelf);
    this.#shelves.delete(index);
    this.#shelves.set(index, shelf);
    for (const [other, kept] of this.#shelves) {
      if (this.#idle <= MAX_IDLE) break;
      if (kept.pins.size === 0) this.#drop(other, kept);
    }
  }

  #drop(index: number, shelf: Shelf): void {
    this.#shelves.delete(index);
    this.#idle--;
    giveBack(shelf);
  }
}

/** One that is still being read gives its buffer back after that; a failed one has. */
function giveBack({ here, loaded }: Shelf): void {
  if (here) here.slab.release();
  else
    void loaded.then(
      ({ slab }) => slab.release(),
      () => {},
    );
}
