/** The server's relay for a program: TLS to another program, sealed to a page. */
import { fromHex } from '../../base/bytes.ts';
import type { NodeTransport, Surroundings } from '../surroundings.ts';
import type { PeerFacts } from '../transport.ts';
import { nodeRelayListener, nodeRelayPath, type SealedPeer } from './secure.ts';
import { RELAY, RelayTransport } from './transport.ts';

export const relay: NodeTransport = {
  ...RELAY,
  make(around) {
    const { role, context, pin, onPipe, log } = around;
    return new RelayTransport(role, {
      path: (meeting, peer) =>
        nodeRelayPath({
          ...{ url: meeting.url, token: () => meeting.token, context, pin },
          sealed: () => sealed(around, peer()),
        }),
      listener: (meeting, peer) =>
        nodeRelayListener({
          ...{ url: meeting.url, token: () => meeting.token, context, onPipe, ...(log && { log }) },
          sealed: () => sealed(around, peer()),
        }),
    });
  },
};

/** A peer without TLS, as its latest hello has it. */
function sealed({ role, seal }: Surroundings, peer: PeerFacts | undefined): SealedPeer | undefined {
  if (!peer || peer.tls) return undefined;
  const secret = { own: fromHex(seal), peer: fromHex(peer.seal), role };
  return { secret, fingerprint: peer.fingerprint };
}
