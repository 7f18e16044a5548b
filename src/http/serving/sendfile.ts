/**
 * sendfile(2): the system sends a file by itself, without a copy of its bytes in this process. Linux alone, through `koffi`, an optional
 * package; who has it not sends by reading and writing.
 *
 * What it has taken are pages of the file and no copies: who writes into the file afterwards changes what is still on its way. So the
 * last bytes of an answer are never sent like this, but as many as the system can hold on the way are read and written behind them
 * (`ON_THE_WAY`). When they have been taken, all before them has arrived, and a look at the file then sees a change under any of it.
 */
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';

/** fcntl(2). */
const F_DUPFD_CLOEXEC = 1030;
/** Of one call: it runs in one of libuv's few threads. */
const MOST_AT_ONCE = 16 * 1024 * 1024;

interface SystemCalls {
  send(to: number, from: number, at: number, length: number): Promise<number>;
  /** Another descriptor of the same connection; negative: none. */
  duplicate(descriptor: number): number;
  close(descriptor: number): void;
}

let calls: Promise<SystemCalls | undefined> | undefined;

async function load(): Promise<SystemCalls> {
  const { default: koffi } = await import('koffi');
  const own = koffi.load(null);
  const sendfile = own.func('int64_t sendfile(int, int, _Inout_ int64_t *, size_t)');
  const fcntl = own.func('int fcntl(int, int, ...)');
  const close = own.func('int close(int)');
  return {
    send: (to, from, at, length) =>
      new Promise((resolve, reject) =>
        sendfile.async(to, from, [at], length, (error: Error | null, sent: number | bigint) =>
          error ? reject(error) : resolve(Number(sent)),
        ),
      ),
    duplicate: (descriptor) => fcntl(descriptor, F_DUPFD_CLOEXEC, 'int', 0),
    close: (descriptor) => void close(descriptor),
  };
}

/** A connection that the system may send files over. Its descriptor is its own: nobody else closes it under a call that runs. */
export class DirectWay {
  readonly #calls: SystemCalls;
  readonly #descriptor: number;

  private constructor(system: SystemCalls, descriptor: number) {
    this.#calls = system;
    this.#descriptor = descriptor;
  }

  /** Undefined: this system, or this connection, has none. The caller closes it. */
  static async over(tcp: Socket): Promise<DirectWay | undefined> {
    if (process.platform !== 'linux') return undefined;
    calls ??= load().catch(() => undefined);
    const system = await calls;
    // Not kept from before the wait: the connection may have been closed, and its number be another one's.
    const descriptor = (tcp as { _handle?: { fd?: number } | null })._handle?.fd ?? -1;
    if (!system || tcp.destroyed || descriptor < 0) return undefined;
    const own = system.duplicate(descriptor);
    return own < 0 ? undefined : new DirectWay(system, own);
  }

  /**
   * Resolves with how many bytes the system has taken; with fewer than asked for if it has no room now, or cannot. Nothing else may be written
   * to the connection meanwhile.
   */
  async send(file: number, at: number, length: number): Promise<number> {
    return Math.max(0, await this.#calls.send(this.#descriptor, file, at, Math.min(length, MOST_AT_ONCE)));
  }

  close(): void {
    this.#calls.close(this.#descriptor);
  }
}

/** What a system lets its buffers grow to, if it does not say. */
const USUAL_BUFFERS = 16 * 1024 * 1024;
/** One packet more than a buffer's bound may be in it. */
const SLACK = 1024 * 1024;

/** Bytes that can be between a write here and a read at the other end, if both are on this machine; from afar they are copies. */
export const ON_THE_WAY = Math.max(USUAL_BUFFERS, largest('tcp_wmem') + largest('tcp_rmem') + SLACK);

/** The third number: what a buffer may grow to. */
function largest(name: string): number {
  try {
    const text = readFileSync(`/proc/sys/net/ipv4/${name}`, 'latin1');
    return Number(text.trim().split(/\s+/)[2]) || 0;
  } catch {
    return 0;
  }
}
