/** Lets what was queued last leave before lanes are closed over it. */
import type { Lane } from '../lanes/lane.ts';

/** Milliseconds. */
const ENOUGH = 1000;

/** Resolves when one lane has sent all it had queued: a ping behind it has left when it has. */
export async function lastWord(lanes: readonly Lane[]): Promise<void> {
  const sent = lanes.map((lane) => lane.send({ type: 'ping', nonce: 0 }));
  let timer: ReturnType<typeof setTimeout> | undefined;
  const enough = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ENOUGH);
  });
  await Promise.race([Promise.any(sent).catch(() => {}), enough]);
  clearTimeout(timer);
}
