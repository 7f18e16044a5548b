/** How many lanes of each kind there should be now, from what is up and what the tuner found. Pure. */
import { RELAY_LANES } from '../protocol/limits.ts';
import { isRelayed, LANE_KINDS, type LaneKind } from './path.ts';
import type { Sort, Targets } from './tuner.ts';

export type Counts = { readonly [K in LaneKind]: number };

export interface Situation {
  /** Lanes that were heard of lately, by kind. */
  live: Counts;
  tuned: Targets;
  /** The direct lanes do at least about as well as the relayed ones. */
  carriesWell: boolean;
}

export function countKinds(kinds: Iterable<string>): Counts {
  const counts = Object.fromEntries(LANE_KINDS.map((kind) => [kind, 0])) as { [K in LaneKind]: number };
  for (const kind of kinds) if (kind in counts) counts[kind as LaneKind]++;
  return counts;
}

/** What the tuner counts a kind as; undefined for relayed ones, which are not tuned. */
export function sortOf(kind: string): Sort | undefined {
  if (isRelayed(kind)) return undefined;
  if (kind === 'webrtc') return 'channel';
  return kind === 'udx' ? 'udx' : 'stream';
}

export function targetsFor({ live, tuned, carriesWell }: Situation): Counts {
  const direct = live.tcp + live.punched + live.udx + live.webrtc;
  // While nothing direct is up, everything is tried; the first that authenticates decides what the rest becomes.
  const udx = direct === 0 ? Math.max(1, tuned.udx) : tuned.udx;
  return {
    tcp: tuned.stream,
    // A plain connection needs no punched one beside it.
    punched: live.tcp > 0 ? 0 : tuned.stream,
    udx,
    webrtc: tuned.channel,
    turn: relayed('turn'),
    relay: relayed('relay'),
  };

  /** One relay is enough, TURN's if there is one: that is what it is for. */
  function relayed(kind: 'turn' | 'relay'): number {
    if (direct > 0) return carriesWell ? 0 : live[kind];
    return kind === 'relay' && live.turn > 0 ? 0 : RELAY_LANES;
  }
}
