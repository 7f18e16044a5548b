/** A WebSocket's binary messages as a byte stream, with backpressure both ways. */
import { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import { type BeelineError, fault } from '../../base/errors.ts';
import { CLOSE, MAX_RELAY_MESSAGE, readReason } from '../../wire/relay.ts';
import type { Link } from './link.ts';

/** Bytes either way before the other end is slowed down. */
const HIGH_WATER = 256 * 1024;
/** How long a closing handshake may take, in milliseconds. */
const CLOSING = 2000;

export interface Ends {
  local: string;
  remote: string;
}

export class RelayStream extends Duplex implements Link {
  readonly local: string;
  readonly remote: string;
  readonly gone: Promise<void>;
  /** The first byte that comes; it is still to be read. */
  readonly first: Promise<number>;
  #began: (byte: number) => void = () => {};
  readonly #webSocket: WebSocket;
  #failure: BeelineError | undefined;

  constructor(webSocket: WebSocket, { local, remote }: Ends) {
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

  /** Why the relay ended it, where it said so. */
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
    // The closing frame of the other end is read only by one that reads.
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
