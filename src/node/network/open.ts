/** A session's network: made once its certificate is there, watched while it runs, closed with it. */

import type { Certificate } from '../../identity/certificate.ts';
import { laneContext } from '../../secure/tls.ts';
import { warningEvent } from '../../session/cause.ts';
import type { Session } from '../../session/session.ts';
import type { CommonOptions } from '../api.ts';
import { Network } from './network.ts';
import { watchNetwork } from './roaming.ts';

/** @param tellPeer what this side's hello says has changed */
export function openNetwork(
  session: Session,
  role: 'sender' | 'receiver',
  certificate: Certificate,
  options: CommonOptions,
  tellPeer: () => void,
): Network {
  const network = new Network({
    role,
    options,
    context: laneContext(certificate.cert, certificate.key),
    fingerprint: certificate.fingerprint,
    pin: () => session.door.pin,
    onPipe: (pipe, fingerprint) => session.offerPipe(pipe, fingerprint),
    // A process that said that it ends is not dialled.
    onPaths: (paths) => session.supervisor?.paths(session.door.ended ? [] : paths),
    onChange: tellPeer,
    onLack: (error) => session.events.emit(warningEvent(error)),
    log: session.log,
  });
  session.supervise(network.kinds);
  session.cleanup.push(() => network.close());
  const watch = watchNetwork((hosts, change) => {
    session.log?.info({ addresses: hosts.size, change }, 'the network has changed');
    session.supervisor?.moved(hosts);
    network.regather(change);
  });
  session.cleanup.push(() => watch.close());
  return network;
}
