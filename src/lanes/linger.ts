/**
 * The second that what was written last has to get there after a side has ended. It is counted in looks: a process that
 * stood still has not yet read what came meanwhile, and must not take that for the other side's silence.
 */
const LOOKS = 4;
/** Milliseconds between them. */
const EVERY = 250;

/** Calls back when the time is over; what it returns ends the wait. */
export function linger(over: () => void): () => void {
  let left = LOOKS;
  const look = () => {
    left--;
    if (left === 0) over();
    else timer = setTimeout(look, EVERY);
  };
  let timer = setTimeout(look, EVERY);
  return () => clearTimeout(timer);
}
