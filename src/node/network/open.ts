/** The network of a session, or of a link to another receiver: watched while it runs, closed with it. */
import type { TokenBucket } from '../../base/bucket.ts';

import type { Certificate } from '../../identity/certificate.ts';
import { contextOf } from '../../secure/tls.ts';
import type { NetworkUser } from '../../session/ports.ts';
import type { LaneThreads, Surroundings } from '../../transports/surroundings.ts';
import type { Address } from '../../wire/candidate.ts';
import type { CommonOptions } from '../api.ts';
import { Forwards } from './forwarding.ts';
import { Network } from './network.ts';
import { watchNetwork } from './roaming.ts';

/** Milliseconds: in so short a time TCP makes up for what it loses. */
const NEAR_MS = 10;

export interface OpenOptions {
  /** Where the peer was met, over TCP. */
  met?: () => readonly Address[];
  /** For connections to addresses of others' choosing, if several networks have one budget. */
  dials?: TokenBucket;
  threads?: LaneThreads;
  ahead?: Surroundings['ahead'];
  /** What the router forwards, if several networks share a port. */
  forwards?: Forwards;
}

export function openNetwork(
  session: NetworkUser,
  certificate: Certificate,
  options: CommonOptions,
  { met = () => [], forwards = new Forwards(session.log), dials, threads, ahead }: OpenOptions = {},
): Network {
  const network: Network = new Network({
    role: session.role,
    options,
    context: contextOf(certificate),
    fingerprint: certificate.fingerprint,
    pin: () => session.pin,
    guest: () => session.guest,
    near: () => [...(session.lanes ?? [])].some(({ relayed, roundTrip }) => !relayed && roundTrip < NEAR_MS),
    onPipe: (pipe, fingerprint) => session.pipes.offer(pipe, fingerprint),
    onPaths: (paths) => session.paths(paths),
    onChange: () => session.moved(),
    onLack: (error) => session.warn(error),
    ...{ met, forwards, ...(dials && { dials }), ...(threads && { threads }), ...(ahead && { ahead }) },
    log: session.log,
  });
  const stop = watchNetwork((hosts, change) => {
    session.log?.info({ addresses: hosts.size, change }, 'the network has changed');
    session.networkChanged(hosts);
    network.regather(change);
  });
  session.cleanup.push(stop);
  return network;
}
