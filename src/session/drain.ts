/** Lets what was queued last reach the other side before lanes are closed over it. */
import { type Clock, sleep } from '../base/clock.ts';
import type { Lane } from '../lanes/lane.ts';

const ENOUGH_MS = 3_000;

/**
 * Resolves when the other side has closed the lanes, as it does when it hears that this one ends. If this side closed a
 * TCP connection with chunks on their way, that would be reset: the other side might never read what was queued last.
 */
export async function drained(clock: Clock, lanes: readonly Lane[]): Promise<void> {
  for (const lane of lanes) lane.discard();
  // A lane that has fallen silent, maybe because nobody is there any more, is not worth the person's wait.
  const live = lanes.filter((lane) => !lane.quiet);
  const heard = new AbortController();
  void Promise.all(live.map((lane) => lane.over)).then(() => heard.abort());
  await sleep(clock, ENOUGH_MS, heard.signal).catch(() => {});
}
