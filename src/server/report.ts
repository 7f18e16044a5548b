/** How a server is, in one piece: for its metrics and for its status page. Nothing in it is about one client. */
import type { Limits } from './limits.ts';
import type { RelayCounts } from './relay.ts';
import type { Tally } from './tally.ts';

export interface ServerReport {
  readonly version: string;
  /** Milliseconds since the start. */
  readonly uptime: number;
  /** Why nobody new should be sent here; undefined: somebody may. */
  readonly unready: string | undefined;
  /** The present numbers; without a relay, those of the relay are 0. */
  readonly counts: ServerCounts;
  /** Those since the start. */
  readonly tally: Tally;
  readonly limits: Readonly<Limits>;
  readonly relay: boolean;
  readonly turn: boolean;
  readonly stunPorts: readonly number[];
}

export type ServerCounts = RelayCounts & { mailboxes: number; connections: number; near: number };
