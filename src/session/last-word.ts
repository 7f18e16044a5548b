/** Lets what was queued last reach the other side before lanes are closed over it. */
import type { Lane } from '../lanes/lane.ts';

/** Milliseconds. */
const ENOUGH = 3000;

/**
 * Resolves when the other side has closed the lanes, as it does when it hears that this one ends. Closed here, with
 * chunks on their way, a TCP connection is reset, and the other side may find it broken before it reads the last word.
 */
export function lastWordHeard(lanes: readonly Lane[]): Promise<void> {
  for (const lane of lanes) lane.discard();
  // A lane that has fallen silent, maybe because nobody is there any more, is not worth the person's wait.
  const live = lanes.filter((lane) => !lane.quiet);
  return soon(Promise.all(live.map((lane) => lane.over)));
}

async function soon(what: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const enough = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ENOUGH);
  });
  await Promise.race([what.catch(() => {}), enough]);
  clearTimeout(timer);
}
