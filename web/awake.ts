/** Keeps the screen on while something moves: a phone that locks stops the page. */
import { useEffect } from 'preact/hooks';

export function useAwake(on: boolean): void {
  useEffect(() => {
    if (!on || !('wakeLock' in navigator)) return;
    let over = false;
    let lock: WakeLockSentinel | undefined;
    const acquire = async () => {
      if (over || document.visibilityState !== 'visible') return;
      try {
        lock = await navigator.wakeLock.request('screen');
        if (over) await lock.release();
      } catch {
        // Refused, as with a low battery: nothing depends on it.
      }
    };
    // A browser lets go of it whenever the page is hidden.
    document.addEventListener('visibilitychange', acquire);
    void acquire();
    return () => {
      over = true;
      document.removeEventListener('visibilitychange', acquire);
      lock?.release().catch(() => {});
    };
  }, [on]);
}
