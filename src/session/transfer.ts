/**
 * What a program holds of a send or a receive: its events, its end, and the person's wishes. It is there at once; its sessions, one for
 * each peer, open behind it. What is opened for the offer as a whole is released here, after the sessions' own.
 */
import { asBeelineError, BeelineError, fault } from '../base/errors.ts';
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

/** The first of these that some session is in is the state of the whole. */
const FURTHEST: readonly State[] = ['transferring', 'paused', 'authenticating', 'connecting', 'idle'];
/** Events of a session that are about its peer, at either side; at a sender all others are too. */
const OF_A_PEER: ReadonlySet<TransferEvent['event']> = new Set(['state', 'peer', 'lane']);

/** Decides what follows when one of several sessions has ended. */
export interface SessionOwner {
  /** Called for each session, with the end of its own. */
  ended(session: Session, end: SessionEnd): void;
  /** The whole was ended while there was no session. */
  idle(): void;
  admitNoMore(): void;
}

export class Running implements Transfer {
  readonly events = new EventStream();
  readonly done: Promise<Result>;
  readonly closed: Promise<void>;
  readonly log: Logger | undefined;
  readonly role: Role;
  /** The first of its sessions, and of a receiver the only one. */
  readonly session: Session;
  /** What comes in at this process's ports. */
  readonly pipes: IncomingPipes;
  /** Those that are not over. */
  readonly sessions = new Set<Session>();
  /**
   * Goes on after a good end, until it resolves; undefined if there is nothing to go on with. `stop` makes it resolve at once. What is
   * open is released after it.
   */
  afterwards: { run(): Promise<void> | undefined; stop(): void } | undefined;
  /** Absent: the end of the first session is the end of the whole. */
  owner: SessionOwner | undefined;
  /** There may be more than one session. */
  several = false;
  /** Released in reverse order at the end, whatever the end is, when all sessions are closed. */
  readonly cleanup = new Cleanup((thrown) => this.log?.warn({ error: String(thrown) }, 'cleanup failed'));
  /** For what is waited for outside of the sessions: aborted at the end, and at once when the person's own signal is. */
  readonly signal: AbortSignal;
  readonly #platform: Platform;
  readonly #options: TransferOptions;
  readonly #person: AbortSignal | undefined;
  #count = 0;
  #paused = false;
  /** Why the whole ends. */
  #failure: BeelineError | undefined;
  #over = false;
  #close!: () => void;
  #settle!: { resolve: (result: Result) => void; reject: (error: BeelineError) => void };

  constructor(role: Role, platform: Platform, options: TransferOptions) {
    this.role = role;
    this.#platform = platform;
    this.#options = options;
    this.log = options.log && escapingLog(options.log);
    this.#person = options.signal;
    this.done = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.closed = new Promise((resolve) => {
      this.#close = resolve;
    });
    // If nobody awaits `done`, a rejection must not crash the process.
    this.done.catch(() => {});
    this.pipes = new IncomingPipes(platform.clock);
    this.session = this.another();
    const stop = new AbortController();
    this.signal = stop.signal;
    const interrupt = () => {
      // This comes first: the other side hears of it by the mailbox, and the signal closes that.
      this.fail(new BeelineError('INTERRUPTED', 'Interrupted here.'));
      stop.abort(this.#person?.reason);
    };
    this.#person?.addEventListener('abort', interrupt, { once: true });
    this.cleanup.push(() => {
      this.#person?.removeEventListener('abort', interrupt);
      stop.abort();
    });
  }

  /** One more session, for one more peer. @param again for one that has had everything before */
  another(again = false): Session {
    const { role } = this;
    const id = ++this.#count;
    const session: Session = new Session({
      ...{ id, role, platform: this.#platform, options: this.#options },
      ...{ log: this.log, pipes: this.pipes, paused: this.#paused, again },
      several: () => this.several,
      mayPin: (session, fingerprint) => this.mayPin(session, fingerprint),
      emit: (event) => this.#tell(session, event),
      ended: (end) => {
        this.sessions.delete(session);
        if (this.owner) this.owner.ended(session, end);
        else this.end(end);
      },
    });
    this.sessions.add(session);
    return session;
  }

  /** One process has one session: whether no other than this one has the process with this certificate as its peer. */
  mayPin(session: Session | undefined, fingerprint: string): boolean {
    for (const other of this.sessions)
      if (other !== session && !other.over && other.pin === fingerprint) return false;
    return true;
  }

  /** Ends it if the signal was aborted before. @returns false if nothing may be opened any more */
  begin(): boolean {
    if (this.#person?.aborted) this.fail(new BeelineError('INTERRUPTED', 'Interrupted before it began.'));
    this.session.dispatch('start');
    return !this.over;
  }

  get state(): State {
    const states = new Set([...this.sessions].map(({ state }) => state));
    return FURTHEST.find((state) => states.has(state)) ?? this.session.state;
  }

  /** It is being ended as a whole, or has ended. */
  get ends(): boolean {
    return this.#over || this.#failure !== undefined;
  }

  /** Nothing may be opened for it any more. */
  get over(): boolean {
    return this.ends || (this.sessions.size > 0 && [...this.sessions].every(({ over }) => over));
  }

  [Symbol.asyncIterator](): AsyncIterator<TransferEvent> {
    return this.events[Symbol.asyncIterator]();
  }

  subscribe(listener: (event: TransferEvent) => void): () => void {
    return this.events.subscribe(listener);
  }

  pause(): void {
    for (const session of this.sessions) session.pause();
    this.#paused = [...this.sessions].some(({ state }) => state === 'paused');
    // Those that are not connected yet are to begin so too.
    if (this.#paused && this.several) for (const session of this.sessions) session.pauseFirst();
  }

  resume(): void {
    this.#paused = false;
    for (const session of this.sessions) session.resume();
  }

  cancel(): void {
    this.#failure ??= new BeelineError('CANCELLED', 'Cancelled here.');
    this.afterwards?.stop();
    for (const session of [...this.sessions]) session.cancel();
    this.#endIfIdle();
  }

  admitNoMore(): void {
    if (this.role === 'receiver') return;
    if (this.owner) this.owner.admitNoMore();
    // It has no code yet.
    else this.fail(fault('NOBODY_CAME'));
  }

  /** Ends the whole, and every session with it. */
  fail(thrown: unknown): void {
    const error = asBeelineError(thrown);
    this.#failure ??= error;
    this.afterwards?.stop();
    for (const session of [...this.sessions]) session.fail(error);
    this.#endIfIdle();
  }

  /** Why the whole was ended from here, if it was. */
  get failure(): BeelineError | undefined {
    return this.#failure;
  }

  /** Somebody proved on a lane that it holds the certificate with this fingerprint. */
  offerPipe(pipe: Pipe, fingerprint: string): void {
    this.pipes.offer(pipe, fingerprint);
  }

  /** The last session has closed: everything is released, and the person told. */
  async end(end: SessionEnd): Promise<void> {
    if (this.#over) return;
    this.#over = true;
    const more = 'result' in end ? this.afterwards?.run() : undefined;
    if (!more) await this.cleanup.run();
    this.#report(end);
    await more;
    if (more) await this.cleanup.run();
    this.#close();
  }

  #report(end: SessionEnd): void {
    if ('result' in end) {
      const { peer, skipped, receivers, ...done } = end.result;
      this.events.emit({ event: 'done', ...done });
      return this.#settle.resolve(end.result);
    }
    const { code, reason, message } = end.error;
    this.events.emit({ event: 'error', code, ...(reason && { reason }), message });
    this.#settle.reject(end.error);
  }

  /** The last session has ended and the next one is not there yet: no end of a session will follow. */
  #endIfIdle(): void {
    if (this.sessions.size > 0 || !this.#failure) return;
    if (this.owner) this.owner.idle();
    else void this.end({ error: this.#failure });
  }

  #tell(session: Session, event: TransferEvent): void {
    // Of the sessions that wait for their peers, people are told of the first only.
    if (event.event === 'state' && session.id > 1 && !session.proven) return;
    const named = 'peer' in event && event.peer !== undefined;
    const ofPeer = this.role === 'sender' ? event.event !== 'digest' : OF_A_PEER.has(event.event);
    this.events.emit(ofPeer && !named ? ({ ...event, peer: session.id } as TransferEvent) : event);
  }
}
