/** A pipe whose socket another thread has, as the session sees it. */
import { asBeelineError, fault } from '../base/errors.ts';
import { lend } from '../base/slab.ts';
import type { Pipe } from '../secure/pipe.ts';
import type { FrameSink, Landing } from '../wire/framing.ts';
import { heard, type News, type Order } from './words.ts';

/** What of the news is for one pipe. */
export type PipeNews = Extract<
  News,
  { is: 'wrote' | 'message' | 'blocks' | 'part' | 'bytes' | 'wrong' | 'closed' }
>;

export type PipeEnds = Pick<Pipe, 'local' | 'remote' | 'openedInMs'>;

/** Bytes after which the other thread hears that they have been heard. */
const HEARD_BYTES = 64 * 1024;

export class ThreadPipe implements Pipe {
  readonly kind = 'tcp';
  readonly local: string;
  readonly remote: string;
  readonly openedInMs: number;
  readonly #number: number;
  readonly #order: (order: Order) => void;
  readonly #gone: () => void;
  #sink: FrameSink | undefined;
  #came: (bytes: number) => void = () => {};
  #closed: ((error?: Error) => void) | undefined;
  #written: ((error?: Error | null) => void) | undefined;
  /** Blocks that come in parts, and how many bytes are missing. */
  #landing: Landing | undefined;
  #left = 0;
  #heard = 0;
  #destroyed = false;
  #over = false;
  #bearsLosses = false;

  /** @param gone called once, when nothing more comes of it */
  constructor(
    number: number,
    { local, remote, openedInMs = 0 }: PipeEnds,
    order: (order: Order) => void,
    gone: () => void,
  ) {
    this.#number = number;
    this.local = local;
    this.remote = remote;
    this.openedInMs = openedInMs;
    this.#order = order;
    this.#gone = gone;
  }

  /** Calls back only when the other thread does not touch the bytes any more, also after `destroy`. */
  write(bytes: Uint8Array, done: (error?: Error | null) => void): void {
    if (this.#over || this.#destroyed) return void queueMicrotask(() => done(fault('LANE_CLOSED')));
    this.#written = done;
    // Of what is not shared all memory under it would be copied.
    const own = bytes.buffer instanceof SharedArrayBuffer || bytes.length === bytes.buffer.byteLength;
    this.#order({ do: 'write', pipe: this.#number, bytes: own ? bytes : bytes.slice() });
  }

  frames(sink: FrameSink, came: (bytes: number) => void) {
    this.#sink = sink;
    this.#came = came;
    return { end: () => this.#end() };
  }

  asks(bytes: number): void {
    this.#order({ do: 'ask', pipe: this.#number, bytes });
  }

  measured(roundTripMs: number): void {
    this.#order({ do: 'measured', pipe: this.#number, roundTripMs });
  }

  /** As of what was written last. */
  bearsLosses(): boolean {
    return this.#bearsLosses;
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
    if (this.#over || this.#destroyed) return;
    this.#destroyed = true;
    this.#order({ do: 'close', pipe: this.#number });
  }

  /** The other thread is done with it. @param error why */
  over(error?: Error): void {
    if (this.#over) return;
    this.#over = true;
    this.#end();
    this.#gone();
    const written = this.#written;
    this.#written = undefined;
    written?.(error ?? fault('LANE_CLOSED'));
    this.#closed?.(error);
  }

  hear(news: PipeNews): void {
    switch (news.is) {
      case 'wrote': {
        const done = this.#written;
        this.#written = undefined;
        this.#bearsLosses = news.bearsLosses;
        return done?.(news.error === undefined ? null : new Error(news.error));
      }
      case 'bytes':
        return this.#came(news.count);
      case 'message':
        this.#hear(news.bytes);
        return this.#guarded((sink) => sink.message(news.message));
      case 'blocks':
        return this.#blocks(news);
      case 'part':
        this.#hear(news.bytes.length);
        return this.#part(news);
      case 'wrong':
        return this.#guarded(() => {
          throw heard(news.error);
        });
      case 'closed':
        return this.over(news.error === undefined ? undefined : new Error(news.error));
    }
  }

  #hear(bytes: number): void {
    this.#heard += bytes;
    if (this.#heard < HEARD_BYTES) return;
    this.#order({ do: 'heard', pipe: this.#number, bytes: this.#heard });
    this.#heard = 0;
  }

  #blocks({ header, whole }: PipeNews & { is: 'blocks' }): void {
    const slab = lend(whole, () => this.#order({ do: 'free', whole }));
    let kept = false;
    this.#guarded((sink) => {
      kept = sink.land(header).take(slab);
    });
    if (!kept) slab.release();
  }

  #part({ header, bytes }: PipeNews & { is: 'part' }): void {
    this.#guarded((sink) => {
      if (header) {
        this.#landing = sink.land(header);
        this.#left = header.bytes;
      }
      const landing = this.#landing;
      this.#left -= bytes.length;
      if (this.#left === 0) this.#landing = undefined;
      landing?.put(bytes);
    });
  }

  /** As of `FrameReader`: whoever throws ends the lane. */
  #guarded(work: (sink: FrameSink) => void): void {
    const sink = this.#sink;
    if (!sink) return;
    try {
      work(sink);
    } catch (thrown) {
      this.#end();
      sink.fail(asBeelineError(thrown, 'PROTOCOL'));
    }
  }

  #end(): void {
    this.#sink = undefined;
    this.#landing?.cut();
    this.#landing = undefined;
  }
}
