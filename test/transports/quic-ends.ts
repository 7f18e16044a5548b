/** Two QUIC transports in one process, on loopback, that have told each other where they are. */
import type { Pipe } from '../../src/secure/pipe.ts';
import { openEngine } from '../../src/transports/quic/engine.ts';
import { quic } from '../../src/transports/quic/transport.ts';
import type { Surroundings } from '../../src/transports/surroundings.ts';
import type { PeerFacts, Transport } from '../../src/transports/transport.ts';
import { forever } from '../secure/sealed-ends.ts';
import { around } from './surroundings.ts';

/** Why there is no QUIC here. On CI it must be there. */
export const quicMissing =
  openEngine() || process.env.CI ? false : 'the native part of @chainsafe/libp2p-quic is not here';

/** What a hello says of somebody with this fingerprint. */
export function factsOf(fingerprint: string): PeerFacts {
  return { fingerprint, tls: true, seal: '01'.repeat(32), hosts: [], met: [] };
}

export interface QuicSides {
  sender: Transport;
  receiver: Transport;
  /** Of both certificates. */
  pin: string;
  /** The receiver opens a lane over the first path. */
  dial(signal?: AbortSignal): Promise<Pipe>;
  close(): Promise<void>;
}

/** @param sender what is different at the side that is dialled. @param receiver at the other */
export async function quicSides(
  sender: Partial<Surroundings> = {},
  receiver: Partial<Surroundings> = {},
  host = '127.0.0.1',
): Promise<QuicSides> {
  const hosts = () => [host];
  const sides = await Promise.all([
    around('sender', { hosts, ...sender }),
    around('receiver', { hosts, ...receiver }),
  ]);
  const [ours, theirs] = sides.map((side) => quic.make(side)) as [Transport, Transport];
  for (const side of [ours, theirs]) side.start?.();
  const pin = sides[0].pin();
  ours.hear(theirs.describe(), factsOf(pin));
  theirs.hear(ours.describe(), factsOf(pin));
  return {
    ...{ sender: ours, receiver: theirs, pin },
    dial: (signal = forever) => theirs.paths()[0]!.open(signal),
    async close() {
      await Promise.all([ours.close(), theirs.close()]);
    },
  };
}
