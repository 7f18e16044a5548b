/**
 * After a side has ended, its last bytes have a second to arrive. The second is counted in looks: a process that
 * stood still has not yet read what came meanwhile, and must not take that for the other side's silence.
 */
import { type Clock, every } from './clock.ts';

const LOOKS = 4;
const EVERY_MS = 250;

/** Calls back when the time is over; what it returns ends the wait. */
export function linger(clock: Clock, over: () => void): () => void {
  let left = LOOKS;
  const end = every(clock, EVERY_MS, () => {
    left--;
    if (left > 0) return;
    end();
    over();
  });
  return end;
}
