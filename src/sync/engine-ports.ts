/** What the engine is given: this machine's means, and whom to tell. */
import type { Clock } from '../base/clock.ts';
import type { BeelineError } from '../base/errors.ts';
import type { HashName } from '../offer/hashing.ts';
import type { OfferHeader } from '../offer/manifest.ts';
import type { Offer } from '../offer/offer.ts';
import type { Extent } from '../offer/space.ts';
import type { Introduction, Neighbour } from './members.ts';
import type { Digest, Sink } from './ports.ts';

export interface Means {
  /** What hashes chunks. */
  digest: (hash: HashName) => Digest;
  /**
   * With what this side hashes fast, the fastest first. To find out takes a few milliseconds, which pay only if there is enough to hash.
   * @param bytes how much that is, if it is known
   */
  hashes: (bytes?: number) => readonly HashName[];
  /** With what it can hash at all, however slowly. */
  computes: readonly HashName[];
  allocate: (bytes: number) => Uint8Array;
  clock: Clock;
  /** Bytes a second, for all peers together. */
  limit: number | undefined;
}

/** Of an origin, whoever receives from it. */
export interface OriginPorts extends Means {
  sha256: boolean;
  /** The person calls this a refresh of what was sent before. */
  update: boolean;
  /** Its receivers are introduced to each other, by a chance from 0 up to 1. Absent: they must not know of each other. */
  swarm?: { readonly random: () => number } | undefined;
  /** A file changed or went away; the rest goes on. */
  gone: (path: string, error: BeelineError) => void;
}

/** How far one transfer is. */
export interface ProgressPorts {
  /** What the other side has to say now (`Peer.awaits`) may have changed. */
  awaits: () => void;
  /** Bytes that are across so far, and the pieces that came across just now. */
  progress: (bytes: number, extents: readonly Extent[]) => void;
  /** Bytes of it that an earlier run had moved and that need not move again; `progress` counts from zero after a 0. */
  resumed: (bytes: number) => void;
  /** So many bytes more were there already, and only had to be compared; `progress` tells of them too. */
  kept: (bytes: number) => void;
  /** Both sides have everything and their roots are equal. Called once; by an origin, once for each new process of a receiver. */
  complete: (outcome: Outcome) => void;
  fail: (error: BeelineError) => void;
}

/** What both sides agree on. A receipt is made from it. */
export interface Outcome {
  root: Uint8Array;
  /** Hash of each chunk; undefined for one that was not moved. */
  hash: (chunk: number) => Uint8Array | undefined;
  chunks: number;
  /** Milliseconds since 1970 by the origin's clock. */
  started: number;
  ended: number;
}

/** Of an origin, for one of its receivers. */
export interface PeerPorts extends ProgressPorts {
  /** The receiver asks for bytes, or says what it has: its person has said yes. Called each time. */
  accepted: () => void;
  /** The receiver has heard the last word. May come more than once. */
  confirmed: () => void;
}

export interface ReceiverPorts extends ProgressPorts, Means {
  /** The offer is whole and coherent: check names, ask the person, and give the opened sink. */
  open: (header: OfferHeader, offer: Offer) => Promise<Sink>;
  /** The origin cannot deliver a file; `code` and `text` are its words and not trusted. */
  gone: (path: string, code: string, text: string) => void;
  /** A write failed; true if the session holds now and will pull again, false if that is the end. */
  stalled: (error: BeelineError) => boolean;
  /** Chance, from 0 up to 1: where to begin when others receive the same. */
  random: () => number;
  /** Another receiver gives what it has, and takes what is here. Absent: this side does not share. */
  meet?: ((introduction: Introduction) => Neighbour) | undefined;
}
