/** The page's end of its storage worker: requests with deadlines, and a bounded number of buffers on the way. */
import { BeelineError, fault } from '../../base/errors.ts';
import type { StorageCalls, StorageReply, StorageRequest } from './storage.worker.ts';
import { storageError } from './storage-errors.ts';
import { storageWorker } from './workers.ts';

/** Chunks copied and not yet written. */
const MOST_BUFFERS = 8;
/** Milliseconds for one request: flushing 64 MiB to a slow disk that others use too. */
const DEADLINE = 300_000;

interface Waiting {
  resolve: (value: never) => void;
  reject: (error: BeelineError) => void;
  timer: ReturnType<typeof setTimeout>;
}

export class StorageClient {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #free: ArrayBuffer[] = [];
  readonly #wanting: (() => void)[] = [];
  #buffers = 0;
  #next = 0;
  #failure: BeelineError | undefined;

  /** @throws BeelineError WRITE_FAILED where there are no workers. */
  constructor() {
    this.#worker = storageWorker();
    this.#worker.onmessage = ({ data }: MessageEvent<StorageReply>) => this.#take(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.end(
        fault(
          'WORKER_FAILED',
          { what: 'that writes what is received failed' },
          { cause: new Error(event.message) },
        ),
      );
    };
  }

  get ended(): boolean {
    return this.#failure !== undefined;
  }

  /** @throws BeelineError as `storageError`, or TIMEOUT */
  ask<C extends keyof StorageCalls>(
    call: C,
    ...args: Parameters<StorageCalls[C]>
  ): Promise<Awaited<ReturnType<StorageCalls[C]>>> {
    return new Promise((resolve, reject) => {
      if (this.#failure) return reject(this.#failure);
      const id = this.#next++;
      const timer = setTimeout(() => {
        this.end(fault('STORAGE_LATE'));
      }, DEADLINE);
      this.#waiting.set(id, { resolve: resolve as (value: never) => void, reject, timer });
      const request: StorageRequest = { id, call, args };
      this.#worker.postMessage(
        request,
        args.filter((arg) => arg instanceof ArrayBuffer),
      );
    });
  }

  /** A chunk's bytes. They are copied first, so that they may be reused once this resolves, or rejects. */
  async write(at: number, bytes: Uint8Array, capacity: number): Promise<void> {
    let buffer = await this.#buffer(capacity);
    try {
      new Uint8Array(buffer).set(bytes);
      const { length } = bytes;
      buffer = await this.ask('write', 'data', at, length, buffer);
    } finally {
      // One that went down with a failed request is not missed: another may be made for it.
      if (buffer.byteLength > 0) this.#free.push(buffer);
      else this.#buffers--;
      this.#wanting.shift()?.();
    }
  }

  /** Ends the worker, and with it its hold on the files. Whatever waits is rejected. */
  end(error = new BeelineError('CANCELLED', 'Receiving was given up.')): void {
    if (this.#failure) return;
    this.#failure = error;
    this.#worker.terminate();
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(error);
    }
    this.#waiting.clear();
    for (const wake of this.#wanting.splice(0)) wake();
  }

  async #buffer(capacity: number): Promise<ArrayBuffer> {
    while (this.#free.length === 0 && this.#buffers >= MOST_BUFFERS && !this.#failure)
      await new Promise<void>((resolve) => this.#wanting.push(resolve));
    if (this.#failure) throw this.#failure;
    const free = this.#free.pop();
    if (free) return free;
    this.#buffers++;
    return new ArrayBuffer(capacity);
  }

  #take(reply: StorageReply): void {
    const waiting = this.#waiting.get(reply.id);
    if (!waiting) return;
    this.#waiting.delete(reply.id);
    clearTimeout(waiting.timer);
    if (reply.ok) waiting.resolve(reply.value as never);
    else waiting.reject(storageError(Object.assign(new Error(reply.message), { name: reply.name })));
  }
}
