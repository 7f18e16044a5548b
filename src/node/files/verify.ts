/**
 * Checks a tree against a receipt: first what stands where, then every chunk's SHA-256, several read at a time.
 * Nothing is written, but for a trial folder where the file system may not hold what was sent, and no link below PATH is followed: each entry's folder was found to be a real one, and files
 * are opened without following. A folder that is swapped for a link while this runs could still have a file outside
 * read and hashed, of which nothing but "differs" is told.
 */
import { BeelineError, retold } from '../../base/errors.ts';
import { escapeName } from '../../base/printable.ts';
import { checkEntries } from '../../offer/names.ts';
import { type Receipt, receiptSpace } from '../../offer/receipt.ts';
import type { Digest } from '../../sync/ports.ts';
import { mayNotFit } from './abilities.ts';
import { blame, Differences } from './verify-blame.ts';
import { type Finding, Inspector } from './verify-chunk.ts';
import { asHere, type Here, maybeOthers } from './verify-fit.ts';
import { BAD, FINE, type Located, locateTree, type Problem, survey } from './verify-tree.ts';

export type { Problem } from './verify-tree.ts';

/** An entry that could not be here as it was sent, and is here under another name, or left out. No difference. */
export interface Note {
  path: string;
  note: 'renamed' | 'left out';
  /** In words, to follow the path. It may quote names: escape it too. */
  detail: string;
}

export interface VerifyOptions {
  digest: Digest;
  onProblem: (problem: Problem) => void;
  onNote?: (note: Note) => void;
  /** Bytes looked at so far, of the receipt's. */
  onProgress?: (bytes: number) => void;
  signal?: AbortSignal;
  /** Chunks read and hashed at a time; each has a buffer of its own. */
  concurrency?: number;
}

export interface Verified {
  /** How many were reported; 0: all that was moved is as it was. */
  problems: number;
  /** Bytes whose hash is right. */
  bytes: number;
  /** Chunks that the transfer did not move, because their files were skipped or vanished: nothing is known of them. */
  notMoved: number;
  /** Chunks that could not be compared as a whole, since a file in them has a problem of its own. */
  unchecked: number;
}

/**
 * @param path the folder that was received into; or what was received, if that was one file or folder
 * @throws BeelineError NO_SUCH_PATH, UNREADABLE, USAGE; UNSAFE_NAME if the receipt names what no transfer may; INTERRUPTED
 */
export async function verifyTree(receipt: Receipt, path: string, options: VerifyOptions): Promise<Verified> {
  checkNames(receipt);
  const space = receiptSpace(receipt);
  const located = locateTree(receipt.entries, path);
  const result: Verified = { problems: 0, bytes: 0, notMoved: 0, unchecked: 0 };
  const report = (problem: Problem) => {
    result.problems++;
    options.onProblem(problem);
  };
  const check = () => {
    if (options.signal?.aborted)
      throw new BeelineError('INTERRUPTED', 'Interrupted before everything was checked.');
  };
  const { place, entries, states, notes } = await look(receipt, located, report, check);
  for (const note of notes) options.onNote?.(note);
  const { concurrency = 4, digest } = options;
  const inspector = new Inspector({ receipt, space, place, states, digest, buffers: concurrency });
  const differences = new Differences(receipt, space, report);
  let seen = 0;
  const settle = ({ chunk, outcome, bytes, problems }: Finding) => {
    for (const problem of problems) report(problem);
    if (outcome === 'same') result.bytes += bytes;
    else if (outcome === 'not moved') result.notMoved++;
    else if (outcome === 'unchecked') result.unchecked++;
    else if (outcome === 'different') blame(space.extents(chunk), { entries, place, differences, report });
    differences.passed(chunk);
    seen += bytes;
    options.onProgress?.(seen);
  };
  // Settled in their order, so that what is reported does not depend on which read was faster.
  const running: Promise<Finding>[] = [];
  try {
    for (let chunk = 0; chunk < space.chunks; chunk++) {
      check();
      running.push(inspector.inspect(chunk));
      if (running.length === concurrency) settle(await running.shift()!);
    }
    for (let next = running.shift(); next; next = running.shift()) settle(await next);
  } finally {
    await Promise.allSettled(running);
    await inspector.close();
  }
  return result;
}

type Looked = Pick<Here, 'entries' | 'place'> & { states: Uint8Array; notes: Note[] };

/** First as it was sent; where that is not so and the file system may be the reason, as it can be here. */
async function look(
  receipt: Receipt,
  { folder, place }: Located,
  report: (problem: Problem) => void,
  check: () => void,
): Promise<Looked> {
  const { entries } = receipt;
  const space = receiptSpace(receipt);
  const first: Problem[] = [];
  let states = await survey({ receipt, space, place, report: (problem) => first.push(problem), check });
  const odd = entries.some((entry, i) => states[i] !== FINE && mayNotFit(entry));
  if (!odd && !maybeOthers(entries)) {
    for (const problem of first) report(problem);
    return { entries, place, states, notes: [] };
  }
  const here = await asHere(folder, place, entries, receipt.linksWritten ?? 'safe');
  const { left, renamed } = here;
  states = await survey({
    receipt: { ...receipt, entries: here.entries },
    space,
    place: here.place,
    left,
    report,
    check,
  });
  const notes: Note[] = [];
  for (const [i, { path }] of entries.entries()) {
    const as = renamed.get(path);
    if (left.has(i) && states[i] === BAD)
      notes.push({ path, note: 'left out', detail: 'was left out when it was received' });
    else if (as !== undefined && as.slice(as.lastIndexOf('/')) !== path.slice(path.lastIndexOf('/')))
      notes.push({ path, note: 'renamed', detail: `is here as '${escapeName(as)}'` });
  }
  return { ...here, states, notes };
}

function checkNames({ entries }: Receipt): void {
  try {
    checkEntries(entries, { platform: process.platform === 'win32' ? 'windows' : 'posix' });
  } catch (cause) {
    const error = cause as BeelineError;
    const why = error.message.replace(' Nothing was written under it.', '');
    throw retold(error, `Nothing was checked, for no transfer leaves such a receipt. ${why}`);
  }
}
