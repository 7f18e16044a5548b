/**
 * Threads by accounts: CPU seconds a GiB of the busiest thread of each side, with none to eight of them. On a machine with a core for
 * each thread that one bounds the transfer; on a smaller one the wall time says nothing about it.
 */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { bothDone, deadlineFor, startReceiver, startSender } from './beeline.mjs';
import { makeFile, sameFile } from './files.mjs';
import { GOALS } from './goals.mjs';
import { columns, fixed, median, spread } from './report.mjs';
import { inTurn } from './turns.mjs';

const COUNTS = [0, 1, 2, 4, 8];
/** Milliseconds between looks at the threads: what one uses after the last look is not seen. */
const LOOK_MS = 20;
const GiB = 2 ** 30;

export async function threads(work, { size, rounds, lanes }) {
  const path = join(work, 'threads.bin');
  makeFile(path, size);
  const to = join(work, 'to');
  const contestants = Object.fromEntries(
    COUNTS.map((count) => [count, () => once(work, path, to, { lanes, count, deadline: deadlineFor(size) })]),
  );
  const raw = await inTurn(contestants, rounds, to, () => sameFile(path, join(to, basename(path))));
  rmSync(path);
  const perGiB = GiB / size;
  const rows = COUNTS.map((count) => {
    const all = raw[count];
    const of = (end, what) => all.map((round) => round[end][what] * perGiB);
    const busiest = all.map(({ from, to: end }) => Math.max(from.busiest, end.busiest) * perGiB);
    return {
      count,
      seconds: median(all.map((round) => round.seconds)),
      from: {
        all: median(of('from', 'all')),
        main: median(of('from', 'main')),
        busiest: median(of('from', 'busiest')),
      },
      to: {
        all: median(of('to', 'all')),
        main: median(of('to', 'main')),
        busiest: median(of('to', 'busiest')),
      },
      busiest: median(busiest),
      range: spread(busiest, 2),
      projected: GiB / 1e6 / median(busiest),
    };
  });
  console.log(`\nThreads: CPU seconds a GiB, one file of ${size / 2 ** 20} MiB, ${rounds} rounds`);
  const head = [
    'threads',
    'from: all',
    'main',
    'busiest',
    'to: all',
    'main',
    'busiest',
    'projected MB/s',
    'wall s here',
  ];
  const cells = ({ from, to: end }) => [from.all, from.main, from.busiest, end.all, end.main, end.busiest];
  console.log(
    columns(
      head,
      rows.map((row) => [
        String(row.count),
        ...cells(row).map((value) => fixed(value, 2)),
        fixed(row.projected, 0),
        fixed(row.seconds, 2),
      ]),
    ),
  );
  const goal = rows.find(({ count }) => count === GOALS.threads.count);
  const reached = goal.busiest <= GOALS.threads.seconds ? 'reached' : 'NOT reached';
  console.log(
    `The busiest thread with ${GOALS.threads.count}: ${fixed(goal.busiest, 2)} s a GiB (goal ${GOALS.threads.seconds} ${reached}; rounds ${goal.range})`,
  );
  console.log(
    'Projected for a core for each thread at either side, as fast as these, and a network, a memory and a disk that do not bound it. Start-up is in it.',
  );
  return { size, rows };
}

async function once(work, path, to, { count, ...options }) {
  const more = { ...options, lan: true, args: ['--threads', String(count)] };
  const sender = await startSender(work, path, more);
  const receiver = startReceiver(work, sender, to, more);
  const accounts = [sender, receiver].map(({ pid }) => new Account(pid));
  const timer = setInterval(() => {
    for (const account of accounts) account.look();
  }, LOOK_MS);
  try {
    const { seconds } = await bothDone(sender, receiver);
    const [from, end] = accounts.map((account) => account.sums());
    return { seconds, from, to: end };
  } finally {
    clearInterval(timer);
    sender.kill('SIGKILL');
  }
}

/** What each thread of a process has used, as far as it was seen. */
class Account {
  #pid;
  #seconds = new Map();

  constructor(pid) {
    this.#pid = pid;
  }

  look() {
    for (const thread of threadsOf(this.#pid)) {
      const seconds = cpuOfThread(this.#pid, thread);
      if (seconds !== undefined) this.#seconds.set(thread, seconds);
    }
  }

  sums() {
    const all = [...this.#seconds.values()];
    return {
      all: all.reduce((sum, seconds) => sum + seconds, 0),
      main: this.#seconds.get(String(this.#pid)) ?? 0,
      busiest: Math.max(0, ...all),
    };
  }
}

function threadsOf(pid) {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** The first number of schedstat is the time on a processor, in nanoseconds (Documentation/scheduler/sched-stats.rst). */
function cpuOfThread(pid, thread) {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]) / 1e9;
  } catch {
    return undefined;
  }
}
