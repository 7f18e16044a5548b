/** The threads of one transfer, if it has any: begun once it is known that there is much to move, and given lanes and hashing from then on. */
import { availableParallelism } from 'node:os';
import type { Certificate } from '../identity/certificate.ts';
import type { HashName } from '../offer/hashing.ts';
import type { Platform } from '../session/ports.ts';
import type { Running } from '../session/transfer.ts';
import { Threads } from '../threads/threads.ts';
import type { LaneThreads } from '../transports/surroundings.ts';
import type { CommonOptions } from './api.ts';
import { platform } from './platform.ts';

/** With fewer cores both sides of a transfer, or this one and other programs, keep them busy without threads. */
const LEAST_CORES = 4;
/** As many as there are lanes to begin with. */
const MOST_BY_DEFAULT = 4;
/** Bytes that are moved sooner than threads pay for their start. Nobody begins them for fewer unless the person says how many. */
const LEAST_BYTES = 64 * 1024 * 1024;

export class Threading implements LaneThreads {
  readonly platform: Platform;
  readonly #count: number;
  readonly #least: number;
  readonly #waiting = new Set<() => void>();
  #threads: Threads | undefined;
  #ports: readonly number[] = [];

  /** @param possible false: bytes come from, or go to, a store that may not take shared memory */
  constructor({ threads }: Pick<CommonOptions, 'threads'>, possible: boolean) {
    this.#count = possible ? (threads ?? byDefault()) : 0;
    this.#least = threads === undefined ? LEAST_BYTES : 0;
    this.platform = {
      ...platform,
      digest: (hash) => (data) => this.#hash(hash, data),
      allocate: (bytes) =>
        this.#threads ? new Uint8Array(new SharedArrayBuffer(bytes)) : platform.allocate(bytes),
    };
  }

  get ports(): readonly number[] {
    return this.#ports;
  }

  onPorts(run: () => void): void {
    this.#waiting.add(run);
  }

  /**
   * @param bytes to be moved; undefined: nobody knows
   * @param listens on which address lanes may come in, at any port; absent: they come in on one port only
   */
  start(
    transfer: Running,
    { cert, key }: Certificate,
    bytes: number | undefined,
    listens?: { host: string | undefined },
  ): void {
    const little = bytes === undefined || bytes < this.#least;
    if (this.#count === 0 || little || this.#threads || transfer.signal.aborted) return;
    const threads = new Threads({
      ...{ count: this.#count, identity: { cert, key } },
      onPipe: (pipe, fingerprint) => transfer.offerPipe(pipe, fingerprint),
      onLost: (error) => transfer.log?.warn({ error: String(error) }, 'a thread has ended'),
    });
    this.#threads = threads;
    transfer.cleanup.push(() => threads.close());
    if (listens)
      void threads.listen(listens.host).then((ports) => {
        this.#ports = ports;
        for (const run of this.#waiting) run();
      });
  }

  /** Undefined: this thread dials. */
  get dial(): LaneThreads['dial'] {
    const threads = this.#threads;
    return threads?.some ? (to, pin, signal) => threads.dial(to, pin, signal) : undefined;
  }

  #hash(hash: HashName, data: Uint8Array): Uint8Array | Promise<Uint8Array> {
    const threads = this.#threads;
    const here = platform.digest(hash);
    const shared = data.buffer instanceof SharedArrayBuffer;
    return threads?.some && shared ? threads.hash(hash, data).catch(() => here(data)) : here(data);
  }
}

function byDefault(): number {
  const cores = availableParallelism();
  return cores < LEAST_CORES ? 0 : Math.min(MOST_BY_DEFAULT, cores - 1);
}
