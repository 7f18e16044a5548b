/** Checks what was received against its receipt: the library's entry, and the command's. */

import { BeelineError } from '../base/errors.ts';
import type { Receipt } from '../offer/receipt.ts';
import { readReceipt } from './files/receipt-file.ts';
import { type Note, type Problem, type Verified, verifyTree } from './files/verify.ts';
import { platform } from './platform.ts';

export type { Note, Problem, Verified } from './files/verify.ts';

export interface VerifyOptions {
  /** Called for everything that differs, in the receipt's order within kinds and sizes, and then within contents. */
  onProblem?: (problem: Problem) => void;
  /** Called for what could not be there as it was sent: under another name, or left out. It does not count as differing. */
  onNote?: (note: Note) => void;
  /** Bytes looked at so far, and in all. */
  onProgress?: (bytes: number, total: number) => void;
  /** Ends it as INTERRUPTED. */
  signal?: AbortSignal;
  /** Chunks read at a time; default 4. */
  concurrency?: number;
}

/** What was checked, and how it went: all is well if `problems` is 0. */
export interface Verification extends Verified {
  receipt: Omit<Receipt, 'entries' | 'chunks'>;
}

/**
 * @param receiptPath a receipt's file
 * @param path the folder received into, or the one file or folder that was received
 * @throws BeelineError NO_SUCH_PATH, UNREADABLE, USAGE, UNSAFE_NAME, INTERRUPTED; VERIFICATION if the receipt is damaged
 */
export async function verify(
  receiptPath: string,
  path: string,
  options: VerifyOptions = {},
): Promise<Verification> {
  if (options.signal?.aborted) throw new BeelineError('INTERRUPTED', 'Interrupted before it began.');
  const whole = await readReceipt(receiptPath);
  const { onProblem = () => undefined, onNote, onProgress, signal, concurrency } = options;
  const result = await verifyTree(whole, path, {
    digest: platform.digest,
    onProblem,
    onNote,
    onProgress: onProgress && ((bytes) => onProgress(bytes, whole.bytes)),
    signal,
    concurrency,
  });
  const { entries: _entries, chunks: _chunks, ...receipt } = whole;
  return { ...result, receipt };
}
