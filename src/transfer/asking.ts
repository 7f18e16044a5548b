/** Asking a lane for chunks: plainly, or, where something lies in a chunk's place already, unless that is right. */
import type { ChunkHash } from '../protocol/messages.ts';
import type { Intake } from './intake.ts';
import type { LanePort } from './ports.ts';
import type { Limiter } from './rate.ts';
import type { ByteSpace } from './space.ts';

export interface AskingPorts {
  intake: Intake;
  space: ByteSpace;
  limiter: Limiter;
}

/** Never rejects for the lane's sake: one that dies is removed by its owner, which gives its chunks back. */
export async function askFor(lane: LanePort, chunks: number[], ports: AskingPorts): Promise<void> {
  const get: number[] = [];
  const compare: ChunkHash[] = [];
  for (const index of chunks) {
    const sha256 = await ports.intake.guess(index);
    if (sha256) compare.push({ index, sha256 });
    else get.push(index);
  }
  if (compare.length > 0) lane.send({ type: 'compare', chunks: compare }).catch(() => {});
  if (get.length === 0) return;
  await ports.limiter.pass(get.reduce((sum, chunk) => sum + ports.space.length(chunk), 0));
  lane.send({ type: 'get', chunks: get }).catch(() => {});
}
