/** How a program secures relayed lanes: TLS with another program, sealed with a page. The first byte tells which. */
import { setMaxListeners } from 'node:events';
import type { SecureContext } from 'node:tls';
import { fromHex } from '../../base/bytes.ts';
import { fault } from '../../base/errors.ts';
import { opening, type Pipe } from '../../secure/pipe.ts';
import { SEALED_FIRST, sealedClient, sealedServer } from '../../secure/sealed/handshake.ts';
import type { LaneSecret } from '../../secure/sealed/records.ts';
import { tlsClient, tlsServer } from '../../secure/tls.ts';
import type { RelaySeat } from '../../wire/relay.ts';
import type { NodeTransport, Surroundings } from '../surroundings.ts';
import type { PeerFacts } from '../transport.ts';
import {
  connector,
  RelayListener,
  type RelayListenerOptions,
  RelayPath,
  type RelayPathOptions,
  withReason,
} from './links.ts';
import { type RelayStream, relayStream } from './stream.ts';
import { RELAY, RelayTransport } from './transport.ts';

export interface SealedPeer {
  secret: LaneSecret;
  /** The fingerprint in its hello, which stands for a certificate's. */
  fingerprint: string;
}

interface NodeRelay {
  /** As for `--server`. */
  url: string;
  context: SecureContext;
  /** The peer by its latest hello, if that says that it has no TLS. */
  sealed: () => SealedPeer | undefined;
}

type NodeRelayPathOptions = NodeRelay &
  Omit<RelayPathOptions, 'connect'> & {
    /** Hex SHA-256 of the sender's certificate. */
    pin: () => string;
  };

type NodeRelayListenerOptions = NodeRelay &
  Omit<RelayListenerOptions, 'connect'> & {
    /** A peer proved that it is the one with this fingerprint; keep the pipe or destroy it. */
    onPipe: (pipe: Pipe, fingerprint: string) => void;
  };

/** @throws BeelineError USAGE for a malformed URL */
export function nodeRelayPath({ url, context, pin, sealed, ...options }: NodeRelayPathOptions): RelayPath {
  const secure = (stream: RelayStream, signal: AbortSignal) => {
    const peer = sealed();
    if (peer) return sealedClient(relayPipe(stream), peer.secret, signal);
    return tlsClient(stream, over(stream, context, signal), pin());
  };
  return new RelayPath({ ...options, url, connect: connector(opener(url), secure) });
}

export function nodeRelayListener(given: NodeRelayListenerOptions): RelayListener {
  const { url, context, sealed, onPipe, ...options } = given;
  const accept = async (stream: RelayStream, signal: AbortSignal) => {
    const ends = { kind: 'relay', remote: stream.remote };
    const first = await opening(ends, roomy(signal), () => firstByte(stream));
    const { pipe, fingerprint } =
      first === SEALED_FIRST
        ? await serveSealed(stream, sealed, signal)
        : await tlsServer(stream, over(stream, context, signal));
    onPipe(withReason(pipe, stream), fingerprint);
  };
  return new RelayListener({ ...options, connect: connector(opener(url), accept) });
}

const opener = (url: string) => (seat: RelaySeat, signal: AbortSignal) =>
  relayStream(url, seat, roomy(signal));

async function serveSealed(stream: RelayStream, sealed: () => SealedPeer | undefined, signal: AbortSignal) {
  // The peer of the hello that the lane proves. Another hello may come meanwhile.
  let peer: SealedPeer | undefined;
  const secret = () => {
    peer = sealed();
    return peer?.secret;
  };
  const pipe = await sealedServer(relayPipe(stream), secret, signal);
  return { pipe, fingerprint: peer!.fingerprint };
}

const over = ({ local, remote }: RelayStream, context: SecureContext, signal: AbortSignal) =>
  ({ kind: 'relay', relayed: true, local, remote, context, signal }) as const;

/** Several lanes wait with one signal: Node warns of more than ten. */
function roomy(signal: AbortSignal): AbortSignal {
  setMaxListeners(0, signal);
  return signal;
}

/** Rejects if it ends before one came. */
async function firstByte(stream: RelayStream): Promise<number> {
  const gone = stream.gone.then(() => {
    throw fault('RELAY_LANE_STILLBORN');
  });
  return Promise.race([stream.first, gone]);
}

/** Not secured by itself. */
function relayPipe(stream: RelayStream): Pipe {
  return {
    kind: 'relay',
    relayed: true,
    local: stream.local,
    remote: stream.remote,
    write: (bytes, done) => void stream.write(bytes, done),
    start(data, closed) {
      stream.on('data', data);
      void stream.gone.then(() => closed(stream.failure));
    },
    pause: () => void stream.pause(),
    resume: () => void stream.resume(),
    destroy: () => void stream.destroy(),
  };
}

export const relay: NodeTransport = {
  ...RELAY,
  make(around) {
    const { role, context, pin, onPipe, log } = around;
    return new RelayTransport(role, {
      path: (url, seat, peer) =>
        nodeRelayPath({
          ...{ url, seat, context, pin },
          sealed: () => sealed(around, peer()),
        }),
      listener: (url, seat, peer) =>
        nodeRelayListener({
          ...{ url, seat, context, onPipe, ...(log && { log }) },
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
