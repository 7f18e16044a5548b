/** Ends that sending and receiving have in common. */
import { BeelineError } from '../base/errors.ts';
import { escapeName } from '../base/printable.ts';
import type { Session } from './session.ts';

/** What the rendezvous brings can end a session only until the peer is proven: after that it may be anybody's. */
export function failedHandshake(session: Session, error: BeelineError): void {
  if (session.proven) session.log?.warn({ code: error.code }, 'ignored on the rendezvous');
  else session.fail(error);
}

export function incomplete(paths: readonly string[]): BeelineError {
  const names = paths.slice(0, 3).map(escapeName).join(', ');
  const more = paths.length > 3 ? ` and ${paths.length - 3} more` : '';
  return new BeelineError(
    'SOURCE_CHANGED',
    `Changed or vanished while being sent: ${names}${more}. Everything else arrived.`,
    { paths },
  );
}
