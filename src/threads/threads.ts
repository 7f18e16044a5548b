/**
 * Threads for what costs a processor's time: TLS, framing and hashing, each lane in one of them. What decides stays in the
 * thread of the session, which sees their lanes as pipes and their memory as slabs.
 */
import { existsSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { fault } from '../base/errors.ts';
import { MAX_LANES } from '../base/limits.ts';
import type { HashName } from '../offer/hashing.ts';
import type { Pipe } from '../secure/pipe.ts';
import type { Address } from '../wire/candidate.ts';
import { type PipeEnds, type PipeNews, ThreadPipe } from './pipe.ts';
import { heard, type Identity, type News, type Order } from './words.ts';

/** What a worker thread runs, and the arguments of Node for it. */
export interface WorkerFile {
  url: URL;
  node?: string[];
}

/** Where a build puts it, from where a build puts this: beside the entries, or one folder below them. */
function builtWorker(): WorkerFile {
  const places = ['./threads/worker.js', '../threads/worker.js'].map((at) => new URL(at, import.meta.url));
  return { url: places.find((url) => existsSync(url)) ?? places[0]! };
}

/** Connections to all of them that have proved nothing yet. */
const MAX_STRANGERS = 2 * MAX_LANES;

interface Dialling {
  opened: (pipe: Pipe) => void;
  failed: (error: Error) => void;
}

interface Thread {
  readonly worker: Worker;
  readonly pipes: Map<number, ThreadPipe>;
  readonly dialling: Map<number, Dialling>;
  readonly jobs: Map<number, { done: (hash: Uint8Array) => void; failed: (error: Error) => void }>;
  listening: ((port: number | undefined) => void) | undefined;
}

export interface ThreadsOptions {
  /** How many, 1 or more. */
  count: number;
  identity: Identity;
  /** Somebody proved to hold the certificate with this fingerprint, on a connection to one of the ports. */
  onPipe: (pipe: Pipe, fingerprint: string) => void;
  /** A thread has ended by itself. Its lanes are closed, and nothing more is given to it. */
  onLost?: (error: Error) => void;
  file?: WorkerFile;
}

export class Threads {
  readonly #options: ThreadsOptions;
  readonly #threads: Thread[];
  #number = 0;
  #over = false;

  constructor(options: ThreadsOptions) {
    this.#options = options;
    const file = options.file ?? builtWorker();
    this.#threads = Array.from({ length: options.count }, () => this.#begin(file));
  }

  /** Whether there is any. */
  get some(): boolean {
    return this.#threads.length > 0;
  }

  /** A port in each thread, on which lanes may come in. @param host undefined: every address */
  async listen(host: string | undefined): Promise<number[]> {
    const strangers = Math.ceil(MAX_STRANGERS / this.#threads.length);
    const ports = this.#threads.map(
      (thread) =>
        new Promise<number | undefined>((resolve) => {
          thread.listening = resolve;
          order(thread, { do: 'listen', host, strangers });
        }),
    );
    return (await Promise.all(ports)).filter((port) => port !== undefined);
  }

  /** As `dial` of TCP, in the thread with the fewest lanes. */
  dial(to: Address, pin: string, signal: AbortSignal): Promise<Pipe> {
    const thread = this.#least(({ pipes, dialling }) => pipes.size + dialling.size);
    if (!thread || signal.aborted) return Promise.reject(fault('LANE_OUTPACED'));
    const pipe = ++this.#number;
    return new Promise<Pipe>((opened, failed) => {
      const aborted = () => {
        if (!thread.dialling.delete(pipe)) return;
        order(thread, { do: 'close', pipe });
        failed(fault('LANE_OUTPACED'));
      };
      const settled =
        <T>(settle: (value: T) => void) =>
        (value: T) => {
          signal.removeEventListener('abort', aborted);
          settle(value);
        };
      signal.addEventListener('abort', aborted, { once: true });
      thread.dialling.set(pipe, { opened: settled(opened), failed: settled(failed) });
      order(thread, { do: 'dial', pipe, to, pin });
    });
  }

  /** @param data in shared memory, and not changed before this resolves */
  hash(hash: HashName, data: Uint8Array): Promise<Uint8Array> {
    const thread = this.#least(({ jobs }) => jobs.size);
    if (!thread) return Promise.reject(new Error('There is no thread to hash in.'));
    const job = ++this.#number;
    return new Promise((done, failed) => {
      thread.jobs.set(job, { done, failed });
      order(thread, { do: 'hash', job, hash, data });
    });
  }

  /** Closes all that they have. */
  async close(): Promise<void> {
    this.#over = true;
    await Promise.all(this.#threads.splice(0).map((thread) => this.#end(thread)));
  }

  /** Of those that have as little the one that had its turn longest ago. */
  #least(load: (thread: Thread) => number): Thread | undefined {
    let least: Thread | undefined;
    for (const thread of this.#threads) if (!least || load(thread) < load(least)) least = thread;
    if (!least) return undefined;
    this.#threads.splice(this.#threads.indexOf(least), 1);
    this.#threads.push(least);
    return least;
  }

  #begin(file: WorkerFile): Thread {
    const worker = new Worker(file.url, {
      workerData: this.#options.identity,
      execArgv: file.node,
      // A worker has nothing of the environment to read, and its standard streams are the process's.
      env: {},
    });
    const thread: Thread = {
      worker,
      pipes: new Map(),
      dialling: new Map(),
      jobs: new Map(),
      listening: undefined,
    };
    worker.on('message', (news: News) => this.#hear(thread, news));
    const lost = (error: Error) => {
      if (this.#over) return;
      const at = this.#threads.indexOf(thread);
      if (at < 0) return;
      this.#threads.splice(at, 1);
      this.#drop(thread, error);
      this.#options.onLost?.(error);
    };
    worker.on('error', lost);
    worker.on('exit', (status) => lost(new Error(`A thread ended with ${status}.`)));
    return thread;
  }

  #hear(thread: Thread, news: News): void {
    switch (news.is) {
      case 'open':
        return this.#opened(thread, news);
      case 'came':
        return this.#options.onPipe(this.#pipe(thread, news), news.fingerprint);
      case 'unreached':
        thread.dialling.get(news.pipe)?.failed(heard(news.error));
        thread.dialling.delete(news.pipe);
        return;
      case 'listening':
        return thread.listening?.(news.port);
      case 'hashed':
        if (news.hash) thread.jobs.get(news.job)?.done(news.hash);
        else thread.jobs.get(news.job)?.failed(new Error('A thread cannot hash.'));
        thread.jobs.delete(news.job);
        return;
      default:
        return this.#tell(thread, news);
    }
  }

  #tell(thread: Thread, news: PipeNews): void {
    const pipe = thread.pipes.get(news.pipe);
    if (pipe) pipe.hear(news);
    // Nobody is there to give the buffer back.
    else if (news.is === 'blocks') order(thread, { do: 'free', whole: news.whole });
  }

  #opened(thread: Thread, news: News & { is: 'open' }): void {
    const dialling = thread.dialling.get(news.pipe);
    thread.dialling.delete(news.pipe);
    // It was given up meanwhile, and its thread has been told.
    dialling?.opened(this.#pipe(thread, news));
  }

  #pipe(thread: Thread, { pipe, ...ends }: { pipe: number } & PipeEnds): ThreadPipe {
    const made = new ThreadPipe(
      pipe,
      ends,
      (given) => order(thread, given),
      () => thread.pipes.delete(pipe),
    );
    thread.pipes.set(pipe, made);
    return made;
  }

  async #end(thread: Thread): Promise<void> {
    this.#drop(thread, fault('LANE_CLOSED'));
    await thread.worker.terminate();
  }

  #drop(thread: Thread, error: Error): void {
    for (const pipe of [...thread.pipes.values()]) pipe.over(error);
    for (const { failed } of [...thread.dialling.values(), ...thread.jobs.values()]) failed(error);
    thread.dialling.clear();
    thread.jobs.clear();
    thread.listening?.(undefined);
  }
}

function order({ worker }: Thread, given: Order): void {
  worker.postMessage(given);
}
