/** TLS as lanes use it: version 1.3 only, both sides with a certificate, both pinned by fingerprint. */
import { constants, X509Certificate } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { connect, createSecureContext, type SecureContext, TLSSocket } from 'node:tls';
import { asBeelineError, type BeelineError, fault } from '../base/errors.ts';
import { withGroups } from '../base/tls.ts';
import { formatAddress } from '../wire/candidate.ts';
import { Congestion } from './congestion.ts';
import { opening, type Pipe } from './pipe.ts';

/** AES-128-GCM first: a quarter faster than AES-256 where AES is in hardware; ChaCha20 for peers without it. */
const CIPHERS = 'TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384';

/** @param cert PEM @param key PEM, PKCS #8 */
export function laneContext(cert: string, key: string): SecureContext {
  return withGroups((ecdhCurve) =>
    createSecureContext({
      cert,
      key,
      minVersion: 'TLSv1.3',
      maxVersion: 'TLSv1.3',
      ciphers: CIPHERS,
      ecdhCurve,
      // Lanes never resume. OpenSSL sends two tickets all the same (how many is out of Node's reach), but nothing is in them.
      secureOptions: constants.SSL_OP_NO_TICKET,
    }),
  );
}

const contexts = new WeakMap<object, SecureContext>();

/** The context of a certificate: made once, for the port and for every network. */
export function contextOf(certificate: { readonly cert: string; readonly key: string }): SecureContext {
  const made = contexts.get(certificate) ?? laneContext(certificate.cert, certificate.key);
  contexts.set(certificate, made);
  return made;
}

/** Hex SHA-256 of the certificate that the peer has proved to hold; undefined if it showed none. */
export function peerFingerprint(socket: TLSSocket): string | undefined {
  const certificate = socket.getPeerX509Certificate();
  if (!(certificate instanceof X509Certificate)) return undefined;
  return certificate.fingerprint256.replaceAll(':', '').toLowerCase();
}

/** Throws AUTHENTICATION unless the peer's certificate is the pinned one. */
export function checkPin(socket: TLSSocket, pin: string): void {
  if (peerFingerprint(socket) !== pin) {
    throw fault('LANE_STRANGER', { what: 'its certificate is not the one agreed on' });
  }
}

/** Filled by the socket when it was opened with `onread`; TLS hands over at most one record, 16 KiB, at a time. */
const READ_BUFFER = 64 * 1024;

/** One that we dialled is read into a buffer of ours, which costs a quarter less CPU. This bridges `onread`, which must be given when the socket is made, to a pipe that is made when it is trusted. */
export class ReadBridge {
  readonly options = {
    buffer: Buffer.allocUnsafeSlow(READ_BUFFER),
    callback: (length: number, buffer: Uint8Array) => this.#read(buffer.subarray(0, length)),
  };
  #data: ((bytes: Uint8Array) => void) | undefined;
  #early: Uint8Array[] = [];
  paused = true;

  start(data: (bytes: Uint8Array) => void): void {
    this.#data = data;
    this.paused = false;
    for (const bytes of this.#early.splice(0)) data(bytes);
  }

  /** False stops reading until `resume`. */
  #read(bytes: Uint8Array): boolean {
    if (this.#data) this.#data(bytes);
    else this.#early.push(new Uint8Array(bytes));
    return !this.paused;
  }
}

/** What carries the socket, and between which addresses; default: TCP, and what the socket says. */
export type TlsEnds = Pick<Pipe, 'kind' | 'relayed' | 'local' | 'remote'>;

/** A TLS socket as a pipe. @param bridge given when the socket was opened with its `options` as `onread` */
export function tlsPipe(socket: TLSSocket, ends: TlsEnds = tcpEnds(socket), bridge?: ReadBridge): Pipe {
  socket.setNoDelay(true);
  // For a server's socket that tls.Server did not make, only this event tells of a forged record. Undocumented; a test checks it.
  socket.on('_tlsError', (error: Error) => socket.destroy(error));
  const congestion = new Congestion(socket);
  return {
    kind: ends.kind,
    ...(ends.relayed && { relayed: true }),
    local: ends.local,
    remote: ends.remote,
    write: (bytes, done) => {
      socket.write(bytes, done);
      congestion.sent();
    },
    measured: (roundTripMs) => congestion.measured(roundTripMs),
    bearsLosses: () => congestion.bearsLosses,
    start(data, closed) {
      let failure: Error | undefined;
      socket.on('error', (error) => {
        failure = error;
      });
      // A clean end from the other side ends the lane: lanes are never half open.
      socket.on('end', () => socket.destroy());
      socket.on('close', () => closed(failure));
      if (socket.destroyed) return void setImmediate(closed);
      if (!bridge) return void socket.on('data', data);
      bridge.start(data);
      socket.resume();
    },
    pause() {
      if (bridge) bridge.paused = true;
      else socket.pause();
    },
    resume() {
      if (bridge) bridge.paused = false;
      socket.resume();
    },
    // No error argument: it would be emitted on a socket whose owner is done with it.
    destroy: () => void socket.destroy(),
  };
}

/** The ends of a socket that is TCP itself. */
export function tcpEnds(socket: TLSSocket): TlsEnds {
  const { localAddress = '?', localPort = 0, remoteAddress = '?', remotePort = 0 } = socket;
  return {
    kind: 'tcp',
    local: formatAddress({ host: localAddress, port: localPort }),
    remote: formatAddress({ host: remoteAddress, port: remotePort }),
  };
}

export interface Over extends TlsEnds {
  context: SecureContext;
  signal: AbortSignal;
}

/**
 * TLS over any byte stream. The dialling side (the receiver) is the TLS client, whatever the direction in which the stream below
 * was opened.
 * @param pin hex SHA-256 of the peer's certificate
 * @throws BeelineError NO_PATH, TIMEOUT, AUTHENTICATION; the stream is destroyed then
 */
export function tlsClient(stream: Duplex, over: Over, pin: string): Promise<Pipe> {
  const socket = connect({ socket: stream, secureContext: over.context, rejectUnauthorized: false });
  return secured(stream, socket, 'secureConnect', over, () => {
    checkPin(socket, pin);
    return tlsPipe(socket, over);
  });
}

/** The caller checks whose certificate it is. @throws as `tlsClient` */
export function tlsServer(stream: Duplex, over: Over): Promise<{ pipe: Pipe; fingerprint: string }> {
  const socket = serverSocket(stream, over.context);
  return secured(stream, socket, 'secure', over, () => {
    const fingerprint = peerFingerprint(socket);
    if (!fingerprint) throw fault('LANE_STRANGER', { what: 'it shows no certificate' });
    return { pipe: tlsPipe(socket, over), fingerprint };
  });
}

/** The server's end, which asks for a certificate, whatever it is. */
export function serverSocket(stream: Duplex, secureContext: SecureContext): TLSSocket {
  return new TLSSocket(stream, {
    isServer: true,
    secureContext,
    requestCert: true,
    rejectUnauthorized: false,
  });
}

function secured<T>(
  stream: Duplex,
  socket: TLSSocket,
  event: 'secure' | 'secureConnect',
  over: Over,
  proven: () => T,
): Promise<T> {
  const { kind, remote } = over;
  stream.on('error', () => socket.destroy());
  // TLS is not told if the stream below just ends.
  stream.on('close', () => socket.destroy());
  const failed = (cause?: Error) =>
    cause ? fault('LANE_FAILED', { remote, kind }, { cause }) : fault('LANE_ENDED', { remote, kind });
  return handshake(socket, event, over, failed, proven).catch((error) => {
    stream.destroy();
    throw error;
  });
}

/** What `proven` makes of a socket once its handshake is done; else the socket is destroyed. @param failed why it closed */
export async function handshake<T>(
  socket: TLSSocket,
  event: 'secure' | 'secureConnect',
  over: Pick<Over, 'kind' | 'remote' | 'signal'>,
  failed: (cause?: Error) => BeelineError,
  proven: () => T,
): Promise<T> {
  const done = new Promise<T>((resolve, reject) => {
    // Kept for the socket's whole life: an error that nobody listens for would end the process.
    socket.on('error', (cause) => reject(failed(cause)));
    socket.once('close', () => reject(failed()));
    socket.once(event, () => {
      try {
        resolve(proven());
      } catch (thrown) {
        reject(asBeelineError(thrown));
      }
    });
  });
  // Nobody awaits it where the signal was aborted before.
  done.catch(() => {});
  try {
    return await opening(over, over.signal, () => done);
  } catch (thrown) {
    socket.destroy();
    throw thrown;
  }
}
