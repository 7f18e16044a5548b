/** Lets what was queued last reach the other side before lanes are closed over it. */
import type { Lane } from '../lanes/lane.ts';

/** Milliseconds. */
const ENOUGH = 1000;

/** Resolves when one lane has sent all it had queued: a ping behind it has left when it has. */
export function lastWordLeft(lanes: readonly Lane[]): Promise<void> {
  if (lanes.length === 0) return Promise.resolve();
  return soon(Promise.any(lanes.map((lane) => lane.send({ type: 'ping', nonce: 0 }))));
}

/**
 * Resolves when the other side has closed the lanes, as it does when it hears that this one ends. Closed here, with
 * chunks on their way, a TCP connection is reset, and the other side may find it broken before it reads the last word.
 */
export function lastWordHeard(lanes: readonly Lane[]): Promise<void> {
  for (const lane of lanes) lane.discard();
  return soon(Promise.all(lanes.map((lane) => lane.over)));
}

async function soon(what: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const enough = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ENOUGH);
  });
  await Promise.race([what.catch(() => {}), enough]);
  clearTimeout(timer);
}
