/**
 * `@beeline-transfer/beeline/transports`: the types and functions for a transport of your own. Give it to `send` and `receive` as one of `transports`.
 * @module
 */

export type { Pipe } from '../secure/pipe.ts';
export { tlsClient, tlsServer } from '../secure/tls.ts';
export { NODE_TRANSPORTS, QUIC_TRANSPORTS } from './node.ts';
export type { Path } from './path.ts';
export type { NodeTransport, Surroundings } from './surroundings.ts';
export type { Meeting, PeerFacts, Traits, Transport, TransportKind } from './transport.ts';
