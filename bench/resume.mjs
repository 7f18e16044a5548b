/**
 * What a killed transfer costs: one file is received until a mark, the receiver (or both sides) killed with SIGKILL,
 * and the same receive started again. Each case runs once.
 */
import { readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { bothDone, deadlineFor, startReceiver, startSender } from './beeline.mjs';
import { makeFile, makeSparse, sameFile, sameSpots } from './files.mjs';
import { failure } from './processes.mjs';
import { columns, fixed, mebibytes } from './report.mjs';
import { emptyFolder } from './turns.mjs';

/** Non-zero 4 KiB pieces in the file with holes. */
const SPOTS = 200;
/** Milliseconds from the first lane to the first new byte. */
const GOAL = 1000;
/**
 * Seconds that a file is given, by a limit on its rate, each tried if it is through before it can be killed. Holes cost
 * next to nothing of a limit, so that such a file may be through in a fraction of the time.
 */
const SLOWED = [2, 8, 32];
/** Bytes beyond the mark: below, no time is spent on finding that out. */
const SOON = 200 * 2 ** 20;
/** Bytes of random data at least: what is asked for at once must not be all that is left. */
const MIN_RANDOM = 128 * 2 ** 20;

/** Prints the figures and resolves with them. */
export async function resume(work, { resumeSize, size: wanted, lanes }) {
  const size = Math.max(wanted, MIN_RANDOM);
  const to = join(work, 'to');
  const holes = join(work, 'holes.bin');
  const spots = makeSparse(holes, resumeSize, SPOTS);
  const cases = {};
  const sparse = { size: resumeSize, mark: 0.9, lanes, check: (copy) => sameSpots(holes, copy, spots) };
  cases['holes, receiver killed'] = await killed(work, holes, to, { ...sparse, both: false });
  cases['holes, both killed'] = await killed(work, holes, to, { ...sparse, both: true });
  rmSync(holes);
  const random = join(work, 'random.bin');
  makeFile(random, size);
  const real = { size, mark: 0.5, lanes, check: (copy) => sameFile(random, copy) };
  cases['random, receiver killed'] = await killed(work, random, to, { ...real, both: false });
  cases['random, both killed'] = await killed(work, random, to, { ...real, both: true });
  rmSync(random);
  rmSync(to, { recursive: true });
  print(cases, resumeSize, size);
  return { resumeSize, size, cases };
}

async function killed(work, path, to, options) {
  const slowed = SLOWED.map((seconds) => Math.ceil(options.size / seconds));
  for (const limit of options.size * (1 - options.mark) < SOON ? slowed : [undefined, ...slowed]) {
    emptyFolder(to);
    const figures = await killAndGoOn(work, path, to, { ...options, limit });
    if (!figures) continue;
    const left = readdirSync(to).filter((name) => name !== basename(path));
    if (left.length > 0) throw new Error(`The resumed transfer left ${left.join(', ')} over.`);
    options.check(join(to, basename(path)));
    return figures;
  }
  throw new Error(`${path} was through before its receiver could be killed. A larger size helps.`);
}

/** The figures; undefined if all of it had come before the kill did. */
async function killAndGoOn(work, path, to, options) {
  const common = { lanes: options.lanes, deadline: deadlineFor(options.size) };
  let sender = await startSender(work, path, common);
  try {
    const down = await untilKilled(work, sender, to, { ...options, ...common });
    if (down === undefined || down >= options.size) return undefined;
    if (options.both) {
      await sender.exited;
      sender = await startSender(work, path, common);
    }
    return { limit: options.limit, down, ...(await goOn(work, sender, to, common)) };
  } finally {
    sender.kill('SIGKILL');
  }
}

/** Bytes that were down by the last word of the killed receiver; undefined if it was through before. */
async function untilKilled(work, sender, to, { size, mark, both, limit, lanes, deadline }) {
  let down = 0;
  const receiver = startReceiver(work, sender, to, {
    // One lane asks for less at once, so that a slowed file does not come in two pieces.
    lanes: limit ? 1 : lanes,
    deadline,
    args: limit ? ['--limit', String(limit)] : [],
    onEvent: ({ event, bytes }) => {
      if (event !== 'progress') return;
      down = bytes;
      if (bytes < size * mark) return;
      receiver.kill('SIGKILL');
      if (both) sender.kill('SIGKILL');
    },
  });
  const ended = await receiver.exited;
  if (ended.status === 0) return undefined;
  if (ended.status !== 'SIGKILL') throw new Error(failure('beeline receive', ended));
  return down;
}

/** Milliseconds are since the receiver's start (`lanes`) and since its first lane was open (`first`). */
async function goOn(work, sender, to, common) {
  let kept;
  let up;
  let first;
  const started = performance.now();
  const receiver = startReceiver(work, sender, to, {
    ...common,
    onEvent: ({ event, status, bytes }) => {
      if (event === 'lane' && status === 'open') up ??= performance.now();
      if (event === 'resumed') kept ??= bytes;
      if (event === 'progress' && kept !== undefined && bytes > kept) first ??= performance.now();
    },
  });
  const { seconds, from, to: usage, done } = await bothDone(sender, receiver);
  if (kept === undefined) throw new Error('Nothing was kept of what the killed receiver had.');
  const ms = { lanes: up - started, first: first === undefined ? undefined : first - up };
  return { ...ms, kept, moved: done.bytes - done.resumed, seconds, from, to: usage };
}

function print(cases, resumeSize, size) {
  console.log(`\nResume: ${mebibytes(resumeSize)} MiB with holes, killed at 90 %; ${mebibytes(size)} MiB of`);
  console.log(
    'random data, killed at 50 %. Milliseconds, and MiB. `lanes` is since the start of the command,',
  );
  console.log(
    '`new byte` since then (an upper bound: progress is told ten times a second). `down` is what the',
  );
  console.log('killed receiver had told of, `kept` what did not move again, `lost` the difference. What the');
  console.log('second receiver read and wrote is all of it: network, disk, its own program.');
  const head = ['', 'lanes', 'new byte', 'down', 'kept', 'lost', 'moved', 'second run s'];
  const more = ['read, to', 'written, to', 'peak, from', 'peak, to'];
  const lines = Object.entries(cases).map(([name, one]) => [
    `${name}${one.limit ? ' *' : ''}`,
    fixed(one.lanes, 0),
    fixed(one.first, 0),
    ...[one.down, one.kept, one.down - one.kept, one.moved].map((bytes) => mebibytes(bytes)),
    fixed(one.seconds, 2),
    ...[one.to.read, one.to.written, one.from.rss, one.to.rss].map((bytes) => mebibytes(bytes)),
  ]);
  console.log(columns([...head, ...more], lines));
  if (Object.values(cases).some((one) => one.limit))
    console.log('* first run slowed by --limit, on one lane: it was through before it could be killed.');
  const firsts = Object.values(cases).map((one) => one.first);
  const known = firsts.every((first) => first !== undefined);
  const reached = known && Math.max(...firsts) <= GOAL ? 'reached' : 'NOT reached';
  console.log(
    `First new byte after the lanes: ${fixed(known ? Math.max(...firsts) : undefined, 0)} ms at most (goal ${GOAL} ${reached})`,
  );
}
