/**
 * Windows takes no name away, and puts none in another's place, while somebody has the file open by it: another process of ours that
 * just looks, or a scanner of viruses. It is a moment, as a rule.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf } from '../base/errors.ts';

const REFUSALS = new Set(['EPERM', 'EACCES', 'EBUSY', 'ENOTEMPTY']);
/** Milliseconds for which it is tried again, and between two tries. */
const PATIENCE = 1000;
const PAUSE = 20;

/** Whether an error may be of that kind. */
export const isOpenElsewhere = (error: unknown): boolean =>
  process.platform === 'win32' && REFUSALS.has(codeOf(error));

/** Does it, again and again where it may be of that kind. Rejects with the last error. */
export async function whenClosed<T>(work: () => Promise<T>): Promise<T> {
  for (const end = performance.now() + PATIENCE; ; await sleep(PAUSE))
    try {
      return await work();
    } catch (error) {
      if (!isOpenElsewhere(error) || performance.now() > end) throw error;
    }
}
