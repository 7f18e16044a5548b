/**
 * What the transfer engine needs from outside: where bytes come from, where they go, what hashes them, and lanes to the
 * peer. Adapters (files, sockets, browsers) implement these interfaces. The engine imports no adapter.
 */

import type { Slab } from '../base/slab.ts';
import type { HashName } from '../offer/hashing.ts';
import type { Entry } from '../offer/manifest.ts';
import type { ChunkHash } from '../offer/merkle.ts';
import type { ByteSpace, Extent } from '../offer/space.ts';
import type { Message } from '../wire/messages.ts';

/**
 * How a store is closed. `done`: both sides have succeeded. `keep`: a later run may go on with what is here. `discard`:
 * nobody will go on.
 */
export type End = 'done' | 'keep' | 'discard';

/** Chunks by their numbers. A source has all of them from the beginning, a sink gets them. */
export interface Store {
  /**
   * Writes the bytes of a chunk that is here into `into`, and resolves with their number. That is the sum of the extents.
   * Only the last chunk of a stream may have fewer (0 if the stream ended before it). A store without `read` cannot read
   * bytes again.
   * @throws BeelineError SOURCE_CHANGED or UNREADABLE (with paths) if a file has changed since its first stat, or since it arrived
   */
  read?(chunk: number, extents: readonly Extent[], into: Uint8Array): Promise<number>;
  /** The SHA-256 of each file's content in hex, by entry index, for the option `sha256`. Called on a sink after `finish`. */
  digests(): Promise<Map<number, string>>;
  /**
   * Releases everything. May come at any time, and more than once. `keep` leaves what a later run needs; a sink with which no
   * run can go on takes it as `discard`. `discard` leaves only finished files.
   */
  close(end: End): Promise<void>;
}

/** What the sender sends. */
export interface Source extends Store {
  /** Depth first, a folder before its content. The byte space has the files in this order. */
  readonly entries: readonly Entry[];
  readonly kind: 'files' | 'text' | 'stream';
  /** The sum of all files, in bytes. Undefined for a stream that has not ended. */
  readonly length: number | undefined;
  read(chunk: number, extents: readonly Extent[], into: Uint8Array): Promise<number>;
  /** The receiver has safely written all chunks below this one: they may be forgotten. For a source that holds chunks in memory. */
  release?(below: number): void;
  /** After the last chunk: the paths of files that changed since their first stat. For a source whose files can change. */
  changed?(): Promise<string[]>;
  close(): Promise<void>;
}

/** Where the receiver's bytes go. A file gets its final name only once it is whole. */
export interface Sink extends Store, Partial<Resuming>, Partial<Comparing> {
  /**
   * Called once with the checked manifest, before any chunk. Settles conflicts, checks room, and makes a staging folder or
   * finds that of an earlier run.
   * @param hash what the hashes of chunks are made with
   * @param pages the manifest as it came
   * @throws BeelineError EXISTS, UNSAFE_NAME, DISK_FULL, WRITE_FAILED, LOCKED or REFUSED. Then it leaves nothing new behind.
   */
  open(
    entries: readonly Entry[],
    space: ByteSpace,
    hash: HashName,
    pages: readonly Uint8Array[],
  ): Promise<void>;
  /** False for files that are skipped. Their bytes are never asked for. */
  wants(entry: number): boolean;
  /** Where a finished file stands, relative to the destination. Absent where nobody is told: of what is no file on a disk of this machine. */
  nameOf?(entry: number): string;
  /**
   * Files that were put in their places since this was called last. Absent: whoever is shown them takes what has arrived for that,
   * because it stands there at the end, or a moment later.
   */
  placed?(): Iterable<number>;
  /** The paths that this sink leaves out, because it cannot hold them or must not. The person has been warned. */
  leftOut?(): string[];
  /** Writes a verified chunk. If `data` is undefined, all its bytes are zeros, which may become a hole in the file. */
  write(
    chunk: number,
    extents: readonly Extent[],
    data: Uint8Array | undefined,
    hash: Uint8Array,
  ): Promise<void>;
  /** How many chunks past the first missing one it can hold. Infinity, unless it needs bytes in order (as stdout does). */
  readonly window: number;
  /** The sender cannot deliver this entry: removes what was written of it. A finished file stays. */
  drop(entry: number): Promise<void>;
  /** Every chunk is written. Sets modes, times, links and folders, and puts everything durably in place. */
  finish(): Promise<void>;
}

/** For a sink that outlives its process and failures of its disk. It has all of these methods, or none. */
export interface Resuming {
  /** The chunks that an earlier run has safely written, with the hashes that they were checked against. */
  held(): Iterable<ChunkHash>;
  /** Called after a failed write. True once writing may work again. */
  ready(): Promise<boolean>;
  /** Called after a failed write. Begins anew with what is certain: `held` says what that is. Throws as `open` does. */
  reopen(): Promise<void>;
}

/** For a sink that may find bytes already at the place of a chunk, such as an older version. All of these methods, or none. */
export interface Comparing {
  /** Whether there are bytes at the place of a chunk that is not held. They may be wrong. */
  comparable(chunk: number): boolean;
  /** The hash of these bytes; undefined if they cannot be read. It is compared with the hash from the sender, and never sent. */
  guess(chunk: number, extents: readonly Extent[]): Promise<Uint8Array | undefined> | undefined;
  /** The sender's hash of the chunk is the guessed one: these bytes count as the chunk, written. */
  keep(chunk: number, extents: readonly Extent[], hash: Uint8Array): Promise<void>;
}

export type Digest = (data: Uint8Array) => Uint8Array | Promise<Uint8Array>;

/** A lane as the engine sees it. The adapter does framing, bounds and deadlines. */
export interface LanePort {
  readonly id: number;
  readonly kind: string;
  /** Nothing new is to be asked for on it now. */
  readonly spared?: boolean;
  /**
   * Queues a message. Resolves when its bytes have left for the network (backpressure). Rejects once the lane has ended.
   * For blocks, `slab` is the buffer whose first bytes are their data, given only if nobody else uses its headroom.
   */
  send(message: Message, slab?: Slab): Promise<void>;
  /** Closes the lane. `reason` goes to events and logs. */
  close(reason?: Error): void;
}
