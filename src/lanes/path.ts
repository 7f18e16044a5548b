/**
 * A path: one way to open lanes to the peer. Paths come and go while a session runs (a mapping is learned, an
 * interface goes away); the supervisor races, tops up and retires the lanes on them.
 */
import type { Pipe } from './pipe.ts';

/** What carries a lane, best first: the order in which the supervisor prefers them. */
export const LANE_KINDS = ['tcp', 'punched', 'udx', 'webrtc', 'turn', 'relay'] as const;
export type LaneKind = (typeof LANE_KINDS)[number];

/** Kinds that go through somebody's relay, which costs its owner money. */
export function isRelayed(kind: string): boolean {
  return kind === 'turn' || kind === 'relay';
}

export interface Path {
  readonly kind: LaneKind;
  /** Tells it from others: the same kind and name are the same path. For people and logs too. */
  readonly name: string;
  /** Lanes that it can carry at once. */
  readonly most: number;
  /**
   * Opens one lane: connected, TLS done, the peer's certificate checked against the pin. May be called again, also while
   * another call is under way.
   * @throws BeelineError NO_PATH, TIMEOUT or AUTHENTICATION within LANE_OPEN_DEADLINE; nothing is left open then.
   */
  open(signal: AbortSignal): Promise<Pipe>;
}
