/**
 * Ends a session whose other side is connected and answers pings, but does not say what an honest one says at once.
 * Non-goal: slow bytes. A person may think over an offer, a stream may be quiet and a limit low, for as long as they like.
 */
import { every } from '../base/clock.ts';
import { BeelineError } from '../base/errors.ts';
import { ANSWER_DEADLINE } from '../base/limits.ts';
import type { Peer } from '../sync/peer.ts';
import type { Session } from './session.ts';

/** How late the end may come. */
const LOOK_MS = 1_000;

/** Watches until the session ends. @param deadline milliseconds */
export function losePatience(session: Session, engine: Peer, deadline = ANSWER_DEADLINE): void {
  const { clock } = session;
  let awaited: string | undefined;
  let since = 0;
  const look = () => {
    // Without a lane there are other deadlines, and a pause is a pause.
    const now = session.state === 'transferring' ? engine.awaits : undefined;
    if (now !== awaited || now === undefined) {
      awaited = now;
      since = clock.now();
    } else if (clock.now() - since >= deadline) {
      session.fail(new BeelineError('TIMEOUT', `The other side is connected but does not send ${now}.`));
    }
  };
  session.cleanup.push(every(clock, Math.min(LOOK_MS, deadline / 8), look));
}
