/** What a peer asks of a mailbox, and what it is told; and a way to exchange texts with a rendezvous server. */
import type { BeelineError } from '../base/errors.ts';
import type { Services } from '../wire/rendezvous.ts';

/**
 * One interface for both roles. A host knows its guests by numbers of 1 and more that the server gives. A guest that comes back
 * with its token, as every keeper does, has the number it had; a newcomer never gets a number that this host has heard before, not
 * even from a server that was started again. A guest knows of one host, and `guest` is 0 wherever it stands.
 */
export interface MailboxOptions {
  role: 'host' | 'guest';
  /** A guest must have one; a host without gets one from the server. */
  nameplate?: string;
  /** Host: how many guests it takes at a time; default 1. A server may allow fewer: `Mailbox.guests`. */
  guests?: number;
  /** Milliseconds until the mailbox must be open. */
  deadline: number;
  /** Aborts the opening, and closes the mailbox later. */
  signal?: AbortSignal;
  /** Guest: keep trying until the deadline while nobody hosts the nameplate. */
  waitForHost?: boolean;
  /**
   * Guest, of a sender's own rendezvous, which comes and goes with its process: what the deadline means while nobody has answered at
   * all; default: TIMEOUT.
   */
  nobody?: () => BeelineError | undefined;
  /** False: a lost connection is final. Default true. */
  reconnect?: boolean;
  /** Milliseconds that a lost place is tried for; default 10 min. */
  keepFor?: number;
  /** None of these is called before the opening has resolved, nor after `close`. A host hears only from guests that are there. */
  onMessage(body: string, guest: number): void;
  /**
   * The other side, or this guest, is there or not. True again after every reconnection of either side: whatever was said before may
   * have been lost, so say it again. A host that comes back hears first, with false, of each guest that went meanwhile, and then of
   * each that is there. False is told only of who was there.
   */
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
  /** Host: how many guests the server lets in at a time; may change with every welcome. Guest: 0. */
  readonly guests: number;
  /**
   * Queues a body for the other side; a host names the guest. It is lost if nobody is there. What is said while the server is away
   * is kept for that guest, and lost if it is not there when the server is back. @throws BeelineError USAGE over MAX_SIGNAL bytes.
   */
  send(body: string, guest?: number): void;
  /** Host: puts a guest out, so that another may join. `onPeer(false, guest)` follows. */
  drop(guest: number): void;
  /**
   * Host: this guest has proven itself. It makes way for nobody from now on, and has a place when it comes back with its token
   * though strangers have filled the mailbox. Others make way where they came in a crowd of one address and a newcomer did not.
   */
  keep(guest: number): void;
  /**
   * Guest, where several may say that they are its host, and each has a number as guests have: this one is not. True: others are tried,
   * and `onLost` follows if none of them is it. `keep` says which one is, and `drop` leaves one. Absent: there is one host at most.
   */
  wrong?(host: number, error: BeelineError): boolean;
  /** The network has changed: gives up the present connection, which may be dead unnoticed, and dials again at once. */
  reconnect(): void;
  /** Leaves, and frees the place at once. */
  close(): void;
}

export interface Wire {
  /** The first text has been said as it opened. Absent: it is still to be sent. */
  readonly said?: boolean;
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

/**
 * Opens a wire. Rejects with a BeelineError, also when the signal is aborted.
 * @param first what this side says first, for a wire that can say it as it opens
 */
export type Dial = (events: WireEvents, signal: AbortSignal, first: string) => Promise<Wire>;
