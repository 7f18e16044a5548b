/**
 * What the transfer engine needs from the world: where bytes come from, where they go, what hashes them, and a
 * pipe to the peer. Adapters (files, sockets, browsers) implement these; the engine imports none of them.
 */
import type { Entry } from '../offer/manifest.ts';
import type { ChunkHash } from '../offer/merkle.ts';
import type { ByteSpace, Extent } from '../offer/space.ts';
import type { Message } from '../wire/messages.ts';

/** The sender's files. */
export interface Source {
  /** Depth first, a folder before what is in it; the byte space is laid out in this order. */
  readonly entries: readonly Entry[];
  readonly kind: 'files' | 'text' | 'stream';
  /** Bytes in all; undefined for a stream that has not ended. */
  readonly length: number | undefined;
  /**
   * Fills `into` with a chunk's bytes and resolves with their number: all of the extents', or for a stream fewer,
   * once, at its end (0 if it ended before this chunk).
   * @throws BeelineError SOURCE_CHANGED (with paths) if a file is not what was stat'ed; UNREADABLE.
   */
  read(chunk: number, extents: readonly Extent[], into: Uint8Array): Promise<number>;
  /** For a stream: chunks below this one are safely down at the receiver and may be forgotten. */
  release(below: number): void;
  /** After the last chunk: names files that changed since they were stat'ed. Empty when all is well. */
  changed(): Promise<string[]>;
  /** Plain SHA-256 of each file in hex, by entry index; for `--sha256`. */
  digests(): Promise<Map<number, string>>;
  close(): Promise<void>;
}

/** Where the receiver's bytes go. Nothing stands under a final name before it is whole. */
export interface Sink {
  /**
   * Called once with the checked manifest, before any chunk: settles conflicts, checks room, makes staging, or finds
   * what an earlier run left.
   * @throws BeelineError EXISTS, UNSAFE_NAME, DISK_FULL, WRITE_FAILED, LOCKED, REFUSED. Nothing new is left behind then.
   */
  open(entries: readonly Entry[], space: ByteSpace): Promise<void>;
  /** Chunks that an earlier run left safely down, with the hashes they were checked against. Absent: never any. */
  held?(): Iterable<ChunkHash>;
  /** Whether something lies in the place of a chunk that is not held, right or not. */
  comparable?(chunk: number): boolean;
  /** The hash of that; undefined if it cannot be read. Stays on this side: the sender's is compared with it. */
  guess?(chunk: number, extents: readonly Extent[]): Promise<Uint8Array | undefined> | undefined;
  /** The sender's chunk has the hash that was guessed: it counts as written. */
  keep?(chunk: number, extents: readonly Extent[], sha256: Uint8Array): Promise<void>;
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
  /**
   * A chunk that `write` or `keep` resolved for, or that is held, as `Source.read`: until `suspend` or `abort`, from
   * wherever it lies by now. Somebody may write to that meanwhile: whoever passes it on compares the hash. Absent where
   * bytes cannot be read again.
   * @throws BeelineError SOURCE_CHANGED or UNREADABLE (with paths): what was placed is not what arrived, or was left out
   */
  read?(chunk: number, extents: readonly Extent[], into: Uint8Array): Promise<number>;
  /** For sinks that need bytes in order (stdout): how many chunks past the first missing one they can hold. */
  readonly window: number;
  /** The sender could not deliver this entry: forget what was written of it. A file that is finished stays. */
  drop(entry: number): Promise<void>;
  /** Every chunk is written: puts modes, times, links and folders right and everything durably in place. */
  finish(): Promise<void>;
  /** Both sides agree that all is well: what a later run would need to go on is no longer kept. */
  settle?(): Promise<void>;
  /** Plain SHA-256 of each written file in hex, by entry index; for `--sha256`, after `finish`. */
  digests(): Promise<Map<number, string>>;
  /** After a failed write: true once writing may work again. */
  ready?(): Promise<boolean>;
  /** After a failed write: begins anew with what is certain, which `held` then says. Throws as `open`. */
  reopen?(): Promise<void>;
  /** Stops for now: what is down is kept for a later run. Safe to call at any time, and twice. */
  suspend?(): Promise<void>;
  /** Gives up: removes the staging. Files already finished stay. Safe to call at any time, and twice. */
  abort(): Promise<void>;
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
