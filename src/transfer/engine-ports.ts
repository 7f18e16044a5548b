/** What the two engines are given: this machine's means, and whom to tell. */
import type { BeelineError } from '../protocol/errors.ts';
import type { Entry, Offer } from '../protocol/manifest.ts';
import type { Digest, Extent, Sink } from './ports.ts';
import type { ByteSpace } from './space.ts';

interface EnginePorts {
  digest: Digest;
  allocate: (bytes: number) => Uint8Array;
  /** Seconds, monotonic. */
  now: () => number;
  sleep: (seconds: number) => Promise<void>;
  /** Bytes a second. */
  limit: number | undefined;
  /** Bytes moved so far, and the pieces that moved just now. */
  progress: (bytes: number, extents: readonly Extent[]) => void;
  /** Both sides have everything and their roots are equal. Called once. */
  complete: (root: Uint8Array) => void;
  fail: (error: BeelineError) => void;
}

export interface SenderPorts extends EnginePorts {
  sha256: boolean;
  /** The person calls this a refresh of what was sent before. */
  update: boolean;
  /** A file changed or went away; the rest goes on. */
  gone: (path: string, error: BeelineError) => void;
}

export interface ReceiverPorts extends EnginePorts {
  /** The manifest is whole and coherent: check names, ask the person, and give the opened sink. */
  open: (offer: Offer, entries: readonly Entry[], space: ByteSpace) => Promise<Sink>;
  /** The sender cannot deliver a file; `code` and `text` are its words and not trusted. */
  gone: (path: string, code: string, text: string) => void;
}
