/** The receipt that all sides of a transfer end with. It is made of what they agree on, so that it is the same to the byte. */

import { toHex } from '../base/bytes.ts';
import { type BeelineError, faultFrom } from '../base/errors.ts';
import type { Receipt } from '../offer/receipt.ts';
import { count } from '../session/contents.ts';
import type { AgreedFacts } from '../session/ports.ts';
import type { Links } from './files/fit.ts';

/**
 * Where it was written; undefined if none is wanted. A transfer is done whether or not this works, so that a failure
 * is a warning.
 * @param wanted true: into the receipts folder; a string: to that path
 * @param links which ones a receiver wrote; its own receipt tells it to `verify`
 */
export async function keepReceipt(
  warn: (error: BeelineError) => void,
  wanted: boolean | string | undefined,
  facts: AgreedFacts,
  links: Links = 'safe',
): Promise<string | undefined> {
  const { kind, entries, space, root, by, hash, sender, receivers } = facts;
  if (!wanted || kind === 'text') return undefined;
  const chunks = Array.from({ length: space.chunks }, (_, chunk) => hash(chunk));
  const receipt: Receipt = {
    root: toHex(root),
    kind,
    chunkSize: space.chunkSize,
    hash: by,
    bytes: space.bytes ?? 0,
    ...count(entries),
    ...(links !== 'safe' && { linksWritten: links }),
    sender,
    receivers,
    entries,
    chunks,
  };
  try {
    const { writeReceipt } = await import('./files/receipt-file.ts');
    return await writeReceipt(receipt, wanted === true ? undefined : wanted);
  } catch (thrown) {
    warn(faultFrom(thrown, 'RECEIPT_UNWRITTEN', { path: String(wanted) }));
    return undefined;
  }
}
