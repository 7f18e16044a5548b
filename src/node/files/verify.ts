/**
 * Checks a tree against a receipt: first what stands where, then every chunk's hash, several read at a time.
 * Nothing is written, but
 * for a trial folder where the file system may not hold what was sent, and no link below PATH is followed: each entry's
 * folder was found to be a real one, and files are opened without following. A folder that is swapped for a link while this runs could still have a file outside
 * read and hashed, of which nothing but "differs" is told.
 */
import { type BeelineError, fault, retold, unlessInterrupted } from '../../base/errors.ts';
import { quoted } from '../../base/printable.ts';
import { checkEntries, nameProblem } from '../../offer/names.ts';
import { type Receipt, receiptSpace } from '../../offer/receipt.ts';
import type { Digest } from '../../sync/ports.ts';
import { mayNotFit } from './abilities.ts';
import { Contents, type Finding } from './verify-content.ts';
import { asHere, maybeOthers } from './verify-fit.ts';
import { BAD, FINE, locateTree, type Problem, survey, type Tree } from './verify-tree.ts';

export type { Problem } from './verify-tree.ts';

/** An entry that could not be here as it was sent, and is here under another name, or left out. No difference. */
export interface Note {
  path: string;
  note: 'renamed' | 'left out';
  /** In words, to follow the path. It may quote names: escape it too. */
  detail: string;
}

export interface VerifyOptions {
  /** Called for everything that differs, in the receipt's order within kinds and sizes, and then within contents. */
  onProblem?: (problem: Problem) => void;
  /** Called for what could not be there as it was sent: under another name, or left out. It does not count as differing. */
  onNote?: (note: Note) => void;
  /** Bytes looked at so far, and in all. */
  onProgress?: (bytes: number, total: number) => void;
  /** Ends it as INTERRUPTED. */
  signal?: AbortSignal;
  /** Chunks read and hashed at a time, each with a buffer of its own; default 4. */
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
export async function verifyTree(
  receipt: Receipt,
  path: string,
  { digest, signal, onProblem, onNote, onProgress, concurrency = 4 }: VerifyOptions & { digest: Digest },
): Promise<Verified> {
  checkNames(receipt);
  const result: Verified = { problems: 0, bytes: 0, notMoved: 0, unchecked: 0 };
  const report = (problem: Problem) => {
    result.problems++;
    onProblem?.(problem);
  };
  const check = () => {
    unlessInterrupted(signal, 'everything was checked');
  };
  const { tree, notes } = await look(receipt, path, report, check);
  for (const note of notes) onNote?.(note);
  const contents = new Contents(tree, digest, concurrency);
  let seen = 0;
  const settle = (finding: Finding) => {
    const { outcome, bytes } = finding;
    for (const problem of contents.settle(finding)) report(problem);
    if (outcome === 'same') result.bytes += bytes;
    else if (outcome === 'not moved') result.notMoved++;
    else if (outcome === 'unchecked') result.unchecked++;
    seen += bytes;
    onProgress?.(seen, receipt.bytes);
  };
  // Settled in their order, so that what is reported does not depend on which read was faster.
  const running: Promise<Finding>[] = [];
  try {
    for (let chunk = 0; chunk < tree.space.chunks; chunk++) {
      check();
      running.push(contents.inspect(chunk));
      if (running.length === concurrency) settle(await running.shift()!);
    }
    for (let next = running.shift(); next; next = running.shift()) settle(await next);
  } finally {
    await Promise.allSettled(running);
    await contents.close();
  }
  return result;
}

/** First as it was sent; where that is not so and the file system may be the reason, as it can be here. */
async function look(
  receipt: Receipt,
  path: string,
  report: (problem: Problem) => void,
  check: () => void,
): Promise<{ tree: Tree; notes: Note[] }> {
  const { entries } = receipt;
  const windows = process.platform === 'win32';
  const { folder, place } = locateTree(entries, path);
  const first: Problem[] = [];
  const fresh = () => new Uint8Array(entries.length);
  let tree: Tree = {
    ...{ receipt, space: receiptSpace(receipt), entries, place, left: new Set(), states: fresh() },
  };
  const notes: Note[] = [];
  // On Windows `a:b` is no file but a part of one, and `con.txt` a device: what was sent under such a name is not looked for there.
  if (!windows || entries.every(({ path }) => nameProblem(path, 'windows') === undefined)) {
    await survey(tree, (problem) => first.push(problem), check);
    const odd = entries.some((entry, i) => tree.states[i] !== FINE && mayNotFit(entry));
    if (!odd && !maybeOthers(entries)) {
      for (const problem of first) report(problem);
      return { tree, notes };
    }
  }
  const { renamed, ...here } = await asHere(folder, place, entries, receipt.linksWritten ?? 'safe');
  for (const { path } of windows ? entries : []) {
    const problem = nameProblem(renamed.get(path) ?? path, 'windows');
    // Where nothing can be tried, nothing is renamed.
    if (problem !== undefined)
      throw notChecked(
        fault('NAME_UNSAFE', { what: `The name ${quoted(path)} ${problem}.` }, { paths: [path] }),
      );
  }
  tree = { ...tree, ...here, states: fresh() };
  await survey(tree, report, check);
  for (const [i, { path }] of entries.entries()) {
    const as = renamed.get(path);
    if (here.left.has(i) && tree.states[i] === BAD)
      notes.push({ path, note: 'left out', detail: 'was left out when it was received' });
    else if (as !== undefined && as.slice(as.lastIndexOf('/')) !== path.slice(path.lastIndexOf('/')))
      notes.push({ path, note: 'renamed', detail: `is here as ${quoted(as)}` });
  }
  return { tree, notes };
}

/** By the rules that all platforms keep to: how the names stand here is not known yet. */
function checkNames({ entries }: Receipt): void {
  try {
    checkEntries(entries);
  } catch (cause) {
    throw notChecked(cause as BeelineError, ', for no transfer leaves such a receipt');
  }
}

function notChecked(error: BeelineError, why = ''): BeelineError {
  return retold(
    error,
    `Nothing was checked${why}. ${error.message.replace(' Nothing was written under it.', '')}`,
  );
}
