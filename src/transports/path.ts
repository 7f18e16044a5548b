/**
 * A path: one way to open lanes to the peer. Paths come and go while a session runs (a mapping is learned, an
 * interface goes away); the supervisor races, tops up and retires the lanes on them.
 */
import type { Pipe } from '../secure/pipe.ts';

/** What a lane is, as far as a path can tell whether it would open it otherwise by now. */
export interface Opened {
  readonly kind: string;
  readonly remote: string;
  /** Another thread of this side has it. */
  readonly threaded: boolean;
}

export interface Path {
  /** The transport's kind. */
  readonly kind: string;
  /** Two paths with the same kind and name are the same path. People and logs see it too. */
  readonly name: string;
  /** A lane of its kind was opened before there were threads for it, at either side: the next one would be in a thread. Absent: no. */
  outdated?(lane: Opened): boolean;
  /** A lane on it opens at once, as of now: others of its kind need not be tried beside it. Absent: no. */
  readonly ready?: boolean;
  /** The most lanes that it can carry at once. */
  readonly most: number;
  /**
   * Opens one lane: connected, TLS done, the peer's certificate checked against the pin. May be called again, also while
   * another call is under way.
   * @throws BeelineError NO_PATH, TIMEOUT or AUTHENTICATION within LANE_OPEN_DEADLINE; nothing is left open then.
   */
  open(signal: AbortSignal): Promise<Pipe>;
}
