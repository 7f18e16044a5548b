/**
 * A thread beside the one of the session: it has lanes of its own, with their sockets, their TLS and their framing, and hashes
 * chunks. It decides nothing. Bytes of blocks are gathered in shared memory, so that no other thread touches them on their way.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { asBeelineError } from '../base/errors.ts';
import { MAX_CHUNK, MIN_CHUNK } from '../base/limits.ts';
import { HEADROOM } from '../base/slab.ts';
import type { Pipe } from '../secure/pipe.ts';
import { laneContext } from '../secure/tls.ts';
import { dial } from '../transports/tcp/dial.ts';
import { listen } from '../transports/tcp/listen.ts';
import { FrameReader, type FrameSink } from '../wire/framing.ts';
import { digestOf } from './digests.ts';
import { type Identity, type News, type Order, told } from './words.ts';

/** Bytes of buffers that the main thread may hold. An honest peer brings no more than was asked for, which is less (sync/slabs.ts). */
const MAX_LENT = 128 * 1024 * 1024;
/** Buffers that are kept for what comes next. */
const MAX_SPARE = 16;
/** Bytes of blocks that are not whole yet, after which the main thread hears of them. */
const HEARD_BYTES = 64 * 1024;

const port = parentPort!;
const { cert, key } = workerData as Identity;
const context = laneContext(cert, key);
const pipes = new Map<number, Held>();
const dialling = new Map<number, AbortController>();
const spare: Uint8Array[] = [];
let lent = 0;
let arrived = 0;

interface Held {
  readonly pipe: Pipe;
  started: boolean;
  /** The main thread wants nothing now. */
  paused: boolean;
}

const say = (news: News) => port.postMessage(news);

/** A buffer for a chunk of this length, all of it shared memory. */
function buffer(length: number): Uint8Array {
  let bytes = MIN_CHUNK;
  while (bytes < length && bytes < MAX_CHUNK) bytes *= 2;
  const at = spare.findIndex((whole) => whole.length === HEADROOM + bytes);
  if (at >= 0) return spare.splice(at, 1)[0]!;
  return new Uint8Array(new SharedArrayBuffer(HEADROOM + bytes));
}

function free(whole: Uint8Array): void {
  const full = lent >= MAX_LENT;
  lent -= whole.length;
  if (spare.length === MAX_SPARE) spare.shift();
  spare.push(whole);
  if (full && lent < MAX_LENT) for (const held of pipes.values()) flow(held);
}

/** Reads on, or not: if nobody gives buffers back, nothing more is read. */
function flow({ pipe, started, paused }: Held): void {
  if (!started) return;
  if (paused || lent >= MAX_LENT) pipe.pause();
  else pipe.resume();
}

function start(number: number): void {
  const held = pipes.get(number);
  if (!held) return;
  const { pipe } = held;
  held.started = true;
  let count = 0;
  const tell = () => {
    if (count > 0) say({ is: 'bytes', pipe: number, count });
    count = 0;
  };
  const sink: FrameSink = {
    message(message) {
      tell();
      say({ is: 'message', pipe: number, message });
    },
    land(header) {
      const whole = buffer(header.length);
      let at = HEADROOM + header.offset;
      let left = header.bytes;
      lent += whole.length;
      if (lent >= MAX_LENT) for (const other of pipes.values()) flow(other);
      return {
        put(bytes) {
          whole.set(bytes, at);
          at += bytes.length;
          left -= bytes.length;
          if (left > 0) return count >= HEARD_BYTES ? tell() : undefined;
          tell();
          say({ is: 'blocks', pipe: number, header, whole });
        },
        take: () => false,
        cut: () => free(whole),
      };
    },
    fail: (error) => say({ is: 'wrong', pipe: number, error: told(error) }),
  };
  const reader = new FrameReader(sink);
  pipe.start(
    (bytes) => {
      count += bytes.length;
      reader.feed(bytes);
    },
    (error) => {
      reader.end();
      pipes.delete(number);
      tell();
      say({ is: 'closed', pipe: number, error: error?.message });
    },
  );
}

const orders: { [D in Order['do']]: (order: Order & { do: D }) => void } = {
  dial({ pipe: number, to, pin }) {
    const control = new AbortController();
    dialling.set(number, control);
    dial(to, context, pin, control.signal)
      .then(
        (pipe) => {
          if (control.signal.aborted) return pipe.destroy();
          pipes.set(number, { pipe, started: false, paused: false });
          say({ is: 'open', pipe: number, local: pipe.local, remote: pipe.remote });
        },
        (thrown) => say({ is: 'unreached', pipe: number, error: told(asBeelineError(thrown)) }),
      )
      .finally(() => dialling.delete(number));
  },
  listen({ host }) {
    const onPipe = (pipe: Pipe, fingerprint: string) => {
      arrived -= 1;
      const number = arrived;
      pipes.set(number, { pipe, started: false, paused: false });
      const { local, remote } = pipe;
      say({ is: 'came', pipe: number, local, remote, fingerprint });
    };
    listen({ host, context, onPipe }).then(
      (listener) => say({ is: 'listening', port: listener.port }),
      () => say({ is: 'listening', port: undefined }),
    );
  },
  start: ({ pipe }) => start(pipe),
  write({ pipe, bytes }) {
    const held = pipes.get(pipe);
    held?.pipe.write(bytes, (error) => say({ is: 'wrote', pipe, error: error?.message }));
  },
  pause: ({ pipe }) => hold(pipe, true),
  resume: ({ pipe }) => hold(pipe, false),
  close({ pipe }) {
    dialling.get(pipe)?.abort();
    pipes.get(pipe)?.pipe.destroy();
    pipes.delete(pipe);
  },
  free: ({ whole }) => free(whole),
  hash({ job, hash, data }) {
    const done = (made: Uint8Array | undefined) => say({ is: 'hashed', job, hash: made });
    const made = digestOf(hash)(data);
    if (made instanceof Uint8Array) done(made);
    else made.then(done, () => done(undefined));
  },
};

function hold(pipe: number, paused: boolean): void {
  const held = pipes.get(pipe);
  if (!held) return;
  held.paused = paused;
  flow(held);
}

port.on('message', (order: Order) => (orders[order.do] as (order: Order) => void)(order));
