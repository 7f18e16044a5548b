/**
 * What a program holds of a send or a receive: its events, its end, and the person's wishes. It is there at once; the session
 * with the other side opens behind it. What is opened for the offer as a whole is released here, after the session's own.
 */
import { asBeelineError, BeelineError } from '../base/errors.ts';
import { escapingLog } from '../base/log-fields.ts';
import type { Pipe } from '../secure/pipe.ts';
import type { State } from '../sync/machine.ts';
import type { Role } from '../transports/transport.ts';
import type { Logger, Result, Transfer, TransferEvent, TransferOptions } from './api.ts';
import { Cleanup } from './cleanup.ts';
import { EventStream } from './event-stream.ts';
import { IncomingPipes } from './incoming.ts';
import type { Platform } from './ports.ts';
import { Session, type SessionEnd } from './session.ts';

export class Running implements Transfer {
  readonly events = new EventStream();
  readonly done: Promise<Result>;
  readonly log: Logger | undefined;
  readonly session: Session;
  /** What comes in at this process's ports. */
  readonly pipes: IncomingPipes;
  /** Released in reverse order at the end, whatever the end is, when the session is closed. */
  readonly cleanup = new Cleanup((thrown) => this.log?.warn({ error: String(thrown) }, 'cleanup failed'));
  /** For what is waited for outside of the session: aborted at the end, and at once when the person's own signal is. */
  readonly signal: AbortSignal;
  readonly #person: AbortSignal | undefined;
  #settle!: { resolve: (result: Result) => void; reject: (error: BeelineError) => void };

  constructor(role: Role, platform: Platform, options: TransferOptions) {
    this.log = options.log && escapingLog(options.log);
    this.#person = options.signal;
    this.done = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    // If nobody awaits `done`, a rejection must not crash the process.
    this.done.catch(() => {});
    this.pipes = new IncomingPipes(platform.clock);
    this.session = new Session({
      ...{ role, platform, options, log: this.log, pipes: this.pipes },
      emit: (event) => this.events.emit(event),
      ended: (end) => void this.#end(end),
    });
    const stop = new AbortController();
    this.signal = stop.signal;
    const interrupt = () => {
      // First: the other side hears of it by the mailbox, which the signal closes.
      this.fail(new BeelineError('INTERRUPTED', 'Interrupted here.'));
      stop.abort(this.#person?.reason);
    };
    this.#person?.addEventListener('abort', interrupt, { once: true });
    this.cleanup.push(() => {
      this.#person?.removeEventListener('abort', interrupt);
      stop.abort();
    });
  }

  /** Ends it if the signal was aborted before. @returns false if nothing may be opened any more */
  begin(): boolean {
    if (this.#person?.aborted) this.fail(new BeelineError('INTERRUPTED', 'Interrupted before it began.'));
    this.session.dispatch('start');
    return !this.over;
  }

  get state(): State {
    return this.session.state;
  }

  get over(): boolean {
    return this.session.over;
  }

  [Symbol.asyncIterator](): AsyncIterator<TransferEvent> {
    return this.events[Symbol.asyncIterator]();
  }

  subscribe(listener: (event: TransferEvent) => void): () => void {
    return this.events.subscribe(listener);
  }

  pause(): void {
    this.session.pause();
  }

  resume(): void {
    this.session.resume();
  }

  cancel(): void {
    this.session.cancel();
  }

  fail(thrown: unknown): void {
    this.session.fail(asBeelineError(thrown));
  }

  /** Somebody proved on a lane that it holds the certificate with this fingerprint. */
  offerPipe(pipe: Pipe, fingerprint: string): void {
    this.pipes.offer(pipe, fingerprint);
  }

  async #end(end: SessionEnd): Promise<void> {
    await this.cleanup.run();
    if ('result' in end) {
      const { peer, skipped, ...done } = end.result;
      this.events.emit({ event: 'done', ...done });
      return this.#settle.resolve(end.result);
    }
    const { code, reason, message } = end.error;
    this.events.emit({ event: 'error', code, ...(reason && { reason }), message });
    this.#settle.reject(end.error);
  }
}
