/**
 * What the transfer engine needs from the world: where bytes come from, where they go, what hashes them, and a
 * pipe to the peer. Adapters (files, sockets, browsers) implement these; the engine imports none of them.
 */
import type { Entry } from '../offer/manifest.ts';
import type { ChunkHash } from '../offer/merkle.ts';
import type { ByteSpace, Extent } from '../offer/space.ts';
import type { Message } from '../wire/messages.ts';

/** How a store is closed: all is well on both sides; for now, and a later run may go on; or given up. */
export type End = 'done' | 'keep' | 'discard';

/** Chunks by their numbers, wherever they lie. A source has all of them from the beginning, a sink gets them. */
export interface Store {
  /**
   * Fills `into` with the bytes of a chunk that is here, and resolves with their number: all of the extents', or for a
   * stream fewer, once, at its end (0 if it ended before this chunk). Absent where bytes cannot be read again.
   * @throws BeelineError SOURCE_CHANGED or UNREADABLE (with paths) if a file is not what was stat'ed, or what arrived
   */
  read?(chunk: number, extents: readonly Extent[], into: Uint8Array): Promise<number>;
  /** Plain SHA-256 of each file in hex, by entry index; for `--sha256`, of a sink after `finish`. */
  digests(): Promise<Map<number, string>>;
  /**
   * Lets everything go, at any time, and as often as it likes. A sink that cannot be gone on with is discarded where it is
   * to be kept. Discarded, it leaves nothing but files that are finished; done, what a later run would need.
   */
  close(end: End): Promise<void>;
}

/** The sender's files. */
export interface Source extends Store {
  /** Depth first, a folder before what is in it; the byte space is laid out in this order. */
  readonly entries: readonly Entry[];
  readonly kind: 'files' | 'text' | 'stream';
  /** Bytes in all; undefined for a stream that has not ended. */
  readonly length: number | undefined;
  read(chunk: number, extents: readonly Extent[], into: Uint8Array): Promise<number>;
  /** Chunks below this one are safely down at the receiver and may be forgotten. Absent where nothing is kept for it. */
  release?(below: number): void;
  /** After the last chunk: names files that changed since they were stat'ed. Absent where none can. */
  changed?(): Promise<string[]>;
  close(): Promise<void>;
}

/** Where the receiver's bytes go. Nothing stands under a final name before it is whole. */
export interface Sink extends Store, Partial<Resuming>, Partial<Comparing> {
  /**
   * Called once with the checked manifest, before any chunk: settles conflicts, checks room, makes staging, or finds
   * what an earlier run left.
   * @throws BeelineError EXISTS, UNSAFE_NAME, DISK_FULL, WRITE_FAILED, LOCKED, REFUSED. Nothing new is left behind then.
   */
  open(entries: readonly Entry[], space: ByteSpace): Promise<void>;
  /** False for files that the overwrite policy skips: their bytes are never asked for. */
  wants(entry: number): boolean;
  /** Paths of what this place cannot hold, or must not: it is left out, and has been warned of. */
  leftOut?(): string[];
  /** Writes a verified chunk; `data` undefined means zeros, which a file system may keep as a hole. */
  write(
    chunk: number,
    extents: readonly Extent[],
    data: Uint8Array | undefined,
    sha256: Uint8Array,
  ): Promise<void>;
  /** For sinks that need bytes in order (stdout): how many chunks past the first missing one they can hold. */
  readonly window: number;
  /** The sender could not deliver this entry: forget what was written of it. A file that is finished stays. */
  drop(entry: number): Promise<void>;
  /** Every chunk is written: puts modes, times, links and folders right and everything durably in place. */
  finish(): Promise<void>;
}

/** What a sink has that outlives its process, and its disk's failures: all of it, or nothing. */
export interface Resuming {
  /** Chunks that an earlier run left safely down, with the hashes they were checked against. */
  held(): Iterable<ChunkHash>;
  /** After a failed write: true once writing may work again. */
  ready(): Promise<boolean>;
  /** After a failed write: begins anew with what is certain, which `held` then says. Throws as `open`. */
  reopen(): Promise<void>;
}

/** What a sink has in whose places something may lie already. */
export interface Comparing {
  /** Whether something lies in the place of a chunk that is not held, right or not. */
  comparable(chunk: number): boolean;
  /** The hash of that; undefined if it cannot be read. Stays on this side: the sender's is compared with it. */
  guess(chunk: number, extents: readonly Extent[]): Promise<Uint8Array | undefined> | undefined;
  /** The sender's chunk has the hash that was guessed: it counts as written. */
  keep(chunk: number, extents: readonly Extent[], sha256: Uint8Array): Promise<void>;
}

export type Digest = (data: Uint8Array) => Uint8Array | Promise<Uint8Array>;

/** Room for a frame header before a slab's bytes; a multiple of 8, which keeps the bytes aligned. */
export const HEADROOM = 64;

/** A chunk buffer on loan from a pool: `release` gives it back. */
export interface Slab {
  readonly bytes: Uint8Array;
  /** The HEADROOM bytes right before `bytes`, in one piece with them: a lane writes its frame header there. */
  readonly headroom: Uint8Array;
  release(): void;
}

/** Where the bytes of blocks go as they come. */
export interface Landing {
  /** The next of them. */
  put(bytes: Uint8Array): void;
  /** No more come: the lane is over. */
  cut(): void;
}

/**
 * One authenticated, ordered pipe to the peer, as the engine sees it. The adapter frames, bounds and times out.
 */
export interface LanePort {
  readonly id: number;
  readonly kind: string;
  /**
   * Queues a message; resolves when its bytes have left for the network (backpressure). Rejects once the lane is
   * dead. With blocks, `slab` is the buffer that their data stands at the beginning of, if nobody else uses its headroom.
   */
  send(message: Message, slab?: Slab): Promise<void>;
  /** Closes the lane; `reason` goes to events and logs. */
  close(reason?: Error): void;
}
