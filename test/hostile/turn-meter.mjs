/**
 * Loaded before the command: writes to standard error, at SIGINT and at the end, for how many milliseconds of its main
 * thread's own processor time the event loop was held at most since the meter began to look. A machine that stands still
 * counts for nothing. Linux only.
 */
import { readFileSync, writeSync } from 'node:fs';

/** A start-up compiles code in one piece, before anybody could want to interrupt it. */
const START_MS = 700;

const cpuMs = () =>
  Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'latin1').split(' ', 1)[0]) / 1e6;
let held = 0;
let last = cpuMs();
const look = () => {
  const now = cpuMs();
  if (now > START_MS) held = Math.max(held, now - last);
  last = cpuMs();
  setTimeout(look, 1).unref();
};
look();
const say = (what) => writeSync(2, `meter ${what} ${held.toFixed(1)}\n`);
process.on('SIGINT', () => {
  look();
  say('SIGINT');
});
process.on('exit', () => {
  look();
  say('exit');
});
