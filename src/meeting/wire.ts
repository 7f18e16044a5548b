/** A way to exchange texts with a rendezvous server, whatever carries them. */
import type { BeelineError } from '../base/errors.ts';

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

export interface Address {
  /** A name or an IP address; IPv6 bare, with `%zone` if it is link-local. */
  host: string;
  port: number;
}

export function formatAddress({ host, port }: Address): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
