/** What a peer asks of a mailbox, and what it is told; and a way to exchange texts with a rendezvous server. */
import type { BeelineError } from '../base/errors.ts';
import type { Services } from '../wire/rendezvous.ts';

export interface MailboxOptions {
  role: 'host' | 'guest';
  /** Host: how many guests may be there at a time; default 1. */
  guests?: number;
  /** A guest must have one; a host without gets one from the server. */
  nameplate?: string;
  /** Milliseconds until the mailbox must be open. */
  deadline: number;
  /** Aborts the opening, and closes the mailbox later. */
  signal?: AbortSignal;
  /** Guest: keep trying until the deadline while nobody hosts the nameplate. */
  waitForHost?: boolean;
  /** Guest: what the deadline means while nobody has answered at all; default: TIMEOUT. */
  nobody?: () => BeelineError | undefined;
  /** False: a lost connection is final. Default true. */
  reconnect?: boolean;
  /** Milliseconds that a lost place is tried for; default 10 min. */
  keepFor?: number;
  /** None of these is called before the opening has resolved, nor after `close`. */
  onMessage(body: string, guest: number): void;
  /** True again after every reconnection: whatever was said before may have been lost, so say it again. */
  onPeer(present: boolean, guest: number): void;
  /** The server has given this side its place, for the first time or again: `token` and `services` may be new. */
  onWelcome?(): void;
  /**
   * The server cannot be reached, or turns this side away for now, while its place is tried for; then, without an error, that it
   * is there again.
   */
  onServer?(error?: BeelineError): void;
  /** The mailbox is gone for good; called at most once. */
  onLost(error: BeelineError): void;
}

export interface Mailbox {
  readonly nameplate: string;
  /** Proves this side's place to the server's relay; a guest gets a new one with every connection. */
  readonly token: string;
  /** What the server does besides. */
  readonly services: Services;
  /** Queues a body for the other side; lost if there is none. @throws BeelineError USAGE over MAX_SIGNAL bytes. */
  send(body: string, guest?: number): void;
  /** Host: puts the other side out, so that another may join. */
  drop(guest?: number): void;
  /** The network has changed: gives up the present connection, which may be dead unnoticed, and dials again at once. */
  reconnect(): void;
  /** Leaves, and frees the place at once. */
  close(): void;
}

export interface Wire {
  /** Queues a text; on a dead wire it is lost, and `closed` says so. */
  send(text: string): void;
  /** Closes for good; no event follows. */
  close(): void;
}

export interface WireEvents {
  text(text: string): void;
  /** The wire was lost; called at most once, and not after `close`. */
  closed(error: BeelineError): void;
}

/** Opens a wire. Rejects with a BeelineError, also when the signal is aborted. */
export type Dial = (events: WireEvents, signal: AbortSignal) => Promise<Wire>;
