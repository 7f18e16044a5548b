/** A connection at a server's relay: opened, named by a token, and waited with until the other side's is there. */
import type { LookupFunction, Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import { Alarm, realClock, until, withDeadline } from '../../base/clock.ts';
import { type BeelineError, fault } from '../../base/errors.ts';
import { LANE_OPEN_DEADLINE } from '../../base/limits.ts';
import { dialWebSocket } from '../../websocket/dial.ts';
import { authorityOf, movedUrl, serviceUrl } from '../../websocket/url.ts';
import { formatAddress } from '../../wire/candidate.ts';
import {
  CLOSE,
  decodeRelayAnswer,
  encodeRelayHello,
  encodeRelayTicket,
  MAX_RELAY_MESSAGE,
  type RelayMove,
  type RelaySeat,
  readReason,
} from '../../wire/relay.ts';
import { RELAY_PATH } from '../../wire/rendezvous.ts';
import type { Link } from './links.ts';
import { movedLookup } from './moved.ts';

/** The server pings a waiting client every 10 s. After so long without anything from it, the connection is dead. */
const SILENCE_MS = 35_000;

/**
 * Resolves when the server has paired it with a connection of the other side's; that may take as long as the signal lets it. A server
 * of several instances names the one that carries the two.
 * @param url as for `--server`
 * @throws BeelineError NO_PATH (with the relay's own words, if it had some), SERVER, USAGE, or what the signal was aborted with.
 */
export async function relayStream(url: string, seat: RelaySeat, signal: AbortSignal): Promise<RelayStream> {
  const target = serviceUrl(url, RELAY_PATH);
  const found = await dialRelay(target, encodeRelayHello(seat), signal);
  if (found instanceof RelayStream) return found;
  const { move, peer } = found;
  const to = movedUrl(move.url, target);
  const lookup = await movedLookup(to, target, peer);
  const there = await dialRelay(to, encodeRelayTicket(move.ticket), signal, lookup);
  if (there instanceof RelayStream) return there;
  throw fault('SERVER_MISBEHAVES', { what: 'sends its clients from one place to the next' });
}

interface Moved {
  move: RelayMove;
  /** IP address of the server, or of a proxy before it. */
  peer: string;
}

async function dialRelay(
  target: string,
  hello: string,
  signal: AbortSignal,
  lookup?: LookupFunction,
): Promise<RelayStream | Moved> {
  // Only the pairing may take long. Without a deadline a dead network would go unnoticed for a quarter of an hour.
  const late = () => refused('it did not answer in time');
  // In an object, so that the dialling does not await the promise in it.
  const opened = await withDeadline(realClock, signal, LANE_OPEN_DEADLINE, late, (dialling) =>
    dialWebSocket(
      {
        url: target,
        name: `the relay at ${target}`,
        maxPayload: MAX_RELAY_MESSAGE,
        signal: dialling,
        lookup,
        // RFC 6455 (5.3, 10.3) wants masks that cannot be foreseen, so that no script in a browser can make its messages look like
        // HTTP to a cache on the way. Here no stranger chooses the bytes: they are TLS or sealed records, random by themselves,
        // and a mask of zeros spares both ends a pass over them and this one a copy.
        generateMask: (mask) => mask.fill(0),
      },
      (webSocket) => {
        // If the deadline comes now, nobody waits for it any more. It is closed all the same.
        return { pairing: paired(webSocket, target, hello, signal) };
      },
    ),
  );
  return opened.pairing;
}

function paired(
  webSocket: WebSocket,
  target: string,
  hello: string,
  signal: AbortSignal,
): Promise<RelayStream | Moved> {
  // Asked now, because a closed socket does not know it any more.
  const { local, peer } = endsOf(webSocket);
  const silence = new Alarm(realClock);
  let hear = () => {};
  const waiting = () =>
    new Promise<RelayStream | Moved>((resolve, reject) => {
      const fail = (what: string, cause?: Error) => reject(refused(what, cause));
      hear = () => silence.set(SILENCE_MS, () => fail(`nothing heard for ${SILENCE_MS / 1000} s`));
      hear();
      webSocket.on('ping', hear);
      webSocket.once('message', (data: RawData, isBinary: boolean) => {
        try {
          const move = decodeRelayAnswer(isBinary ? '' : data.toString());
          if (move) webSocket.close(CLOSE.normal);
          resolve(move ? { move, peer } : new RelayStream(webSocket, { local, remote: authorityOf(target) }));
        } catch (error) {
          reject(error);
        }
      });
      webSocket.on('close', (code, reason) => fail(readReason(reason.toString()) || `it closed (${code})`));
      // Kept for good: an error that nobody listens for would end the process.
      webSocket.on('error', (cause) => fail(cause.message, cause));
      webSocket.send(hello);
    });
  const pairing = until(signal, waiting);
  pairing
    .catch(() => webSocket.terminate())
    .finally(() => {
      webSocket.off('ping', hear);
      silence.clear();
    });
  return pairing;
}

function endsOf(webSocket: WebSocket): { local: string; peer: string } {
  // Not in the types, but the only way to ask.
  const socket = (webSocket as unknown as { _socket?: Socket })._socket;
  return {
    local: formatAddress({ host: socket?.localAddress ?? '?', port: socket?.localPort ?? 0 }),
    peer: socket?.remoteAddress ?? '',
  };
}

function refused(what: string, cause?: Error): BeelineError {
  return fault('RELAY_REFUSED', { what }, { cause });
}

/** Bytes either way before the other end is slowed down. */
const HIGH_WATER = 256 * 1024;
/** How long a closing handshake may take, in milliseconds. */
const CLOSING = 2000;

export class RelayStream extends Duplex implements Link {
  readonly local: string;
  readonly remote: string;
  readonly gone: Promise<void>;
  /** The first byte that comes; it is still to be read. */
  readonly first: Promise<number>;
  #began: (byte: number) => void = () => {};
  readonly #webSocket: WebSocket;
  #failure: BeelineError | undefined;

  constructor(webSocket: WebSocket, { local, remote }: { local: string; remote: string }) {
    super({ allowHalfOpen: false, readableHighWaterMark: HIGH_WATER, writableHighWaterMark: HIGH_WATER });
    this.local = local;
    this.remote = remote;
    this.#webSocket = webSocket;
    // Whoever gets the stream listens a turn later; an error that nobody listens for would end the process.
    this.on('error', () => {});
    this.gone = new Promise((resolve) => {
      this.once('close', resolve);
    });
    this.first = new Promise((resolve) => {
      this.#began = resolve;
    });
    webSocket.on('message', (data, isBinary) => this.#arrived(data, isBinary));
    webSocket.on('error', (cause) =>
      this.#fail(`the connection to the relay failed: ${cause.message}`, cause),
    );
    webSocket.on('close', (code, reason) => this.#closed(code, readReason(reason.toString())));
  }

  get failure(): BeelineError | undefined {
    return this.#failure;
  }

  override _read(): void {
    this.#webSocket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    const last = Math.max(0, chunk.length - MAX_RELAY_MESSAGE);
    let at = 0;
    for (; at < last; at += MAX_RELAY_MESSAGE) this.#send(chunk.subarray(at, at + MAX_RELAY_MESSAGE));
    this.#send(chunk.subarray(at), done);
  }

  /** TLS writes its records in bursts: queued together they leave in fewer system calls. */
  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    const final = chunks.length - 1;
    chunks.forEach(({ chunk }, i) => {
      this._write(chunk, 'binary', i === final ? done : () => {});
    });
  }

  override _final(done: () => void): void {
    this.#webSocket.close(CLOSE.normal);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const webSocket = this.#webSocket;
    // The closing frame of the other end is seen only if this end reads.
    webSocket.resume();
    webSocket.close(CLOSE.normal);
    if (webSocket.readyState !== webSocket.CLOSED) {
      const cut = setTimeout(() => webSocket.terminate(), CLOSING);
      cut.unref();
      webSocket.once('close', () => clearTimeout(cut));
    }
    done(error);
  }

  #send(bytes: Buffer, sent?: (error?: Error) => void): void {
    this.#webSocket.send(bytes, { binary: true }, sent);
  }

  #arrived(data: RawData, isBinary: boolean): void {
    if (this.destroyed) return;
    if (!isBinary) return this.#fail('the relay sent text among the bytes');
    const [first] = data as Buffer;
    if (first !== undefined) this.#began(first);
    if (!this.push(data as Buffer)) this.#webSocket.pause();
  }

  #closed(code: number, reason: string): void {
    if (this.destroyed) return;
    if (code === CLOSE.normal) this.push(null);
    else
      this.#fail(reason === '' ? `the relay closed the connection (${code})` : `the relay says: ${reason}`);
  }

  #fail(what: string, cause?: Error): void {
    if (this.destroyed) return;
    this.#failure = fault('RELAY_LANE_ENDED', { what }, { cause });
    this.destroy(this.#failure);
  }
}
