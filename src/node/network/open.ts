/** A session's network: made once its certificate is there, watched while it runs, closed with it. */

import type { Certificate } from '../../identity/certificate.ts';
import { laneContext } from '../../secure/tls.ts';
import type { Session } from '../../session/session.ts';
import type { Address } from '../../wire/candidate.ts';
import type { CommonOptions } from '../api.ts';
import { Forwards } from './forwarding.ts';
import { Network } from './network.ts';
import { watchNetwork } from './roaming.ts';

/**
 * @param met where the peer was met, over TCP
 * @param forwards what the router forwards, if several networks share a port
 */
export function openNetwork(
  session: Session,
  certificate: Certificate,
  options: CommonOptions,
  met: () => readonly Address[] = () => [],
  forwards = new Forwards(session.log),
): Network {
  const network: Network = new Network({
    role: session.role,
    options,
    context: laneContext(certificate.cert, certificate.key),
    fingerprint: certificate.fingerprint,
    pin: () => session.pin,
    onPipe: (pipe, fingerprint) => session.pipes.offer(pipe, fingerprint),
    onPaths: (paths) => session.paths(paths),
    onChange: () => session.moved(),
    onLack: (error) => session.warn(error),
    ...{ met, forwards },
    log: session.log,
  });
  const watch = watchNetwork((hosts, change) => {
    session.log?.info({ addresses: hosts.size, change }, 'the network has changed');
    session.networkChanged(hosts);
    network.regather(change);
  });
  session.cleanup.push(() => watch.close());
  return network;
}
