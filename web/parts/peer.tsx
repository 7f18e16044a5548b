import { deviceName } from '../model/device.ts';
import type { TransferShown } from '../model/running.ts';
import { shortPrint } from '../model/words.ts';

/** What the other side calls itself, and what it proved. The name is its own words, so it cannot turn what stands beside it. */
export function PeerFact({ peer }: Pick<TransferShown, 'peer'>) {
  if (!peer) return null;
  const print = shortPrint(peer.fingerprint);
  const name = deviceName(peer);
  if (name === undefined) return <>{print}</>;
  return (
    <>
      <bdi>{name}</bdi> ({print})
    </>
  );
}
