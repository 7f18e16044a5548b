/**
 * The library's types: what a program gives to `send` and `receive` and what it gets back. The command's `--json`
 * lines are these events, one object a line.
 */
import type { ErrorCode } from '../protocol/errors.ts';
import type { State } from '../transfer/machine.ts';

export type { State } from '../transfer/machine.ts';

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
  /** So many bytes are here from an earlier run, or from an older version, and need not move. At the receiver only. */
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
      /** Of that file: how large it is (0 for a stream), and how much of it is across. */
      fileSize?: number;
      fileBytes?: number;
      /** Seconds for which nothing has come from the other side, though it is connected; absent while it is heard of. */
      silent?: number;
    }
  /** The server that the two meet at is away, and why, while this side tries again; then that it is there again. */
  | { event: 'server'; reachable: boolean; message?: string }
  | { event: 'warning'; code: ErrorCode; message: string; path?: string }
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
  | { event: 'error'; code: ErrorCode; message: string };

export interface Result {
  files: number;
  bytes: number;
  /** Bytes that were already there from an earlier run. */
  resumed: number;
  seconds: number;
  /** Hex of the Merkle root; the same on both sides. */
  root: string;
  /** The peer's fingerprint: a known device's key, else this session's certificate. */
  peer: string;
  /**
   * By path. Sender: files that could not be sent (only with `onUnreadable: 'skip'`). Receiver: what its destination cannot
   * hold, or must not, as a link that leads out of it.
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
  /** The sender calls it a refresh of what it sent before: a hint, to which `overwrite: 'update'` would be the answer. */
  update: boolean;
  /** Top-level names, escaped for display, at most 20. */
  names: string[];
  peer: { fingerprint: string; name?: string };
}

/** Options that mean the same wherever a transfer runs. */
export interface TransferOptions {
  /** Parallel lanes, 1 to 64; absent: as many as turn out well, of each kind. */
  lanes?: number;
  /**
   * Lanes through somebody's relay (the server's, TURN): 'auto' (default) while nothing direct carries, 'never', or 'only',
   * which also keeps this machine's addresses from the other side.
   */
  relay?: 'auto' | 'never' | 'only';
  /** Bytes a second, for the sum of all lanes; absent: no limit. */
  limit?: number;
  /**
   * Seconds to wait for the other side once it was connected and is lost, 0 to 2,000,000; default 86,400 for the
   * sender, 3,600 for the receiver. Then NO_PATH.
   */
  wait?: number;
  /** Show each file's plain SHA-256 at the end, as `digest` events. */
  sha256?: boolean;
  /** Ends the transfer as INTERRUPTED; the receiver keeps what has arrived, for a later `receive` to go on with. */
  signal?: AbortSignal;
  /** Structured log lines; never a secret in any. */
  log?: Logger;
}

/** A running transfer. Iterate it for events; iteration ends after `done` or `error`. */
export interface Transfer extends AsyncIterable<TransferEvent> {
  readonly state: State;
  /** Resolves once verified on both sides; rejects with a BeelineError. */
  readonly done: Promise<Result>;
  /** Also delivers every event, at once; returns the way to stop. */
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
