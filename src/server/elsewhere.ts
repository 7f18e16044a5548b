/** What one instance of a server tells all others. */
import * as v from 'valibot';
import { count, hex, list, only, readValue, text } from '../base/json.ts';
import { CALL_NAMEPLATE, MAX_NEAR, NEAR_DEVICE, NEAR_ID } from '../wire/near.ts';
import { MAX_GUEST, NAMEPLATE } from '../wire/rendezvous.ts';

/** An address key, or what stands for several. */
const GROUP = text(64);

const NEAR_NEWS = [
  /** All who show themselves at this instance to a group. It wants to hear the same of others. */
  only({ t: v.literal('near'), group: GROUP, devices: list(NEAR_DEVICE, MAX_NEAR), asks: v.boolean() }),
  only({
    ...{ t: v.literal('called'), group: GROUP, to: NEAR_ID },
    ...{ from: NEAR_DEVICE, nameplate: v.optional(CALL_NAMEPLATE) },
  }),
] as const;
export type NearElsewhere = v.InferOutput<(typeof NEAR_NEWS)[number]>;

const NEWS = v.variant('t', [
  ...NEAR_NEWS,
  /** A nameplate that may be watched has a host now, or has none. */
  only({ t: v.literal('hosting'), nameplate: NAMEPLATE, present: v.boolean() }),
  /** A place was left or taken anew: what waits with its token waits in vain. */
  only({
    t: v.literal('vacated'),
    meeting: hex(8),
    side: v.picklist(['host', 'guest']),
    guest: count(MAX_GUEST),
  }),
]);
export type NewsElsewhere = v.InferOutput<typeof NEWS>;

/** Undefined: it is something else. */
export function heardElsewhere(message: unknown): NewsElsewhere | undefined {
  try {
    return readValue(NEWS, message, (what) => new Error(what));
  } catch {
    return undefined;
  }
}
