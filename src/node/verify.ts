/** Checks what was received against its receipt: the library's entry, and the command's. */

import { unlessInterrupted } from '../base/errors.ts';
import type { Receipt } from '../offer/receipt.ts';
import { readReceipt } from './files/receipt-file.ts';
import { type Verified, type VerifyOptions, verifyTree } from './files/verify.ts';
import { checkNames } from './option-names.ts';
import { platform } from './platform.ts';

export type { Note, Problem, Verified, VerifyOptions } from './files/verify.ts';

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
  checkNames('verify', options);
  unlessInterrupted(options.signal);
  const whole = await readReceipt(receiptPath);
  const result = await verifyTree(whole, path, { ...options, digest: platform.digest(whole.hash) });
  const { entries: _entries, chunks: _chunks, ...receipt } = whole;
  return { ...result, receipt };
}
