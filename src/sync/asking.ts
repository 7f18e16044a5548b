/** Asking a lane for blocks, and for the hashes of chunks in whose place something lies already. */
import { BLOCK_BYTES } from '../base/limits.ts';
import type { BlockRange } from '../wire/messages.ts';
import type { Claim } from './chunks.ts';
import type { LanePort } from './ports.ts';
import type { Limiter } from './rate.ts';

/** Seconds of a limited rate that are asked for in one piece. */
const PIECE_S = 0.125;

/** Under a limit, few enough that bytes come evenly and not in bursts. Undefined: there is no limit. */
export function blocksInOnePiece(limit: number | undefined): number | undefined {
  return limit === undefined ? undefined : Math.max(1, Math.floor((limit * PIECE_S) / BLOCK_BYTES));
}

/**
 * Never rejects for the lane's sake: one that dies is removed by its owner, which gives back what it owes.
 * @param withdrawn takes back blocks that nobody needs by now, or that this lane will not bring; true if it did
 * @returns whether it took back any
 */
export async function askFor(
  lane: LanePort,
  claims: readonly Claim[],
  limiter: Limiter,
  withdrawn: (range: BlockRange) => boolean,
): Promise<boolean> {
  const hashes: number[] = [];
  let ranges: BlockRange[] = [];
  let spared = false;
  let fewer = false;
  const ask = () => {
    if (ranges.length > 0) lane.send({ type: 'get', spare: spared, ranges }).catch(() => {});
    ranges = [];
  };
  for (const claim of claims) if (claim.what === 'hash') hashes.push(claim.index);
  if (hashes.length > 0) lane.send({ type: 'get-hash', chunks: hashes }).catch(() => {});
  for (const claim of claims) {
    if (claim.what === 'hash') continue;
    const { index, from, to, spare } = claim;
    if (spare !== spared) ask();
    spared = spare;
    if (limiter.limited) {
      // A chunk may turn out to be zeros, or its lane die, while this waits its turn: nobody pays for what is not asked for.
      const bytes = (to - from) * BLOCK_BYTES;
      let needless = withdrawn(claim);
      if (!needless) {
        await limiter.pass(bytes);
        needless = withdrawn(claim);
        if (needless) limiter.giveBack(bytes);
      }
      if (needless) {
        fewer = true;
        continue;
      }
    }
    ranges.push({ index, from, to });
    // Under a limit each goes as soon as it is paid for.
    if (limiter.limited) ask();
  }
  ask();
  return fewer;
}
