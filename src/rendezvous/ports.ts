/** What a peer asks of a mailbox, and what it is told. */
import type { BeelineError } from '../protocol/errors.ts';

export interface MailboxOptions {
  role: 'host' | 'guest';
  /** A guest must have one; a host without gets one from the server. */
  nameplate?: string;
  /** Milliseconds until the mailbox must be open. */
  deadline: number;
  /** Aborts the opening, and closes the mailbox later. */
  signal?: AbortSignal;
  /** Guest: keep trying until the deadline while nobody hosts the nameplate. */
  waitForHost?: boolean;
  /** False: a lost connection is final. Default true. */
  reconnect?: boolean;
  /** None of these is called before the opening has resolved, nor after `close`. */
  onMessage(body: string): void;
  /** True again after every reconnection: whatever was said before may have been lost, so say it again. */
  onPeer(present: boolean): void;
  /** The mailbox is gone for good; called at most once. */
  onLost(error: BeelineError): void;
}

export interface Mailbox {
  readonly nameplate: string;
  /** Queues a body for the other side; lost if there is none. @throws BeelineError USAGE over MAX_SIGNAL bytes. */
  send(body: string): void;
  /** Host: puts the other side out, so that another may join. */
  drop(): void;
  /** Leaves, and frees the place at once. */
  close(): void;
}
