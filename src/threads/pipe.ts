/** A pipe whose socket another thread has, as the session sees it. */
import { asBeelineError, fault } from '../base/errors.ts';
import { lend } from '../base/slab.ts';
import type { Pipe } from '../secure/pipe.ts';
import type { FrameSink } from '../wire/framing.ts';
import { heard, type News, type Order } from './words.ts';

/** What of the news is for one pipe. */
export type PipeNews = Extract<News, { is: 'wrote' | 'message' | 'blocks' | 'bytes' | 'wrong' | 'closed' }>;

export class ThreadPipe implements Pipe {
  readonly kind = 'tcp';
  readonly local: string;
  readonly remote: string;
  readonly #number: number;
  readonly #order: (order: Order) => void;
  readonly #gone: () => void;
  #sink: FrameSink | undefined;
  #came: (bytes: number) => void = () => {};
  #closed: ((error?: Error) => void) | undefined;
  #written: ((error?: Error | null) => void) | undefined;
  #over = false;

  /** @param gone called once, when nothing more comes of it */
  constructor(
    number: number,
    { local, remote }: Pick<Pipe, 'local' | 'remote'>,
    order: (order: Order) => void,
    gone: () => void,
  ) {
    this.#number = number;
    this.local = local;
    this.remote = remote;
    this.#order = order;
    this.#gone = gone;
  }

  write(bytes: Uint8Array, done: (error?: Error | null) => void): void {
    if (this.#over) return void queueMicrotask(() => done(fault('LANE_CLOSED')));
    this.#written = done;
    // Of what is not shared all memory under it would be copied.
    const own = bytes.buffer instanceof SharedArrayBuffer || bytes.length === bytes.buffer.byteLength;
    this.#order({ do: 'write', pipe: this.#number, bytes: own ? bytes : bytes.slice() });
  }

  frames(sink: FrameSink, came: (bytes: number) => void) {
    this.#sink = sink;
    this.#came = came;
    return {
      end: () => {
        this.#sink = undefined;
      },
    };
  }

  start(_data: (bytes: Uint8Array) => void, closed: (error?: Error) => void): void {
    if (this.#over) return void setImmediate(closed);
    this.#closed = closed;
    this.#order({ do: 'start', pipe: this.#number });
  }

  pause(): void {
    this.#order({ do: 'pause', pipe: this.#number });
  }

  resume(): void {
    this.#order({ do: 'resume', pipe: this.#number });
  }

  destroy(): void {
    if (this.#over) return;
    this.#order({ do: 'close', pipe: this.#number });
    // As a socket tells it: after whoever destroys it is done.
    setImmediate(() => this.end());
  }

  /** @param error why nothing more comes */
  end(error?: Error): void {
    if (this.#over) return;
    this.#over = true;
    this.#gone();
    this.#written?.(error ?? fault('LANE_CLOSED'));
    this.#closed?.(error);
  }

  hear(news: PipeNews): void {
    switch (news.is) {
      case 'wrote': {
        const done = this.#written;
        this.#written = undefined;
        return done?.(news.error === undefined ? null : new Error(news.error));
      }
      case 'bytes':
        return this.#came(news.count);
      case 'message':
        return this.#guarded((sink) => sink.message(news.message));
      case 'blocks':
        return this.#blocks(news);
      case 'wrong':
        return this.#guarded(() => {
          throw heard(news.error);
        });
      case 'closed':
        return this.end(news.error === undefined ? undefined : new Error(news.error));
    }
  }

  #blocks({ header, whole }: PipeNews & { is: 'blocks' }): void {
    const slab = lend(whole, () => this.#order({ do: 'free', whole }));
    let kept = false;
    this.#guarded((sink) => {
      kept = sink.land(header).take(slab);
    });
    if (!kept) slab.release();
  }

  /** As of `FrameReader`: whoever throws ends the lane. */
  #guarded(work: (sink: FrameSink) => void): void {
    const sink = this.#sink;
    if (!sink) return;
    try {
      work(sink);
    } catch (thrown) {
      this.#sink = undefined;
      sink.fail(asBeelineError(thrown, 'PROTOCOL'));
    }
  }
}
