/**
 * The library's types: what a program gives to `send` and `receive` and what it gets back. The command's `--json`
 * lines are these events, one object a line.
 */
import type { ErrorCode, Reason } from '../base/errors.ts';
import type { State } from '../sync/machine.ts';

export type { State } from '../sync/machine.ts';

/** Everything that a transfer tells. Sizes are bytes, rates bytes a second, times seconds. */
export type TransferEvent =
  | { event: 'code'; code: string }
  /** With `web`: links to the page, best first. The code is in their fragment, which browsers send to nobody. */
  | { event: 'web'; links: string[] }
  /** The sender is ready to be found; `port` is where its lanes (and its own rendezvous) are. */
  | { event: 'listening'; port: number }
  | { event: 'state'; from: State; to: State; by?: 'self' | 'peer'; reason?: string }
  | { event: 'peer'; fingerprint: string; name?: string; agent: string }
  | {
      event: 'manifest';
      /** A text and a stream are one entry, counted as a file. */
      kind: OfferSummary['kind'];
      files: number;
      folders: number;
      links: number;
      bytes: number | null;
      chunkSize: number;
    }
  /** At the receiver only: so many bytes are here already, from an earlier run or an older version, and need not move. */
  | { event: 'resumed'; bytes: number }
  | {
      event: 'lane';
      id: number;
      /** tcp, punched (TCP through NATs), udx (UDP), webrtc (to a browser), turn, or relay (the server's). */
      kind: string;
      local: string;
      remote: string;
      status: 'open' | 'closed';
      /** It goes through somebody's relay: the server's, or a TURN server. */
      relayed?: true;
      /** When it closed: what it carried both ways, with what protocols add. */
      bytes?: number;
      reason?: string;
    }
  | {
      event: 'progress';
      bytes: number;
      total: number | null;
      rate: number;
      eta: number | null;
      files: number;
      /** Bytes a second by kind of lane, with what protocols add. */
      by: { [kind: string]: number };
      file?: string;
      /** The size of `file` (0 for a stream), and how much of it has arrived. */
      fileSize?: number;
      fileBytes?: number;
      /** The other side is connected, but nothing has come from it for so many seconds. Absent while something comes. */
      silent?: number;
    }
  /** The server that the two meet at cannot be reached, and why; this side tries again. Then: it can be reached again. */
  | { event: 'server'; reachable: boolean; message?: string }
  | { event: 'warning'; code: ErrorCode; reason?: Reason; message: string; path?: string }
  | { event: 'text'; text: string }
  | { event: 'digest'; path: string; sha256: string }
  | {
      event: 'done';
      files: number;
      bytes: number;
      resumed: number;
      seconds: number;
      root: string;
      /** Where the receipt was written. */
      receipt?: string;
    }
  | { event: 'error'; code: ErrorCode; reason?: Reason; message: string };

export interface Result {
  files: number;
  bytes: number;
  /** Bytes that were already there from an earlier run. */
  resumed: number;
  seconds: number;
  /** Hex of the Merkle root; the same on both sides. */
  root: string;
  /** The peer's fingerprint: of a trusted device's key, else of this session's certificate. */
  peer: string;
  /**
   * Paths. At the sender: files that could not be sent (only with `onUnreadable: 'skip'`). At the receiver: what its destination
   * cannot hold, or must not hold, such as a link that leads out of it.
   */
  skipped: string[];
  /** Where the receipt was written; absent if none was asked for, or it could not be (a warning says so). */
  receipt?: string;
}

/** What the receiver is asked to accept. */
export interface OfferSummary {
  files: number;
  folders: number;
  links: number;
  bytes: number | null;
  kind: 'files' | 'text' | 'stream';
  /** The sender says that this refreshes what it sent before. It is a hint: `overwrite: 'update'` would be the answer. */
  update: boolean;
  /** Top-level names, escaped for display, at most 20. */
  names: string[];
  peer: { fingerprint: string; name?: string };
}

/** Options that mean the same wherever a transfer runs. */
export interface TransferOptions {
  /** Parallel lanes, 1 to 64; absent: Beeline finds out how many of each kind help. */
  lanes?: number;
  /**
   * Whether lanes may go through a relay (the server's, or TURN): 'auto' (default) only while nothing direct carries; 'never'; or
   * 'only', which also keeps this machine's addresses from the other side.
   */
  relay?: 'auto' | 'never' | 'only';
  /** Bytes a second, for the sum of all lanes; absent: no limit. */
  limit?: number;
  /**
   * If the connection is lost, how many seconds to wait for the other side, 0 to 2,000,000; default 86,400 for the sender and
   * 3,600 for the receiver. After that the transfer ends as NO_PATH.
   */
  wait?: number;
  /** Show each file's plain SHA-256 at the end, as `digest` events. */
  sha256?: boolean;
  /** Ends the transfer as INTERRUPTED. The receiver keeps what has arrived, so that a later `receive` can go on. */
  signal?: AbortSignal;
  /** Gets structured log lines. No line has a secret in it. */
  log?: Logger;
}

/** A running transfer. Iterate it for events; iteration ends after `done` or `error`. */
export interface Transfer extends AsyncIterable<TransferEvent> {
  readonly state: State;
  /** Resolves when both sides have verified everything; rejects with a BeelineError. */
  readonly done: Promise<Result>;
  /** Calls `listener` with every event, at once. Returns a function that ends that. */
  subscribe(listener: (event: TransferEvent) => void): () => void;
  pause(): void;
  resume(): void;
  /** Ends both sides as CANCELLED. */
  cancel(): void;
}

/** The part of pino's interface that the library uses. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
