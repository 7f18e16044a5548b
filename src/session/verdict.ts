/** What the other side's word means here: a change of state, and a sentence about it. Its codes are not trusted. */
import { BeelineError, type ErrorCode, fault, type Reason } from '../base/errors.ts';
import { escapeName } from '../base/printable.ts';
import type { Event } from '../sync/machine.ts';
import type { Role } from '../transports/transport.ts';
import type { Status } from '../wire/messages.ts';
import type { Cause } from './cause.ts';

/** Errors that would only come again on another lane. */
export const FATAL: ReadonlySet<ErrorCode> = new Set(['PROTOCOL', 'BAD_MANIFEST', 'VERSION', 'INTERNAL']);

/** Failures that mean the same on both sides. */
const SHARED: ReadonlyMap<string, Reason> = new Map(
  Object.entries({
    REFUSED: 'PEER_DECLINED',
    VERIFICATION: 'PEER_UNVERIFIED',
    VERSION: 'PEER_OTHER_VERSION',
  } as const),
);
const REASONS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    DISK_FULL: 'has no room left on its disk',
    EXISTS: 'has files of these names already and was not told to replace, rename or skip them',
    WRITE_FAILED: 'cannot write at its destination',
    INTERRUPTED: 'was interrupted',
    UNSAFE_NAME: 'refuses a name in the transfer',
    BAD_MANIFEST: 'could not make sense of the manifest',
    SOURCE_CHANGED: 'found that what is being sent has changed',
    UNREADABLE: 'cannot read a file',
    LOCKED: 'is at work on the same files with another receive',
  }),
);
/** What makes an honest receiver pause by itself: its disk takes no more. */
const PAUSES: ReadonlySet<string> = new Set(['DISK_FULL', 'WRITE_FAILED']);
/** Failures after which the receiver's person can receive again, for example with another folder or another flag. */
const CURABLE: ReadonlySet<string> = new Set([
  ...['INTERRUPTED', 'DISK_FULL', 'WRITE_FAILED', 'LOCKED', 'EXISTS', 'UNSAFE_NAME', 'SOURCE_CHANGED'],
]);

/** Why a sender whose receiver ends with this goes on waiting; undefined where it does not. */
export function causeToWait(code: string): Cause | undefined {
  if (!CURABLE.has(code)) return undefined;
  const reason = `The other side ${REASONS.get(code)}. Waiting for it to come back with the same code.`;
  return { by: 'peer', code: code as ErrorCode, reason };
}

/** What this side says when the other has reported a failure. `code` is the peer's word and not trusted. */
function errorFromPeer(code: string, peer: Role): BeelineError {
  if (code === 'INTERRUPTED' && peer === 'sender') return fault('SENDER_INTERRUPTED');
  const shared = SHARED.get(code);
  if (shared) return (fault as (reason: Reason) => BeelineError)(shared);
  const known = /^[A-Z_]{2,24}$/.test(code) ? ` (${code})` : '';
  return fault('PEER_GAVE_UP', { what: `${REASONS.get(code) ?? 'failed'}${known}` });
}

/** What both sides come to by themselves when files changed or vanished on the way. */
export function incomplete(paths: readonly string[]): BeelineError {
  const names = paths.slice(0, 3).map(escapeName).join(', ');
  const more = paths.length > 3 ? ` and ${paths.length - 3} more` : '';
  return fault('SENT_INCOMPLETE', { names: `${names}${more}` }, { paths });
}

/** @param peer who says it */
export function verdict({ state, code }: Status, peer: Role): [Event, Cause] {
  switch (state) {
    case 'paused': {
      const known = peer === 'receiver' && PAUSES.has(code);
      const why = known && { code: code as ErrorCode, reason: `The other side ${REASONS.get(code)}.` };
      return ['pause', { by: 'peer', ...why }];
    }
    case 'running':
      return ['resume', { by: 'peer' }];
    case 'cancelled':
      return ['cancel', { by: 'peer', error: new BeelineError('CANCELLED', 'The other side cancelled.') }];
    case 'failed':
      return ['fail', { by: 'peer', error: errorFromPeer(code, peer) }];
  }
}
