/**
 * The body of one answer, as it is written: with backpressure, at no more than a rate, and ended as broken where it cannot be completed. A
 * reader that takes nothing for a while loses its connection.
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { TokenBucket } from '../../base/bucket.ts';
import { realClock, sleep } from '../../base/clock.ts';
import { DirectWay } from './sendfile.ts';

/** Milliseconds in which a reader must have taken something of what waits for it. Node counts bytes that the system took. */
export const STALL_MS = 60_000;
/** Bytes that are written at once under a rate: a slow one would come in bursts otherwise. */
const LIMITED_PIECE = 16 * 1024;

const NOTHING = new Uint8Array(0);

export interface OutletOptions {
  /** Bytes a second of all answers together. */
  limit?: TokenBucket | undefined;
  /** There is TLS between the answer and its connection. */
  secure?: boolean;
  stallMs?: number;
}

/** The reader has gone, or was ended. */
export class OutletClosed extends Error {}

export class Outlet {
  readonly #response: ServerResponse;
  readonly #tcp: Socket;
  readonly #limit: TokenBucket | undefined;
  readonly #secure: boolean;
  readonly #stallMs: number;
  readonly #gone = new AbortController();
  readonly #timeout = () => this.break();
  #written = 0;

  constructor(
    response: ServerResponse,
    tcp: Socket,
    { limit, secure = false, stallMs = STALL_MS }: OutletOptions = {},
  ) {
    this.#response = response;
    this.#tcp = tcp;
    this.#limit = limit;
    this.#secure = secure;
    this.#stallMs = stallMs;
    response.once('close', () => {
      tcp.setTimeout(0, this.#timeout);
      this.#gone.abort(new OutletClosed('The reader is gone.'));
    });
    tcp.setTimeout(stallMs, this.#timeout);
  }

  /** Bytes of the body that the system has taken. */
  get written(): number {
    return this.#written;
  }

  /** Aborted when the connection or the answer has ended. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** The connection itself, where nothing stands between it and the bytes: no TLS, no rate. The caller closes it. */
  async direct(): Promise<DirectWay | undefined> {
    if (this.#secure || this.#limit) return undefined;
    // Behind the head, which may still wait here.
    await this.#put(NOTHING);
    return DirectWay.over(this.#tcp);
  }

  /** The system has taken so many bytes by the direct way. */
  sent(bytes: number): void {
    this.#written += bytes;
    // Node has not seen them.
    this.#tcp.setTimeout(this.#stallMs);
  }

  /** Resolves once the system has taken all of it. The bytes must stay as they are until then. @throws OutletClosed */
  async write(bytes: Uint8Array): Promise<void> {
    const limit = this.#limit;
    if (!limit) return this.#put(bytes);
    for (let at = 0; at < bytes.length; at += LIMITED_PIECE) {
      const part = bytes.subarray(at, at + LIMITED_PIECE);
      const wait = limit.pass(part.length);
      if (wait > 0) await sleep(realClock, wait, this.gone);
      await this.#put(part);
    }
  }

  /** The answer is complete. Resolves when the system has all of it. @throws OutletClosed */
  end(): Promise<void> {
    return this.#unlessGone((done) => this.#response.end(() => done()));
  }

  /** The answer cannot be completed: the reader sees an error, and no end. */
  break(): void {
    // A connection that is merely closed looks like the end to whoever was not told the length. `resetAndDestroy` ends it in order first.
    (this.#tcp as { resetAndClosing?: boolean }).resetAndClosing = true;
    this.#tcp.destroy();
    this.#response.destroy();
  }

  async #put(bytes: Uint8Array): Promise<void> {
    await this.#unlessGone((done) => void this.#response.write(bytes, done));
    this.#written += bytes.length;
  }

  #unlessGone(act: (done: (error?: Error | null) => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const { signal } = this.#gone;
      if (signal.aborted) return reject(signal.reason);
      const gone = () => reject(signal.reason);
      signal.addEventListener('abort', gone, { once: true });
      act((error) => {
        signal.removeEventListener('abort', gone);
        if (error) reject(new OutletClosed(error.message));
        else resolve();
      });
    });
  }
}
