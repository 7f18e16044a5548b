/** What the two engines are given: this machine's means, and whom to tell. */
import type { Clock } from '../base/clock.ts';
import type { BeelineError } from '../base/errors.ts';
import type { Entry, Offer } from '../offer/manifest.ts';
import type { ByteSpace, Extent } from '../offer/space.ts';
import type { Digest, Sink } from './ports.ts';

interface EnginePorts {
  digest: Digest;
  allocate: (bytes: number) => Uint8Array;
  clock: Clock;
  /** Bytes a second. */
  limit: number | undefined;
  /** Bytes that are across so far, and the pieces that came across just now. */
  progress: (bytes: number, extents: readonly Extent[]) => void;
  /** Bytes of it that an earlier run had moved and that need not move again; `progress` counts from zero after a 0. */
  resumed: (bytes: number) => void;
  /** So many bytes more were there already, and only had to be compared; `progress` tells of them too. */
  kept: (bytes: number) => void;
  /** Both sides have everything and their roots are equal. Called once; by a sender, once for each new process. */
  complete: (outcome: Outcome) => void;
  fail: (error: BeelineError) => void;
}

/** What both sides come to the same of, and a receipt is made from. */
export interface Outcome {
  root: Uint8Array;
  /** SHA-256 of each chunk; undefined for one that was not moved. */
  hash: (chunk: number) => Uint8Array | undefined;
  chunks: number;
  /** Milliseconds since 1970 by the sender's clock. */
  started: number;
  ended: number;
}

export interface SenderPorts extends EnginePorts {
  /** The receiver asks for bytes, or says what it has: its person has said yes. Called each time. */
  accepted: () => void;
  sha256: boolean;
  /** The person calls this a refresh of what was sent before. */
  update: boolean;
  /** A file changed or went away; the rest goes on. */
  gone: (path: string, error: BeelineError) => void;
  /** The receiver has heard the last word. May come more than once. */
  confirmed: () => void;
}

export interface ReceiverPorts extends EnginePorts {
  /** The manifest is whole and coherent: check names, ask the person, and give the opened sink. */
  open: (offer: Offer, entries: readonly Entry[], space: ByteSpace) => Promise<Sink>;
  /** The sender cannot deliver a file; `code` and `text` are its words and not trusted. */
  gone: (path: string, code: string, text: string) => void;
  /** A write failed; true if the session holds now and will pull again, false if that is the end. */
  stalled: (error: BeelineError) => boolean;
}
