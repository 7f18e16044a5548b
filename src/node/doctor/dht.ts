/** Whether the DHT answers, over which two meet without anybody's server. */
import { DhtNode } from '../../meeting/dht/node.ts';
import { type Facts, since } from './diagnosis.ts';
import type { Examination } from './examination.ts';

/** @throws BeelineError NO_PEER where the package is missing, or no node answers */
export async function checkDht(
  exam: Examination,
  bootstrap: readonly string[] | undefined,
  signal: AbortSignal,
): Promise<Facts['dht']> {
  const began = performance.now();
  const node = await DhtNode.open(bootstrap);
  try {
    await node.answered(signal);
    return { ms: since(began) };
  } finally {
    exam.returning(node.close());
  }
}
