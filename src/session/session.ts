/**
 * A session: two peers that share a key, whatever connections come and go. This runs the state table for one side:
 * it turns what lanes, the handshake and the person do into events, and the table's effects into calls.
 */

import type { Clock } from '../base/clock.ts';
import { asBeelineError, BeelineError } from '../base/errors.ts';
import { escapingLog } from '../base/log-fields.ts';
import type { Lane } from '../lanes/lane.ts';
import { Supervisor } from '../lanes/supervisor.ts';
import type { Pipe } from '../secure/pipe.ts';
import { type Effect, type Event, isFinal, type State, step } from '../sync/machine.ts';
import type { Peer } from '../sync/peer.ts';
import type { KnownKind } from '../transports/transport.ts';
import type { Message, Status } from '../wire/messages.ts';
import type { Hello, Word } from '../wire/signal.ts';
import type { Logger, OfferSummary, Result, Transfer, TransferEvent, TransferOptions } from './api.ts';
import { type Cause, laneEvent } from './cause.ts';
import { Cleanup } from './cleanup.ts';
import { Door } from './door.ts';
import { EventStream } from './event-stream.ts';
import { Farewell } from './farewell.ts';
import type { Known } from './known.ts';
import { lastWordHeard } from './last-word.ts';
import { StateNews } from './news.ts';
import { Reach } from './reach.ts';
import { StatusRegister } from './status.ts';
import { FATAL, reasonToWait, verdict } from './verdict.ts';

const ALL_BUT_THE_LAST_WORD = "Everything arrived and is checked; only the sender's last word is missing.";

export interface SessionOptions extends TransferOptions {
  role: 'sender' | 'receiver';
  clock: Clock;
}

export class Session implements Transfer {
  readonly events = new EventStream();
  readonly done: Promise<Result>;
  readonly log: Logger | undefined;
  /** All time of this session, its lanes and its engine. */
  readonly clock: Clock;
  /** Given the sum of the transfer once it is known. */
  engine: Peer | undefined;
  /** Released in reverse order at the end, whatever the end is. */
  readonly cleanup = new Cleanup((thrown) => this.log?.warn({ error: String(thrown) }, 'cleanup failed'));
  readonly farewell: Farewell;
  readonly door = new Door();
  /** Once there is something to open lanes with. */
  supervisor: Supervisor | undefined;
  /** Says a word by the rendezvous, once somebody is met there: no data goes that way, and it may be there before any lane. */
  say: ((word: Word) => void) | undefined;
  readonly #options: SessionOptions;
  readonly #status: StatusRegister;
  readonly #reach: Reach;
  readonly #news: StateNews;
  #settle!: { resolve: (result: Result) => void; reject: (error: BeelineError) => void };
  #state: State = 'idle';
  #peer: OfferSummary['peer'] = { fingerprint: '' };
  #failure: BeelineError | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.clock = options.clock;
    this.farewell = new Farewell(this.clock);
    this.#news = new StateNews(this.clock, (event) => this.events.emit(event));
    this.log = options.log && escapingLog(options.log);
    this.#status = new StatusRegister(options.role);
    const rest = () => (this.engine?.arrived ? ` ${ALL_BUT_THE_LAST_WORD}` : '');
    this.#reach = new Reach(options, (error) => this.fail(error), rest);
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

  /** Ends it if the signal was aborted before. @returns false if nothing may be opened any more */
  begin(): boolean {
    if (this.#options.signal?.aborted)
      this.fail(new BeelineError('INTERRUPTED', 'Interrupted before it began.'));
    this.dispatch('start');
    return !this.over;
  }

  get state(): State {
    return this.#state;
  }

  get over(): boolean {
    return isFinal(this.#state);
  }

  /** Why it ends; undefined while it runs, and after a success. */
  get failure(): BeelineError | undefined {
    return this.#failure;
  }

  /** Whom people see: a trusted device, or the certificate of the other side's process. Empty until it is proven. */
  get peer(): OfferSummary['peer'] {
    return this.#peer;
  }

  get proven(): boolean {
    return this.#peer.fingerprint !== '';
  }

  [Symbol.asyncIterator](): AsyncIterator<TransferEvent> {
    return this.events[Symbol.asyncIterator]();
  }

  subscribe(listener: (event: TransferEvent) => void): () => void {
    return this.events.subscribe(listener);
  }

  /** @param error what makes it pause by itself */
  pause(error?: BeelineError): void {
    if (this.#state !== 'transferring') return;
    this.#status.set('paused', error?.code);
    this.dispatch('pause', { by: 'self', error });
  }

  resume(): void {
    if (this.over || this.#status.state !== 'paused') return;
    this.#status.set('running');
    if (this.#state === 'paused') this.dispatch('resume', { by: 'self' });
    // Paused, and then every lane was lost: what comes back is to run.
    else this.#tellPeer();
  }

  cancel(): void {
    if (this.over) return;
    this.#status.set('cancelled');
    this.dispatch('cancel', { by: 'self', error: new BeelineError('CANCELLED', 'Cancelled here.') });
  }

  /** The server that the two meet at is away, or there again. What is connected needs it only when it breaks. */
  server(error?: BeelineError): void {
    if (this.over) return;
    this.events.emit({
      ...{ event: 'server', reachable: error === undefined },
      ...(error && { message: error.message }),
    });
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
    const { peer, skipped, ...done } = result;
    void this.#end(() => {
      this.events.emit({ event: 'done', ...done });
      this.#settle.resolve(result);
    });
  }

  /**
   * The roots are equal, and both sides know it: nothing that matters can be lost any more. The receiver says so by the
   * rendezvous too, should the lane that bears its word break; a sender that has heard it closes.
   */
  agreed(): void {
    this.farewell.say();
    if (this.#options.role === 'sender') this.supervisor?.close();
    else this.say?.({ ...this.#status.word, state: 'completed' });
  }

  /** Makes the lanes' owner; pipes may be offered from now on. @param kinds this side's transports, best first */
  supervise(kinds: readonly KnownKind[]): void {
    const { role, lanes: count, limit } = this.#options;
    this.supervisor = new Supervisor({
      ...{ role, kinds, clock: this.clock },
      ...(count !== undefined && { count }),
      free: () => this.#state === 'transferring' && limit === undefined && this.engine?.arrived !== true,
      onLane: (lane) => this.#laneUp(lane),
      onMessage: (lane, message) => this.#message(lane, message),
      onBlocks: (lane, header) => {
        if (!this.engine?.land) throw new BeelineError('PROTOCOL', 'A receiver does not send blocks.');
        return this.engine.land(lane, header);
      },
      onClosed: (lane, error, left) => this.#laneDown(lane, error, left),
      onFailed: ({ kind, name }, error) => this.log?.debug({ kind, name, error: String(error) }, 'no lane'),
      onRetire: (lane) => this.engine?.retireLane?.(lane),
    });
    this.cleanup.push(() => this.supervisor?.close());
  }

  /** Somebody proved on a lane that it holds the certificate with this fingerprint. */
  offerPipe(pipe: Pipe, fingerprint: string): void {
    // The peer may have a relay of its own, which a person here did not want.
    if (this.over || (this.#options.relay === 'never' && pipe.relayed)) pipe.destroy();
    else if (this.door.admits(pipe, fingerprint)) this.supervisor?.add(pipe);
  }

  /**
   * The peer has proved the secret and said where it can be reached: again when it moves, or as a new process.
   * @param device whom the secret belongs to, if it is a trusted device's
   * @returns false when nothing is to be made of it any more
   */
  peerProven(hello: Hello, device: Known['device']): boolean {
    if (this.over || this.farewell.said) return false;
    const who = this.door.prove(hello.fingerprint);
    if (who === 'ended') return false;
    this.#introduce(hello, device);
    if (who === 'new') this.#restart();
    if (this.over) return false;
    if (this.#options.lanes === undefined && hello.lanes > 0) this.supervisor?.keep(hello.lanes);
    for (const { pipe, fingerprint } of this.door.early()) this.offerPipe(pipe, fingerprint);
    // What was said while it was away is lost.
    if (this.#status.spoken) this.say?.(this.#status.word);
    if (this.#state === 'authenticating') this.#reach.proven();
    return true;
  }

  #introduce({ fingerprint: certificate, agent }: Hello, device: Known['device']): void {
    const fingerprint = device?.key ?? certificate;
    const name = device && { name: device.name };
    if (fingerprint !== this.#peer.fingerprint)
      this.events.emit({ event: 'peer', fingerprint, agent, ...name });
    this.#peer = { fingerprint, ...name };
  }

  /** The same secret, proven by a new process: the old one's lanes are dead even if they do not know it. */
  #restart(): void {
    this.supervisor?.drop();
    this.farewell.over();
    this.#status.restart();
    if (this.engine?.restartable === false)
      this.fail(new BeelineError('PEER_FAILED', 'The other side ended, and a stream cannot be sent twice.'));
    else this.engine?.restart();
  }

  dispatch(event: Event, cause: Cause = {}): void {
    const from = this.#state;
    const transition = step(from, event);
    if (!transition) return;
    this.#state = transition.to;
    this.log?.debug({ from, to: transition.to, event }, 'state');
    this.#news.changed(transition.to, cause);
    for (const effect of transition.effects) this.#perform(effect, cause);
  }

  #perform(effect: Effect, cause: Cause): void {
    switch (effect) {
      case 'pull':
        this.#reach.connected();
        return this.engine?.pull();
      case 'hold':
        return this.engine?.hold();
      case 'open-lanes':
        return this.#reach.lost();
      case 'meet':
        return this.#reach.left();
      case 'tell-peer':
        return this.#tellPeer();
      case 'stop':
        return this.#stop(cause.error ?? new BeelineError('INTERNAL', 'Stopped without a reason.'));
      // The handshake is begun by who dispatched; finishing by `complete`.
      case 'prove':
      case 'finish':
        return;
    }
  }

  #tellPeer(): void {
    for (const lane of this.supervisor?.lanes ?? []) lane.send(this.#status.message()).catch(() => {});
    this.say?.(this.#status.word);
  }

  #stop(error: BeelineError): void {
    this.#failure = error;
    void this.#end(() => {
      const { code, reason, message } = error;
      this.events.emit({ event: 'error', code, ...(reason && { reason }), message });
      this.#settle.reject(error);
    });
  }

  async #end(announce: () => void): Promise<void> {
    this.#reach.end();
    this.farewell.over();
    const { final, by } = this.#status;
    const { role } = this.#options;
    // By closing a side shows that it has heard: that the other ends, or as a sender that the receiver is done.
    if (this.farewell.said ? role === 'sender' : final && by === 'peer') this.supervisor?.close();
    await Promise.all([this.engine?.stop(), lastWordHeard(this.clock, [...(this.supervisor?.lanes ?? [])])]);
    for (const { pipe } of this.door.early()) pipe.destroy();
    await this.cleanup.run();
    announce();
  }

  #laneUp(lane: Lane): void {
    const { id, kind, local, remote } = lane;
    this.events.emit(laneEvent(lane, 'open'));
    this.log?.info({ lane: id, kind, local, remote }, 'lane open');
    if (this.#status.spoken) lane.send(this.#status.message()).catch(() => {});
    this.engine?.addLane(lane);
    this.dispatch('lane-up');
    if (this.#status.state === 'paused') this.dispatch('pause', { by: this.#status.by });
  }

  #laneDown(lane: Lane, error: Error | undefined, left: number): void {
    this.engine?.removeLane(lane);
    // At the end both sides close, in whatever order: how a lane took that is no reason for anything.
    const reason = this.over || this.farewell.said ? undefined : error;
    this.events.emit(laneEvent(lane, 'closed', reason));
    this.log?.info({ lane: lane.id, reason: error?.message }, 'lane closed');
    if (this.farewell.said) return;
    if (error instanceof BeelineError && FATAL.has(error.code)) {
      // The lane was authenticated: what is not the protocol came from the other side itself, and would come again.
      this.fail(error);
    } else if (left === 0) {
      this.dispatch('lanes-lost');
    }
  }

  #message(lane: Lane, message: Message): void {
    if (message.type !== 'status') return this.engine?.message(lane, message);
    this.#hear(message);
  }

  /** The proven peer says it by the rendezvous. */
  hear(word: Word): void {
    if (this.over || this.door.ended) return;
    const { state } = word;
    if (state !== 'completed') this.#hear({ ...word, state, text: '' });
    else if (this.#options.role === 'sender') this.farewell.heard();
  }

  #hear(status: Status): void {
    const { role } = this.#options;
    const reason = role === 'sender' && status.state === 'failed' ? reasonToWait(status.code) : undefined;
    if (reason && this.engine?.restartable !== false) return this.#peerEnded(reason);
    if (this.#status.take(status))
      this.dispatch(...verdict(status, role === 'sender' ? 'receiver' : 'sender'));
  }

  /** Whatever the register says: that a process ends is a fact, not a wish. */
  #peerEnded(reason: string): void {
    this.door.end();
    this.dispatch('peer-ended', { by: 'peer', reason });
    // Nobody is left to dial.
    this.supervisor?.paths([]);
    this.supervisor?.drop();
  }
}
