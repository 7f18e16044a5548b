/**
 * The types that `send` and `receive` share on Node and in a page: events, results and common options. With `--json` the command prints
 * these events, one object a line.
 */
import type { BeelineError, ErrorCode, Reason, ReasonValues } from '../base/errors.ts';
import type { State } from '../sync/machine.ts';

export type { State } from '../sync/machine.ts';

/**
 * The events of a transfer. Sizes are in bytes, rates in bytes a second, times in seconds. `peer` tells which peer an event is about: a
 * sender numbers its receivers from 1. To a receiver its sender is 1, and other receivers, with which it exchanges, count from 2.
 */
export type TransferEvent =
  | { event: 'code'; code: string }
  /** With `web`: links to the page, best first. The code is in their fragment, which browsers send to nobody. */
  | { event: 'web'; links: string[] }
  /** With `http`: links to the files themselves, best first, for browsers, curl and all others. A secret is in each. */
  | { event: 'http'; links: readonly string[] }
  /** With `http`: a file, or an archive of a folder, on its way to somebody. `size` is null for an archive. `whole`: with it, all of it was had. */
  | {
      event: 'download';
      id: number;
      status: 'begun' | 'done' | 'failed';
      /** Percent-encoded, from the top of the offer. */
      path: string;
      address: string;
      bytes: number;
      size: number | null;
      whole?: boolean;
    }
  /** With `http`: somebody at that address has had all of it by the link, and counts as a receiver. */
  | { event: 'downloaded'; address: string; bytes: number; seconds: number }
  /** The receiver can now find the sender. `port` is the port of its lanes, and of its own rendezvous. */
  | { event: 'listening'; port: number }
  /** `reason` is a sentence, and `code` what kind of failure it is about: also one that the transfer waits for the end of. */
  | {
      event: 'state';
      peer?: number;
      from: State;
      to: State;
      by?: 'self' | 'peer';
      code?: ErrorCode;
      reason?: string;
    }
  /**
   * `agent` is empty for another receiver. `again`: at a sender, it has had everything before, and comes once more. `key`: it may be
   * remembered as a trusted device under it (see `trust`).
   */
  | {
      event: 'peer';
      peer?: number;
      fingerprint: string;
      name?: string;
      agent: string;
      key?: string;
      again?: true;
    }
  /** At a sender of files, while it looks for them, not more often than twice a second: how many it has found so far. */
  | { event: 'reading'; files: number }
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
  /** At the receiver only: this many bytes are here already, from an earlier run or an older version. They need not move. */
  | { event: 'resumed'; peer?: number; bytes: number }
  | {
      event: 'lane';
      peer?: number;
      id: number;
      /** tcp, punched (TCP through NATs), udx (UDP), quic (UDP, with `quic`), webrtc (to a browser), turn, or relay (the server's). */
      kind: string;
      local: string;
      remote: string;
      status: 'open' | 'closed';
      /** True if the lane goes through a relay: the server's, or a TURN server. */
      relayed?: true;
      /** When it closed: the bytes that it carried in both directions, with the overhead of protocols. */
      bytes?: number;
      reason?: string;
    }
  | {
      event: 'progress';
      peer?: number;
      bytes: number;
      total: number | null;
      rate: number;
      eta: number | null;
      files: number;
      /** Bytes a second for each kind of lane, with the overhead of protocols. */
      by: { [kind: string]: number };
      file?: string;
      /** The size of `file` (0 for a stream), and how much of it has arrived. */
      fileSize?: number;
      fileBytes?: number;
      /** The other side is connected, but has sent nothing for this many seconds. Absent while it sends. */
      silent?: number;
    }
  /**
   * These of the first 400 names at the top have become whole, of a folder all files in it: their bytes are at the receiver and checked; in a
   * folder that a page's person picked, they are in their places. The name of a folder ends in `/`. Not where there are several receivers.
   */
  | { event: 'whole'; peer?: number; names: string[] }
  /**
   * False: the server where the two sides meet cannot be reached. `message` says why, and this side tries again. True: it can be
   * reached again.
   */
  | { event: 'server'; reachable: boolean; message?: string }
  | {
      event: 'warning';
      peer?: number;
      code: ErrorCode;
      reason?: Reason;
      message: string;
      /** What fills the text of `reason`, for whoever says it in another language. */
      values?: ReasonValues;
      path?: string;
    }
  /** At a sender with several receivers: one of them has ended. `ok`: it has everything. */
  | {
      event: 'ended';
      peer: number;
      fingerprint: string;
      name?: string;
      ok: boolean;
      /** It had everything before, came once more, and took nobody's place: it does not count. */
      again?: true;
      bytes: number;
      seconds: number;
      code?: ErrorCode;
      reason?: Reason;
      message?: string;
    }
  /**
   * Not more often than once a second, where there may be several receivers: from how many other receivers this side fetches now, and to
   * how many it gives. `up` and `down` are bytes so far. At the sender `up` counts what it has sent of the offer, to all together. At a
   * receiver both are what lanes to other receivers have carried, with the overhead of protocols.
   */
  | { event: 'swarm'; from: number; to: number; up: number; down: number }
  | { event: 'text'; text: string }
  /** With `trust`, near the end: the other side is a trusted device from now on. */
  | { event: 'trusted'; name: string; key: string }
  | { event: 'digest'; path: string; sha256: string }
  /** At a receiver with `list`: a file that was put in place. `as`: the name that it has here, if that is another. */
  | { event: 'placed'; path: string; size: number; as?: string }
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
  /** Hex of the Merkle root; the same on both sides. Empty if it was had by a link alone. */
  root: string;
  /** The peer's fingerprint: of a trusted device's key, else of this session's certificate. Empty as the root is. */
  peer: string;
  /**
   * Paths. At the sender: files that could not be sent (only with `onUnreadable: 'skip'`). At the receiver: entries that the destination
   * cannot or must not hold, such as a link that leads out of it.
   */
  skipped: string[];
  /** Where the receipt was written. Absent if none was asked for, or if it could not be written (a warning says so). */
  receipt?: string;
  /** At the sender: each receiver that there was, in the order in which they ended. */
  receivers?: readonly ReceiverResult[];
}

/** How it went for one receiver, at the sender. */
export interface ReceiverResult {
  /** Its number in the events; 0 for one that had it by a link. */
  peer: number;
  /** Empty for one that had it by a link. */
  fingerprint: string;
  /** Of one that had it by a link. */
  address?: string;
  /** A trusted device's. */
  name?: string;
  /** It has everything. */
  ok: boolean;
  bytes: number;
  resumed: number;
  seconds: number;
  /** Why it does not have everything. */
  error?: BeelineError;
}

/** What the sender offers, for the receiver's decision. */
export interface OfferSummary {
  files: number;
  folders: number;
  links: number;
  bytes: number | null;
  kind: 'files' | 'text' | 'stream';
  /** The sender says that this refreshes what it sent before. It is only a hint. To refresh, the receiver uses `overwrite: 'update'`. */
  update: boolean;
  /** Top-level names, escaped for display, at most 20. */
  names: string[];
  /** How many stand at the top, named or not. */
  tops: number;
  /** Bytes of each of `names`, a folder's with all that is in it. Absent where sizes are not known, as of a stream. */
  sizes?: number[];
  /** Where it goes below the destination, if the receiver has a template for that. */
  within?: string;
  peer: { fingerprint: string; name?: string };
}

/** Options that mean the same wherever a transfer runs. */
export interface TransferOptions {
  /** Parallel lanes, 1 to 64; absent: Beeline finds out how many of each kind help. */
  lanes?: number;
  /**
   * Whether lanes may go through a relay (the server's, or TURN). 'auto' (default): only while no direct lane carries. 'never'. 'only':
   * every lane does, and the other side does not learn this machine's addresses.
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
  /** At a receiver: list each file at the end, as `placed` events. Of many files only `subscribe` has all of them: an iterator keeps the last 1,000 events. */
  list?: boolean;
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
  /**
   * Resolves when nothing of it is open any more, whatever its end was. A receiver that shares gives what it has to others also after
   * `done`, until they have it too; `cancel` and `signal` end that.
   */
  readonly closed: Promise<void>;
  /** Calls `listener` with every event as it happens. Returns a function that ends the subscription. */
  subscribe(listener: (event: TransferEvent) => void): () => void;
  pause(): void;
  resume(): void;
  /** Ends both sides as CANCELLED. */
  cancel(): void;
  /**
   * At a sender: nobody new is let in from now on, as after `until`. Who is under way goes on, and may be started again. If nobody has
   * come yet, it ends as NO_PEER.
   */
  admitNoMore(): void;
}

/** The part of pino's interface that the library uses. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
