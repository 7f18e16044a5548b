/** Whether the DHT answers, over which two meet without anybody's server. */
import type { CommonOptions } from '../api.ts';
import { openNode } from '../dht.ts';
import { type Facts, since } from './diagnosis.ts';
import type { Examination } from './examination.ts';

/** @throws BeelineError NO_PEER where the package is missing, or no node answers */
export async function checkDht(
  exam: Examination,
  dht: CommonOptions['dht'],
  signal: AbortSignal,
): Promise<Facts['dht']> {
  const began = performance.now();
  const node = await openNode({ dht });
  try {
    await node.answered(signal);
    return { ms: since(began) };
  } finally {
    exam.returning(node.close());
  }
}
