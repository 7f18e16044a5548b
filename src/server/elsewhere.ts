/** What one instance of a server tells all others. */
import * as v from 'valibot';
import { count, hex, only, readValue } from '../base/json.ts';
import { MAX_GUEST, NAMEPLATE } from '../wire/rendezvous.ts';

const NEWS = v.variant('t', [
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
