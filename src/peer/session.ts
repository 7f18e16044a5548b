/**
 * A session: two peers that share a key, whatever connections come and go. This runs the state table for one side:
 * it turns what lanes, the handshake and the person do into events, and the table's effects into calls.
 */
import type { Lane } from '../lanes/lane.ts';
import type { Pipe } from '../lanes/pipe.ts';
import { Supervisor } from '../lanes/supervisor.ts';
import { laneContext } from '../lanes/tcp/credentials.ts';
import { type Address, dial } from '../lanes/tcp/dial.ts';
import { asBeelineError, BeelineError, type ErrorCode } from '../protocol/errors.ts';
import { DEFAULT_LANES, HANDSHAKE_DEADLINE, MAX_LANES, RECONNECT_DEADLINE } from '../protocol/limits.ts';
import type { Message } from '../protocol/messages.ts';
import type { Hello } from '../protocol/signal.ts';
import { type Effect, type Event, isFinal, type State, step } from '../transfer/machine.ts';
import type { Slab } from '../transfer/ports.ts';
import type { Logger, Result, Transfer, TransferEvent } from './api.ts';
import { Cleanup } from './cleanup.ts';
import type { Certificate, Engine, SessionOptions } from './engine.ts';
import { EventStream } from './event-stream.ts';
import { Farewell } from './farewell.ts';
import { lastWord } from './last-word.ts';
import { errorFromPeer, StatusRegister } from './status.ts';

interface Cause {
  by?: 'self' | 'peer';
  error?: BeelineError;
}

/** Ends of a lane that opening another one would only repeat. */
const FATAL: ReadonlySet<ErrorCode> = new Set(['PROTOCOL', 'BAD_MANIFEST', 'VERSION', 'INTERNAL']);
/** Lanes that proved a certificate before the rendezvous told us whose is right. */
const MAX_EARLY = 8;

export class Session implements Transfer {
  readonly events = new EventStream();
  readonly done: Promise<Result>;
  readonly log: Logger | undefined;
  /** Given the sum of the transfer once it is known. */
  engine: Engine | undefined;
  /** Released in reverse order at the end, whatever the end is. */
  readonly cleanup = new Cleanup((thrown) => this.log?.warn({ error: String(thrown) }, 'cleanup failed'));
  readonly farewell = new Farewell();
  readonly #options: SessionOptions;
  readonly #status: StatusRegister;
  readonly #early: { pipe: Pipe; fingerprint: string }[] = [];
  #settle!: { resolve: (result: Result) => void; reject: (error: BeelineError) => void };
  #state: State = 'idle';
  #supervisor: Supervisor | undefined;
  #pin: string | undefined;
  #deadline: NodeJS.Timeout | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.log = options.log;
    this.#status = new StatusRegister(options.role);
    this.done = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    // Who only iterates the events must not be killed by an unhandled rejection.
    this.done.catch(() => {});
    const { signal } = options;
    const interrupt = () => this.fail(new BeelineError('INTERRUPTED', 'Interrupted here.'));
    signal?.addEventListener('abort', interrupt, { once: true });
    this.cleanup.push(() => signal?.removeEventListener('abort', interrupt));
  }

  get state(): State {
    return this.#state;
  }

  get over(): boolean {
    return isFinal(this.#state);
  }

  [Symbol.asyncIterator](): AsyncIterator<TransferEvent> {
    return this.events[Symbol.asyncIterator]();
  }

  subscribe(listener: (event: TransferEvent) => void): () => void {
    return this.events.subscribe(listener);
  }

  pause(): void {
    if (this.#state !== 'transferring') return;
    this.#status.set('paused');
    this.dispatch('pause', { by: 'self' });
  }

  resume(): void {
    if (this.#state !== 'paused') return;
    this.#status.set('running');
    this.dispatch('resume', { by: 'self' });
  }

  cancel(): void {
    if (this.over) return;
    this.#status.set('cancelled');
    this.dispatch('cancel', { by: 'self', error: new BeelineError('CANCELLED', 'Cancelled here.') });
  }

  /** @param by 'both' when the other side comes to the same conclusion and need not be told */
  fail(thrown: unknown, by: 'self' | 'peer' | 'both' = 'self'): void {
    if (this.over) return;
    const error = asBeelineError(thrown);
    if (by === 'self') this.#status.set('failed', error.code);
    this.dispatch('fail', { by: by === 'both' ? 'self' : by, error });
  }

  /** Both sides agree on the root. */
  complete(result: Result): void {
    if (this.over) return;
    this.dispatch('verified');
    const { files, bytes, resumed, seconds, root } = result;
    void this.#end(() => {
      this.events.emit({ event: 'done', files, bytes, resumed, seconds, root });
      this.#settle.resolve(result);
    });
  }

  /** The last message is out: resolves when the other side has closed its lanes, or had time enough to. */
  async linger(): Promise<void> {
    this.farewell.say();
    if ([...(this.#supervisor?.lanes ?? [])].length > 0) await this.farewell.wait();
  }

  /** Makes the lanes' owner; `pipe`s may be offered from now on. */
  lanes(certificate: Certificate): void {
    const context = laneContext(certificate.cert, certificate.key);
    this.#supervisor = new Supervisor({
      role: this.#options.role,
      count: Math.min(MAX_LANES, Math.max(1, this.#options.lanes ?? DEFAULT_LANES)),
      dial: (to: Address, signal: AbortSignal) => dial(to, context, this.#pin ?? '', signal),
      onLane: (lane) => this.#laneUp(lane),
      onMessage: (lane, message, slab) => this.#message(lane, message, slab),
      onSlab: (_lane, then) => {
        if (!this.engine?.slab) throw new BeelineError('PROTOCOL', 'A receiver does not send chunks.');
        this.engine.slab(then);
      },
      onClosed: (lane, error, left) => this.#laneDown(lane, error, left),
    });
    this.cleanup.push(() => this.#supervisor?.close());
  }

  /** Somebody proved on a lane that it holds the certificate with this fingerprint. */
  offerPipe(pipe: Pipe, fingerprint: string): void {
    if (this.#pin === undefined && !this.over && this.#early.length < MAX_EARLY)
      this.#early.push({ pipe, fingerprint });
    else if (this.#pin === fingerprint && !this.over) this.#supervisor?.add(pipe);
    else pipe.destroy();
  }

  /** The peer is proven, and said where it can be reached. */
  peerKnown(hello: Hello, extra: Address[]): void {
    if (this.over) return;
    if (this.#pin !== undefined && this.#pin !== hello.fingerprint) {
      // The same secret, proven anew by a new process: the old one's lanes are dead even if they do not know it.
      for (const lane of this.#supervisor?.lanes ?? []) lane.close();
      this.engine?.restart?.();
    }
    this.#pin = hello.fingerprint;
    if (this.#options.lanes === undefined && hello.lanes > 0) this.#supervisor?.keep(hello.lanes);
    for (const { pipe, fingerprint } of this.#early.splice(0)) this.offerPipe(pipe, fingerprint);
    this.#supervisor?.candidates([...extra, ...hello.candidates]);
    if (this.#state === 'authenticating') {
      this.#waitAtMost(
        HANDSHAKE_DEADLINE,
        'NO_PATH',
        'The other side is there, but no connection to it can be opened.',
      );
    }
  }

  dispatch(event: Event, cause: Cause = {}): void {
    const from = this.#state;
    const transition = step(from, event);
    if (!transition) return;
    this.#state = transition.to;
    this.log?.debug({ from, to: transition.to, event }, 'state');
    const reason = cause.error?.message;
    const { by } = cause;
    this.events.emit({
      event: 'state',
      from,
      to: transition.to,
      ...(by && { by }),
      ...(reason && { reason }),
    });
    for (const effect of transition.effects) this.#perform(effect, cause);
  }

  #perform(effect: Effect, cause: Cause): void {
    switch (effect) {
      case 'pull':
        clearTimeout(this.#deadline);
        this.engine?.pull();
        return;
      case 'hold':
        return this.engine?.hold();
      case 'open-lanes':
        return this.#waitAtMost(
          RECONNECT_DEADLINE,
          'NO_PATH',
          `The connection was lost and could not be opened again in ${RECONNECT_DEADLINE / 1000} seconds.`,
        );
      case 'tell-peer':
        return this.#tellPeer();
      case 'stop':
        return this.#stop(cause.error ?? new BeelineError('INTERNAL', 'Stopped without a reason.'));
      // Going to the rendezvous and the handshake are begun by who dispatched; finishing by `complete`.
      case 'meet':
      case 'prove':
      case 'finish':
        return;
    }
  }

  #tellPeer(): void {
    for (const lane of this.#supervisor?.lanes ?? []) lane.send(this.#status.message()).catch(() => {});
  }

  #stop(error: BeelineError): void {
    void this.#end(() => {
      const { code, message } = error;
      this.events.emit({ event: 'error', code, message });
      this.#settle.reject(error);
    });
  }

  async #end(announce: () => void): Promise<void> {
    clearTimeout(this.#deadline);
    this.farewell.over();
    await this.engine?.stop();
    const lanes = [...(this.#supervisor?.lanes ?? [])];
    if (lanes.length > 0 && this.#state !== 'completed') await lastWord(lanes);
    for (const { pipe } of this.#early.splice(0)) pipe.destroy();
    await this.cleanup.run();
    announce();
  }

  #waitAtMost(milliseconds: number, code: 'NO_PATH', message: string): void {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.fail(new BeelineError(code, message)), milliseconds);
  }

  #laneUp(lane: Lane): void {
    const { id, kind, local, remote } = lane;
    this.events.emit({ event: 'lane', id, kind, local, remote, status: 'open' });
    this.log?.info({ lane: id, kind, local, remote }, 'lane open');
    if (this.#status.spoken) lane.send(this.#status.message()).catch(() => {});
    this.engine?.addLane(lane);
    this.dispatch('lane-up');
    if (this.#status.state === 'paused') this.dispatch('pause', { by: this.#status.by });
  }

  #laneDown(lane: Lane, error: Error | undefined, left: number): void {
    this.engine?.removeLane(lane);
    const { id, kind, local, remote } = lane;
    this.events.emit({
      event: 'lane',
      id,
      kind,
      local,
      remote,
      status: 'closed',
      ...(error && { reason: error.message }),
    });
    this.log?.info({ lane: id, reason: error?.message }, 'lane closed');
    if (this.farewell.said) {
      if (left === 0) this.farewell.over();
    } else if (error instanceof BeelineError && FATAL.has(error.code)) {
      // The lane was authenticated: what is not the protocol came from the other side itself, and would come again.
      this.fail(error);
    } else if (left === 0) {
      this.dispatch('lanes-lost');
    }
  }

  #message(lane: Lane, message: Message, slab?: Slab): void {
    if (message.type !== 'status') return this.engine?.message(lane, message, slab);
    if (!this.#status.take(message)) return;
    switch (message.state) {
      case 'paused':
        return this.dispatch('pause', { by: 'peer' });
      case 'running':
        return this.dispatch('resume', { by: 'peer' });
      case 'cancelled':
        return this.dispatch('cancel', {
          by: 'peer',
          error: new BeelineError('CANCELLED', 'The other side cancelled.'),
        });
      case 'failed':
        return this.fail(errorFromPeer(message.code), 'peer');
    }
  }
}
