/**
 * Where connections enter an HTTP server. It lets in one request at a time of each, and no more in all than leave the process time
 * for those who are past this. node:http parses and answers at once whatever one read brings, which is thousands of
 * requests if they stand one behind the other; nothing that it has to set bounds that.
 */
import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { TokenBuckets } from '../base/bucket.ts';

/** Requests of one address, and at once after a pause: a page is a dozen, and an office may be behind one address. */
const REQUESTS_PER_SECOND = 32;
const REQUESTS_BURST = 256;
/** Of all addresses together, in each so many milliseconds: a tenth of a processor, about. */
const TICK_MS = 10;
const REQUESTS_PER_TICK = 10;

const LF = 10;
const CR = 13;

export interface Turnstile {
  /** Hands a connection to the HTTP server. The caller bounds its time. @param key whose it is: see `addressKey` */
  enter(socket: Socket | TLSSocket, key: string): void;
  /** From now on all bytes of this connection come through: it is a WebSocket, or a request with a body that ends with its answer. */
  open(socket: Duplex): void;
  /** The real socket behind one that the HTTP server has. */
  carrierOf(socket: Duplex): Duplex;
}

/**
 * @param http whoever takes its upgrades listens already
 * @param perAddress false for a proxy that everybody comes through
 */
export function createTurnstile(http: HttpServer, perAddress = true): Turnstile {
  const rate = perAddress ? new TokenBuckets(REQUESTS_PER_SECOND, REQUESTS_BURST) : undefined;
  /** Who waits, by address: the one whose turn it is comes first. */
  const lines = new Map<string, Set<Gate>>();
  let left = REQUESTS_PER_TICK;
  let timer: NodeJS.Timeout | undefined;
  let entered = 0;

  const leave = (gate: Gate) => {
    const line = lines.get(gate.key);
    if (line?.delete(gate) && line.size === 0) lines.delete(gate.key);
  };
  const serve = () => {
    for (const [key, line] of [...lines]) {
      if (left === 0) return;
      if (rate?.take(key) === false) continue;
      left--;
      const [gate] = line;
      leave(gate!);
      // Whoever else is of this address has its turn after all others.
      if (line.size > 0) {
        lines.delete(key);
        lines.set(key, line);
      }
      gate!.pass();
    }
  };
  const tick = () => {
    const idle = left === REQUESTS_PER_TICK && lines.size === 0;
    left = REQUESTS_PER_TICK;
    timer = idle ? undefined : setTimeout(tick, TICK_MS);
    timer?.unref();
    serve();
  };
  const wait = (gate: Gate) => {
    const line = lines.get(gate.key) ?? new Set();
    lines.set(gate.key, line.add(gate));
    if (!timer) tick();
    else serve();
  };

  http.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    const gate: Duplex = socket;
    if (gate instanceof Gate) response.once('close', () => gate.next());
  });
  // A server without such a listener answers these requests like others. That must stay so.
  if (http.listenerCount('upgrade') > 0)
    http.on('upgrade', (_request: IncomingMessage, socket: Duplex) => {
      if (socket instanceof Gate) socket.open();
    });

  return {
    enter(socket, key) {
      entered++;
      const gate = new Gate(socket, perAddress ? key : `${key} ${entered}`, wait);
      gate.once('close', () => leave(gate));
      http.emit('connection', gate);
    },
    open(socket) {
      if (socket instanceof Gate) socket.open();
    },
    carrierOf: (socket) => (socket instanceof Gate ? socket.carrier : socket),
  };
}

/** `head`: what comes belongs to a request. `held`: a whole one waits, or is being answered. `open`: all passes. */
type State = 'head' | 'held' | 'open';

/** A connection as its HTTP server sees it: bytes come up to the end of a request's head, and then when that is answered. */
class Gate extends Duplex {
  readonly carrier: Socket | TLSSocket;
  readonly key: string;
  readonly #wait: (gate: Gate) => void;
  #state: State = 'head';
  /** Asked for and not yet given. */
  #wanted = false;
  /** Read from the carrier and not passed on. */
  #rest: Buffer | undefined;
  /** The end of this request's head, which is passed on when its turn has come. */
  #last: Buffer | undefined;
  /** Whether a line of this head has begun, and whether the present one is empty so far. */
  #begun = false;
  #empty = false;

  constructor(carrier: Socket | TLSSocket, key: string, wait: (gate: Gate) => void) {
    super();
    this.carrier = carrier;
    this.key = key;
    this.#wait = wait;
    carrier.on('readable', () => this.#more());
    carrier.once('end', () => this.push(null));
    carrier.once('close', () => this.destroy());
  }

  // What is read of a socket by those who answer on it.
  get remoteAddress(): string | undefined {
    return this.carrier.remoteAddress;
  }

  get encrypted(): boolean {
    return 'encrypted' in this.carrier && this.carrier.encrypted;
  }

  /** Its turn has come. */
  pass(): void {
    const last = this.#last;
    this.#last = undefined;
    if (last) this.push(last);
  }

  /** The request has been answered. */
  next(): void {
    if (this.#state !== 'held') return;
    this.#state = 'head';
    this.#begun = false;
    this.#empty = false;
    this.#more();
  }

  /** All passes from now on. It may be said while the parser is still at the head, and takes no more bytes meanwhile. */
  open(): void {
    this.#state = 'open';
    process.nextTick(() => this.#more());
  }

  /** As a socket has it. */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }

  #more(): void {
    while (this.#wanted && this.#state !== 'held') {
      const chunk: Buffer | null = this.#rest ?? this.carrier.read();
      if (!chunk) return;
      this.#rest = undefined;
      this.#wanted = false;
      if (this.#state === 'open') {
        this.push(chunk);
        continue;
      }
      const end = this.#endOfHead(chunk);
      if (end === undefined) {
        this.push(chunk);
        continue;
      }
      if (end < chunk.length) this.#rest = chunk.subarray(end);
      this.#state = 'held';
      this.#last = chunk.subarray(0, end);
      this.#wait(this);
    }
  }

  /** Past the first empty line after a line that is not: parsers differ in whether it needs a CR. */
  #endOfHead(chunk: Buffer): number | undefined {
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at];
      if (byte === CR) continue;
      if (byte !== LF) {
        this.#begun = true;
        this.#empty = false;
      } else if (this.#empty) return at + 1;
      else this.#empty = this.#begun;
    }
    return undefined;
  }

  override _read(): void {
    this.#wanted = true;
    this.#more();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.carrier.write(chunk, done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.carrier.cork();
    const last = chunks.length - 1;
    for (const [i, { chunk }] of chunks.entries()) this.carrier.write(chunk, i === last ? done : undefined);
    this.carrier.uncork();
  }

  override _final(done: () => void): void {
    this.carrier.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.carrier.destroy();
    done(error);
  }
}
