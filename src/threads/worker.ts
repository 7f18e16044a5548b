/**
 * A thread beside the one of the session: it has lanes of its own, with their sockets, their TLS and their framing, and hashes
 * chunks. It decides nothing. A chunk that comes in one piece is gathered in shared memory, so that no other thread touches it on its way.
 *
 * What a peer can make it hold is bounded for each lane: blocks by what was asked for on it, all else by what the session's
 * thread has not heard yet.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { asBeelineError, fault } from '../base/errors.ts';
import { MAX_CHUNK, MIN_CHUNK } from '../base/limits.ts';
import { HEADROOM } from '../base/slab.ts';
import type { Pipe } from '../secure/pipe.ts';
import { laneContext } from '../secure/tls.ts';
import { dial } from '../transports/tcp/dial.ts';
import { listen } from '../transports/tcp/listen.ts';
import { FrameReader, type Landing } from '../wire/framing.ts';
import type { BlocksHeader } from '../wire/messages.ts';
import { digestOf } from './digests.ts';
import { type Identity, type News, type Order, told } from './words.ts';

/** Buffers that are kept for what comes next. */
const MAX_SPARE = 16;
/** Bytes of messages that the session's thread has not heard yet, above which nothing more is read of a lane. */
const MAX_UNHEARD = 1024 * 1024;
/** Milliseconds between looks at what is unfinished: bytes that came are told of, and blocks that take longer are handed on. */
const SLOW_MS = 250;

const port = parentPort!;
const { cert, key } = workerData as Identity;
const context = laneContext(cert, key);
const lanes = new Map<number, ThreadLane>();
const dialling = new Map<number, AbortController>();
const spare: Uint8Array[] = [];
let arrived = 0;

const say = (news: News) => port.postMessage(news);

/** Shared memory for a chunk of this length. */
function buffer(length: number): Uint8Array {
  let bytes = MIN_CHUNK;
  while (bytes < length && bytes < MAX_CHUNK) bytes *= 2;
  const at = spare.findIndex((whole) => whole.length === HEADROOM + bytes);
  if (at >= 0) return spare.splice(at, 1)[0]!;
  return new Uint8Array(new SharedArrayBuffer(HEADROOM + bytes));
}

function free(whole: Uint8Array): void {
  if (spare.length === MAX_SPARE) spare.shift();
  spare.push(whole);
}

/** Blocks that are coming. On a fast path a chunk comes whole, and is handed over; on a slow one its bytes are, as they come. */
class Coming implements Landing {
  readonly #header: BlocksHeader;
  readonly #lane: ThreadLane;
  /** All of a chunk, in shared memory. */
  readonly #whole: Uint8Array | undefined;
  readonly #bytes: Uint8Array;
  #came = 0;
  #handed = 0;
  /** It was there at the last look. */
  #slow = false;

  constructor(header: BlocksHeader, lane: ThreadLane) {
    this.#header = header;
    this.#lane = lane;
    const { bytes, length } = header;
    this.#whole = bytes === length ? buffer(length) : undefined;
    this.#bytes = this.#whole?.subarray(HEADROOM, HEADROOM + bytes) ?? new Uint8Array(bytes);
  }

  put(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#came);
    this.#came += bytes.length;
    if (this.#came < this.#bytes.length) return;
    this.#lane.landed();
    if (!this.#whole || this.#handed > 0) return this.#end();
    this.#lane.say({ is: 'blocks', pipe: this.#lane.number, header: this.#header, whole: this.#whole });
  }

  look(): void {
    if (this.#slow) this.#hand();
    this.#slow = true;
  }

  /** What has come and was not handed on. */
  #hand(): void {
    if (this.#came === this.#handed) return;
    const bytes = this.#bytes.slice(this.#handed, this.#came);
    const header = this.#handed === 0 ? this.#header : undefined;
    this.#handed = this.#came;
    this.#lane.say({ is: 'part', pipe: this.#lane.number, header, bytes }, bytes.length);
  }

  take(): boolean {
    return false;
  }

  cut(): void {
    this.#lane.landed();
    this.#end();
  }

  #end(): void {
    this.#hand();
    if (this.#whole) free(this.#whole);
  }
}

class ThreadLane {
  readonly number: number;
  readonly pipe: Pipe;
  #reader: FrameReader | undefined;
  /** Bytes of blocks that were asked for. */
  #asked = 0;
  #coming: Coming | undefined;
  /** Bytes that came since they were told of. */
  #count = 0;
  /** Bytes that the session's thread has not heard. */
  #unheard = 0;
  /** The session's thread wants nothing now. */
  #paused = false;

  constructor(number: number, pipe: Pipe) {
    this.number = number;
    this.pipe = pipe;
    lanes.set(number, this);
  }

  start(): void {
    const reader = new FrameReader({
      message: (message) => {
        const bytes = this.#count;
        this.say({ is: 'message', pipe: this.number, message, bytes }, bytes);
      },
      land: (header) => this.#land(header),
      fail: (error) => say({ is: 'wrong', pipe: this.number, error: told(error) }),
    });
    this.#reader = reader;
    const slow = setInterval(() => this.#slow(), SLOW_MS);
    this.pipe.start(
      (bytes) => {
        this.#count += bytes.length;
        reader.feed(bytes);
      },
      (error) => {
        clearInterval(slow);
        reader.end();
        lanes.delete(this.number);
        say({ is: 'closed', pipe: this.number, error: error?.message });
      },
    );
  }

  /** So many bytes more were asked for. */
  ask(bytes: number): void {
    this.#asked += bytes;
  }

  /** @param bytes that the session's thread is to say that it has heard */
  say(news: News, bytes = 0): void {
    this.#tell();
    say(news);
    this.#unheard += bytes;
    this.#flow();
  }

  heard(bytes: number): void {
    this.#unheard -= bytes;
    this.#flow();
  }

  hold(paused: boolean): void {
    this.#paused = paused;
    this.#flow();
  }

  landed(): void {
    this.#coming = undefined;
  }

  /** The session's thread hears of the end only now: nothing that it ordered before is under way any more. */
  close(): void {
    if (this.#reader) return this.pipe.destroy();
    lanes.delete(this.number);
    this.pipe.destroy();
    say({ is: 'closed', pipe: this.number, error: undefined });
  }

  #land(header: BlocksHeader): Landing {
    this.#asked -= header.bytes;
    if (this.#asked < 0) throw fault('PEER_MALFORMED', { what: 'what was not asked for' });
    this.#coming = new Coming(header, this);
    return this.#coming;
  }

  #slow(): void {
    this.#coming?.look();
    this.#tell();
  }

  #tell(): void {
    if (this.#count > 0) say({ is: 'bytes', pipe: this.number, count: this.#count });
    this.#count = 0;
  }

  /** Nothing is read of one that has not been started: it would be lost. */
  #flow(): void {
    if (!this.#reader) return;
    if (this.#paused || this.#unheard > MAX_UNHEARD) this.pipe.pause();
    else this.pipe.resume();
  }
}

const orders: { [D in Order['do']]: (order: Order & { do: D }) => void } = {
  dial({ pipe: number, to, pin }) {
    const control = new AbortController();
    dialling.set(number, control);
    dial(to, context, pin, control.signal)
      .then(
        (pipe) => {
          if (control.signal.aborted) return pipe.destroy();
          new ThreadLane(number, pipe);
          const { local, remote, openedInMs = 0 } = pipe;
          say({ is: 'open', pipe: number, local, remote, openedInMs });
        },
        (thrown) => say({ is: 'unreached', pipe: number, error: told(asBeelineError(thrown)) }),
      )
      .finally(() => dialling.delete(number));
  },
  listen({ host, strangers }) {
    const onPipe = (pipe: Pipe, fingerprint: string) => {
      arrived -= 1;
      const { number } = new ThreadLane(arrived, pipe);
      say({ is: 'came', pipe: number, local: pipe.local, remote: pipe.remote, fingerprint });
    };
    listen({ host, context, onPipe, strangers }).then(
      (listener) => say({ is: 'listening', port: listener.port }),
      () => say({ is: 'listening', port: undefined }),
    );
  },
  start: ({ pipe }) => lanes.get(pipe)?.start(),
  write({ pipe, bytes }) {
    const lane = lanes.get(pipe)?.pipe;
    lane?.write(bytes, (error) =>
      say({ is: 'wrote', pipe, error: error?.message, bearsLosses: lane.bearsLosses?.() === true }),
    );
  },
  ask: ({ pipe, bytes }) => lanes.get(pipe)?.ask(bytes),
  heard: ({ pipe, bytes }) => lanes.get(pipe)?.heard(bytes),
  measured: ({ pipe, roundTripMs }) => lanes.get(pipe)?.pipe.measured?.(roundTripMs),
  pause: ({ pipe }) => lanes.get(pipe)?.hold(true),
  resume: ({ pipe }) => lanes.get(pipe)?.hold(false),
  close({ pipe }) {
    dialling.get(pipe)?.abort();
    lanes.get(pipe)?.close();
  },
  free: ({ whole }) => free(whole),
  hash({ job, hash, data }) {
    const done = (made: Uint8Array | undefined) => say({ is: 'hashed', job, hash: made });
    (async () => digestOf(hash)(data))().then(done, () => done(undefined));
  },
};

port.on('message', (order: Order) => (orders[order.do] as (order: Order) => void)(order));
