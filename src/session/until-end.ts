/** For what is waited for outside of a session. (`AbortSignal.any` is newer than the browsers that the page is for.) */
import type { Session } from './session.ts';

/** A signal that is aborted at the session's end, and at once when `signal` is. */
export function untilEnd(session: Session, signal: AbortSignal | undefined): AbortSignal {
  const ending = new AbortController();
  const stop = () => ending.abort(signal?.reason);
  if (signal?.aborted) stop();
  else signal?.addEventListener('abort', stop, { once: true });
  session.cleanup.push(() => {
    signal?.removeEventListener('abort', stop);
    ending.abort();
  });
  return ending.signal;
}
