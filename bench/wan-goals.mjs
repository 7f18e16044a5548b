/** What a transfer over a wide-area link does to others on it, and how soon a small one is there. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { delay, start } from './processes.mjs';
import { median } from './report.mjs';
import { wholeFile } from './wan-beeline.mjs';
import { tls } from './wan-tls.mjs';

const PING = fileURLToPath(new URL('./wan-ping-end.mjs', import.meta.url));
const PORT = 47_203;
/** Bytes of the small file. */
export const SMALL = 10e6;
/** Seconds that the neighbour has the link to itself at first. */
const AHEAD = 5;

/** Pings from left to right until `stop`, which gives the median and the 95th percentile in milliseconds. */
export function pinging({ wan, seconds }) {
  const times = [];
  const run = (host, args, onLine) =>
    start(host.prefix[0], [...host.prefix.slice(1), process.execPath, PING, ...args], {
      deadline: seconds * 1000 + 60_000,
      onLine,
    });
  const echo = run(wan.right, ['echo', String(PORT)]);
  const ask = run(wan.left, ['ask', wan.right.address, String(PORT)], (line) => times.push(Number(line)));
  return () => {
    for (const end of [ask, echo]) end.kill('SIGKILL');
    const sorted = times.toSorted((a, b) => a - b);
    return { median: median(times), high: sorted[Math.floor(0.95 * (sorted.length - 1))] };
  };
}

/**
 * A CUBIC stream that has the link when `contestant` comes.
 * @returns Mbit/s of both in the second half of the contestant's time
 */
export async function beside(contestant, { work, wan, file, seconds, lanes }) {
  const neighbour = tls({ work, wan, seconds: AHEAD + seconds + 1 });
  neighbour.catch(() => {});
  await delay(AHEAD * 1000);
  const { samples } = await contestant({ work, wan, file, seconds, lanes });
  const { samples: theirs } = await neighbour;
  return { goodput: samples.goodput(seconds / 2, seconds), neighbour: late(theirs, seconds) };
}

/** Mbit/s of the same stream in the same time, to which nobody comes. */
export async function alone({ work, wan, seconds }) {
  const { samples } = await tls({ work, wan, seconds: AHEAD + seconds + 1 });
  return late(samples, seconds);
}

const late = (samples, seconds) => samples.goodput(AHEAD + seconds / 2, AHEAD + seconds);

/** Percent that it keeps of its due: half of the link, or what it gets alone where losses leave it less. */
export function kept(rows, lone, rate) {
  const due = Math.min(rate / 2, median(lone));
  return rows.map(({ shared }) => (shared.neighbour / due) * 100);
}

/** A file of ten megabytes, from the receiver's start to its exit; seconds. */
export function small(command, { root, work, wan }) {
  return wholeFile({ work, wan, file: join(root, 'small.bin'), command });
}
