/** How many lanes of each kind there should be now, from what is up and what the tuner found. Pure. */
import { RELAY_LANES } from '../base/limits.ts';
import type { KnownKind } from '../transports/transport.ts';
import type { Targets } from './tuner.ts';

/** What is asked of a lane. */
export interface Carrier {
  readonly kind: string;
  readonly relayed: boolean;
}

export interface Situation {
  /** Best first: of two that do the same, the one before makes the other needless. */
  kinds: readonly KnownKind[];
  /** Lanes on which something came lately. */
  live: readonly Carrier[];
  tuned: Targets;
  /** The direct lanes do at least about as well as the relayed ones. */
  carriesWell: boolean;
}

export function countOf(lanes: readonly Carrier[], kind: string): number {
  return lanes.reduce((sum, lane) => sum + (lane.kind === kind ? 1 : 0), 0);
}

/** By kind, in the order of `kinds`. */
export function targetsFor({ kinds, live, tuned, carriesWell }: Situation): Map<string, number> {
  const direct = live.some(({ relayed }) => !relayed);
  const targets = new Map<string, number>();
  // The sorts that an earlier kind serves already, and whether a relay is in use.
  const served = new Set<string | undefined>();
  let relays = false;
  for (const { kind, traits } of kinds) {
    const lanes = live.filter((lane) => lane.kind === kind);
    targets.set(kind, traits.relayed ? relayed(lanes.length) : own(traits));
    if (lanes.some((lane) => !lane.relayed)) served.add(traits.sort);
    relays ||= lanes.some((lane) => lane.relayed);
  }
  return targets;

  /** While no direct lane is up, everything is tried. The first lane that authenticates decides how many of each kind follow. */
  function own({ sort }: KnownKind['traits']): number {
    if (sort === undefined || served.has(sort)) return 0;
    return direct ? tuned[sort] : Math.max(1, tuned[sort]);
  }

  /** One relay is enough. */
  function relayed(count: number): number {
    if (direct) return carriesWell ? 0 : count;
    return relays ? 0 : RELAY_LANES;
  }
}
