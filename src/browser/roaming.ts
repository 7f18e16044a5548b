/** Notices that the network came back or is another one, or that the device slept: connections are dead then unnoticed. */
import { sharedWatch } from '../base/callback.ts';

/** Milliseconds between looks, and how late one must come, by the wall clock, to say that the device slept. */
const LOOK = 2_000;
const SLEPT = 10_000;
/** Timers of a page in the background come once a minute: that is no sleep. */
const HIDDEN = 70_000;

/** For all sessions of a page: each is told in the same turn. @returns the way to stop */
export const watchNetwork = sharedWatch((changed: () => void) => {
  let last = Date.now();
  const look = (late: number) => {
    const now = Date.now();
    const slept = now - last > LOOK + late;
    last = now;
    if (slept) changed();
  };
  const timer = setInterval(() => look(document.visibilityState === 'hidden' ? HIDDEN : SLEPT), LOOK);
  // Time until now passed in the other state. A page that was frozen in the background notices it here first.
  const shown = () => look(HIDDEN);
  addEventListener('online', changed);
  document.addEventListener('visibilitychange', shown);
  return () => {
    clearInterval(timer);
    removeEventListener('online', changed);
    document.removeEventListener('visibilitychange', shown);
  };
});
