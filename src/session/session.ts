/**
 * A session: two peers that share a key, whatever connections come and go. It runs the state table for one side: it turns what the
 * rendezvous, the lanes and the person do into events, and each of the table's effects into a call.
 */
import { fromHex } from '../base/bytes.ts';
import { Alarm } from '../base/clock.ts';
import { asBeelineError, BeelineError, fault } from '../base/errors.ts';
import { HANDSHAKE_DEADLINE } from '../base/limits.ts';
import { formatDeviceKey } from '../identity/device-key.ts';
import type { Lane } from '../lanes/lane.ts';
import { Supervisor } from '../lanes/supervisor.ts';
import { COMMON_HASH } from '../offer/hashing.ts';
import type { Pipe } from '../secure/pipe.ts';
import { type Effect, type Event, isFinal, type State, step } from '../sync/machine.ts';
import type { Peer } from '../sync/peer.ts';
import type { Path } from '../transports/path.ts';
import type { Role } from '../transports/transport.ts';
import type { Message, Status } from '../wire/messages.ts';
import type { Hello, Word } from '../wire/signal.ts';
import type { Logger, OfferSummary, Result, TransferEvent, TransferOptions } from './api.ts';
import { type Cause, laneEvent, warningEvent } from './cause.ts';
import { Cleanup } from './cleanup.ts';
import { AnswerDeadline, Confirmation, LaneDeadline } from './deadlines.ts';
import { drained } from './drain.ts';
import type { IncomingPipes } from './incoming.ts';
import { StateNews } from './news.ts';
import { PinnedProcess } from './pinned.ts';
import type { Known, NetworkPort, Platform } from './ports.ts';
import { StatusRegister } from './status.ts';
import { causeToWait, FATAL, verdict } from './verdict.ts';

export type SessionEnd = { result: Result } | { error: BeelineError };

export interface SessionOptions {
  /** Among the sessions of one transfer, from 1. */
  id: number;
  role: Role;
  platform: Platform;
  options: Pick<TransferOptions, 'lanes' | 'limit' | 'relay' | 'wait'>;
  log: Logger | undefined;
  emit: (event: TransferEvent) => void;
  /** What comes in at this process's ports. */
  pipes: IncomingPipes;
  /** Whether no other session has the process with this certificate as its peer. */
  mayPin: (session: Session, fingerprint: string) => boolean;
  /** Others are served beside it: one who has proved itself and does not come is given up, and makes room. */
  several: () => boolean;
  /** The whole is paused from here: this one begins so. */
  paused: boolean;
  /** Its peer has had everything before. */
  again: boolean;
  /** Called once, when all that the session held is released. */
  ended: (end: SessionEnd) => void;
}

/** The peer's end of the rendezvous, once it is known which it is. */
export interface Correspondent {
  /** Its number at the mailbox; 0 for a receiver's sender. */
  readonly guest: number;
  /** It is there now. */
  readonly present: boolean;
  /** Tells it where this side can be reached now. */
  update(): void;
  say(word: Word): void;
}

/** What a session is made of, once it is open. */
export interface Parts {
  engine: Peer;
  network: NetworkPort;
  known: Partial<Known>;
  /** A receiver's: what it is for, by which a sender knows it again after it was started anew. */
  place?: string;
  /** The public key, in hex, under which the other side may remember this one. Absent: it may not. */
  device?: string;
}

interface Open extends Parts {
  supervisor: Supervisor;
}

/** Times that the sender may come or go before it is proven, each with a deadline of its own. */
const MOST_TURNS = 16;
const ALL_BUT_THE_LAST_WORD = "Everything arrived and is checked; only the sender's last word is missing.";

export class Session {
  /** Among the sessions of one transfer, from 1: events tell peers apart by it. */
  readonly id: number;
  readonly role: Role;
  /** At a sender: its receiver has had everything before, and has come once more. */
  readonly again: boolean;
  readonly log: Logger | undefined;
  readonly emit: (event: TransferEvent) => void;
  /** Released in reverse order at the end, whatever the end is. */
  readonly cleanup = new Cleanup((thrown) => this.log?.warn({ error: String(thrown) }, 'cleanup failed'));
  /** What it ends with if its peer goes now, who is not waited for; undefined: it waits. */
  fleeting: () => BeelineError | undefined = () => undefined;
  readonly confirmation: Confirmation;
  readonly answer: AnswerDeadline;
  readonly pipes: IncomingPipes;
  readonly #options: SessionOptions;
  readonly #status: StatusRegister;
  readonly #lane: LaneDeadline;
  /** For the peer's hello, while it is at the rendezvous. */
  readonly #hello: Alarm;
  readonly #news: StateNews;
  readonly #pinned = new PinnedProcess();
  readonly #watchers: ((from: State, to: State) => void)[] = [];
  #open: Open | undefined;
  /** The peer at the rendezvous. */
  #party: Correspondent | undefined;
  #state: State = 'idle';
  #peer: OfferSummary['peer'] = { fingerprint: '' };
  #failure: BeelineError | undefined;
  #turns = 0;
  /** The peer's, with which it was let in. */
  #place: string | undefined;

  constructor(options: SessionOptions) {
    const { role, platform, log, emit, pipes } = options;
    const { clock } = platform;
    this.id = options.id;
    this.role = role;
    this.again = options.again;
    this.log = log;
    this.emit = emit;
    this.pipes = pipes;
    this.#options = options;
    this.#status = new StatusRegister(role);
    if (options.paused) this.#status.set('paused');
    this.#news = new StateNews(clock, emit);
    this.#hello = new Alarm(clock);
    this.confirmation = new Confirmation(clock);
    this.answer = new AnswerDeadline(clock, (what) => this.fail(fault('PEER_SILENT', { what })));
    const more = () => (this.engine?.arrived ? ` ${ALL_BUT_THE_LAST_WORD}` : '');
    const { wait } = options.options;
    this.#lane = new LaneDeadline(clock, { role, wait }, (error) => this.fail(error), more);
    pipes.add(this);
  }

  get clock() {
    return this.#options.platform.clock;
  }

  get state(): State {
    return this.#state;
  }

  get over(): boolean {
    return isFinal(this.#state);
  }

  /** Its peer has everything, and at a sender has had time to hear so. */
  get finished(): boolean {
    return this.over ? !this.#failure : this.confirmation.agreed;
  }

  /** Why it ends; undefined while it runs, and after a success. */
  get failure(): BeelineError | undefined {
    return this.#failure;
  }

  /** Whom people see: a trusted device, or the certificate of the other side's process. Empty until it is proven. */
  get peer(): OfferSummary['peer'] {
    return this.#peer;
  }

  /** This side, as the other sees it: its device's key, or its certificate. */
  get own(): string {
    const { known, network } = this.#open!;
    return known.own ?? network.hello().fingerprint;
  }

  get proven(): boolean {
    return this.#peer.fingerprint !== '';
  }

  /** The fingerprint of the certificate that lanes are opened to; empty, which none has, until the peer is proven. */
  get pin(): string {
    return this.#pinned.fingerprint;
  }

  /** What the peer receives this for; the same when it is started again. */
  get place(): string | undefined {
    return this.#place;
  }

  /** Its peer is at the rendezvous. */
  get attended(): boolean {
    return this.#party?.present === true;
  }

  /** It had a peer, which is neither connected nor at the rendezvous. */
  get deserted(): boolean {
    return this.proven && !this.attended && !this.connected;
  }

  /** The peer's number at the mailbox, at a sender. */
  get guest(): number | undefined {
    return this.#party?.guest;
  }

  get lanes(): Iterable<Lane> {
    return this.#open?.supervisor.lanes ?? [];
  }

  /** A lane to its peer is open. */
  get connected(): boolean {
    return this.#state === 'transferring' || this.#state === 'paused';
  }

  /** Bytes that lanes of each kind have carried so far. */
  get carried(): ReadonlyMap<string, number> {
    return this.#open?.supervisor.carried ?? new Map();
  }

  /** Undefined until the session is open. */
  get engine(): Peer | undefined {
    return this.#open?.engine;
  }

  /** What a hello says of this side now. */
  hello(): Hello {
    const { network, place, device, engine } = this.#open!;
    const { platform, options } = this.#options;
    const hashes = engine.hashes?.();
    return {
      ...{ ...network.hello(), agent: platform.agent, lanes: options.lanes ?? 0 },
      ...(place !== undefined && { place }),
      ...(device !== undefined && { device }),
      ...(hashes && { hashes: [...hashes] }),
    };
  }

  /** Everything is there: the other side is shown this one's, and lanes may come up. */
  open(parts: Parts): void {
    const { engine, network } = parts;
    if (this.over || this.#open) return;
    const { role } = this;
    const { lanes, limit } = this.#options.options;
    const supervisor = new Supervisor({
      ...{ role, kinds: network.kinds, clock: this.clock },
      ...(lanes !== undefined && { count: lanes }),
      free: () => this.#state === 'transferring' && limit === undefined && engine.arrived !== true,
      shared: () => engine.shared === true,
      ...(role === 'receiver' && { slight: () => engine.slight }),
      onLane: (lane) => this.#laneUp(lane, engine),
      onMessage: (lane, message) => this.#message(lane, message, engine),
      onBlocks: (lane, header) => {
        if (!engine.land) throw fault('PEER_MISBEHAVES', { what: 'sent blocks, which a receiver does not' });
        return engine.land(lane, header);
      },
      onClosed: (lane, error, left) => this.#laneDown(lane, error, left, engine),
      onFailed: ({ kind, name }, error) => this.log?.debug({ kind, name, error: String(error) }, 'no lane'),
      onRetire: (lane) => engine.retireLane?.(lane),
    });
    this.cleanup.push(() => supervisor.close());
    this.#open = { ...parts, supervisor };
    // Until the sender is known to be away.
    if (role === 'receiver') this.#expect(true);
  }

  /**
   * The peer's end of the rendezvous: a sender's receiver is met once it has proved itself, a receiver's sender before.
   * @param place of a sender's receiver
   */
  meet(party: Correspondent, place?: string): void {
    this.#party = party;
    this.#place = place;
    // It may have come when another session was to have it.
    if (this.role === 'sender') this.dispatch('peer-found');
  }

  /** Calls back with every change of state as it happens; people are told by events, which may lag. */
  watch(changed: (from: State, to: State) => void): void {
    this.#watchers.push(changed);
  }

  /** @param error what makes it pause by itself */
  pause(error?: BeelineError): void {
    if (this.#state !== 'transferring') return;
    this.#status.set('paused', error?.code);
    this.dispatch('pause', { by: 'self', error });
  }

  /** It pauses as soon as it is connected. */
  pauseFirst(): void {
    if (this.#state !== 'transferring' && !this.over && this.#status.state === 'running')
      this.#status.set('paused');
  }

  resume(): void {
    if (this.over || this.#status.state !== 'paused') return;
    this.#status.set('running');
    if (this.#state === 'paused') this.dispatch('resume', { by: 'self' });
    // It was paused, and then every lane was lost: when one is back, it runs.
    else this.#tellPeer();
  }

  cancel(): void {
    if (this.over) return;
    this.#status.set('cancelled');
    this.dispatch('cancel', { by: 'self', error: new BeelineError('CANCELLED', 'Cancelled here.') });
  }

  warn(error: BeelineError, path?: string): void {
    this.emit(warningEvent(error, path));
  }

  /** @param by 'both' when the other side comes to the same conclusion and need not be told */
  fail(thrown: unknown, by: 'self' | 'peer' | 'both' = 'self'): void {
    if (this.over) return;
    const error = asBeelineError(thrown);
    if (by === 'self') this.#status.set('failed', error.code);
    this.dispatch('fail', { by: by === 'both' ? 'self' : by, error });
  }

  /**
   * The roots are equal, and both sides know it: nothing that matters can be lost any more. The receiver says so by the
   * rendezvous too, should the lane that bears its word break; a sender that has heard it closes.
   */
  agreed(): void {
    this.confirmation.agree();
    if (this.role === 'sender') this.#open?.supervisor.close();
    else this.#say({ ...this.#status.word, state: 'completed' });
  }

  /** All that follows from the agreement is done. */
  complete(result: Result): void {
    this.dispatch('verified', { result });
  }

  /** A part of what is missing came from others: as long as that goes on, the peer is waited for. */
  goesOn(): void {
    this.#lane.goesOn();
  }

  /** Others were given something: so, for a day. */
  gives(): void {
    this.#lane.gives();
  }

  /** What the engine waits for has changed. */
  awaits(): void {
    this.answer.awaits(this.over ? undefined : this.engine?.awaits, this.#state === 'transferring');
  }

  /** This side can be reached in another way: a proven peer is told. */
  moved(): void {
    this.#party?.update();
  }

  /** The network of this machine has changed: lanes that stand on addresses that are gone, or fell silent, are dead. */
  networkChanged(hosts: ReadonlySet<string>): void {
    this.#open?.supervisor.moved(hosts);
  }

  /** The ways to the peer, as of now. A process that said that it ends is not dialled. */
  paths(paths: readonly Path[]): void {
    this.#open?.supervisor.paths(this.#pinned.ended ? [] : paths);
  }

  /** Somebody proved on a lane that it holds the certificate with this fingerprint. */
  offerPipe(pipe: Pipe, fingerprint: string): void {
    // The peer may have a relay of its own, which a person here did not want.
    const unwanted = this.#options.options.relay === 'never' && pipe.relayed;
    const open = this.#open;
    if (!open || this.over || unwanted || !this.#pinned.admits(fingerprint)) pipe.destroy();
    else open.supervisor.add(pipe);
  }

  dispatch(event: Event, cause: Cause = {}): void {
    const from = this.#state;
    const transition = step(from, event);
    if (!transition) return;
    const { to } = transition;
    this.#state = to;
    if (to !== from) {
      this.log?.debug({ from, to, event }, 'state');
      this.#news.changed(to, cause);
      for (const changed of this.#watchers) changed(from, to);
    }
    for (const effect of transition.effects) this.#perform(effect, cause);
    this.awaits();
  }

  #perform(effect: Effect, cause: Cause): void {
    switch (effect) {
      case 'meet':
        return this.proven && this.#options.several() ? undefined : this.#lane.left();
      case 'open-lanes':
        return this.#lane.lost();
      case 'run':
        this.#lane.connected();
        return this.engine?.run();
      case 'rest':
        return this.engine?.rest();
      case 'tell-peer':
        return this.#tellPeer();
      case 'finish':
        return void this.#end({ result: cause.result! });
      case 'stop':
        this.#failure = cause.error ?? new BeelineError('INTERNAL', 'Stopped without a reason.');
        return void this.#end({ error: this.#failure });
    }
  }

  /** The other side came to the rendezvous, or left it; of a sender that has none yet, anybody. */
  present(present: boolean): void {
    if (this.over) return;
    if (this.role === 'receiver' && !this.proven) this.#expect(present);
    this.dispatch(present ? 'peer-found' : 'peer-left');
  }

  /** A receiver waits for the sender to prove itself, or to come back. */
  #expect(present: boolean): void {
    // A rendezvous that lets the sender come and go again and again does not make the wait longer.
    if (++this.#turns > MOST_TURNS) return;
    const error = present ? fault('SENDER_MUTE') : fault('SENDER_LEFT');
    this.#hello.set(HANDSHAKE_DEADLINE, () => this.fail(error));
  }

  /** What the rendezvous brings can end a session only until the peer is proven: after that it may be anybody's. */
  failUnlessProven(error: BeelineError): void {
    if (this.proven) this.log?.warn({ code: error.code }, 'ignored on the rendezvous');
    else this.fail(error);
  }

  /** The peer has proved the secret and said where it can be reached: again when it moves, or as a new process. */
  greeted(hello: Hello): void {
    this.#hello.clear();
    if (this.over || this.confirmation.agreed || !this.#open) return;
    const { network, known } = this.#open;
    // It was let in for its place. With another it would be somebody else.
    if (hello.place !== this.#place) return this.log?.warn({ peer: this.id }, 'another place in a hello');
    if (!this.#options.mayPin(this, hello.fingerprint)) return;
    const who = this.#pinned.prove(hello.fingerprint);
    if (who === 'ended') return;
    this.#introduce(hello, known.device);
    if (who === 'new') this.#restart();
    if (this.over) return;
    if (this.#options.options.lanes === undefined && hello.lanes > 0)
      this.#open?.supervisor.keep(hello.lanes);
    this.engine?.heard?.(hello.hashes ?? [COMMON_HASH]);
    this.pipes.claim(this);
    // What was said while it was away is lost.
    if (this.#status.spoken) this.#say(this.#status.word);
    if (this.#state === 'authenticating') this.#lane.proven();
    network.peer(hello);
  }

  #introduce({ fingerprint: certificate, agent, device: offered }: Hello, device: Known['device']): void {
    const fingerprint = device?.key ?? certificate;
    const name = device && { name: device.name };
    const again = this.again && { again: true as const };
    const key = offered !== undefined && { key: formatDeviceKey(fromHex(offered)) };
    if (fingerprint !== this.#peer.fingerprint)
      this.emit({ event: 'peer', fingerprint, agent, ...name, ...key, ...again });
    this.#peer = { fingerprint, ...name };
  }

  /** The same secret, proven by a new process: the old one's lanes are dead even if they do not know it. */
  #restart(): void {
    this.#open?.supervisor.drop();
    this.confirmation.end();
    this.#status.restart();
    if (this.engine?.restartable === false) this.fail(fault('STREAM_ENDED'));
    else this.engine?.restart();
  }

  /** By the rendezvous, once somebody is proven there: no data goes that way, and it may be there before any lane. */
  #say(word: Word): void {
    this.#party?.say(word);
  }

  #tellPeer(): void {
    for (const lane of this.lanes) lane.send(this.#status.message()).catch(() => {});
    this.#say(this.#status.word);
  }

  async #end(end: SessionEnd): Promise<void> {
    this.pipes.leave(this);
    this.#lane.end();
    this.#hello.clear();
    this.confirmation.end();
    const { final, by } = this.#status;
    // A side that closes its lanes has heard that the other ends, or, as a sender, that the receiver is done.
    if (this.confirmation.agreed ? this.role === 'sender' : final && by === 'peer')
      this.#open?.supervisor.close();
    await Promise.all([this.engine?.stop(), drained(this.clock, [...this.lanes])]);
    await this.cleanup.run();
    this.#options.ended(end);
  }

  #laneUp(lane: Lane, engine: Peer): void {
    const { id, kind, local, remote } = lane;
    this.emit(laneEvent(lane, 'open'));
    this.log?.info({ lane: id, kind, local, remote }, 'lane open');
    if (this.#status.spoken) lane.send(this.#status.message()).catch(() => {});
    engine.addLane(lane);
    this.dispatch('lane-up');
    if (this.#status.state === 'paused') this.dispatch('pause', { by: this.#status.by });
  }

  #laneDown(lane: Lane, error: Error | undefined, left: number, engine: Peer): void {
    engine.removeLane(lane);
    const { agreed } = this.confirmation;
    // At the end both sides close, in any order: an error of a lane means nothing then.
    const reason = this.over || agreed ? undefined : error;
    this.emit(laneEvent(lane, 'closed', reason));
    this.log?.info({ lane: lane.id, reason: error?.message }, 'lane closed');
    // Closed as it should be: the sender has heard that all is agreed, and no lane is needed any more.
    if (agreed && !error) this.#open?.supervisor.paths([]);
    if (agreed) return;
    if (error instanceof BeelineError && FATAL.has(error.code)) {
      // The lane was authenticated: what is not the protocol came from the other side itself, and would come again.
      this.fail(error);
    } else if (left === 0) {
      const end = this.fleeting();
      if (end) this.fail(end);
      else this.dispatch('lanes-lost');
    }
  }

  #message(lane: Lane, message: Message, engine: Peer): void {
    if (message.type === 'status') this.#hear(message);
    else engine.message(lane, message);
  }

  /** The proven peer says it by the rendezvous. */
  heard(word: Word): void {
    if (this.over || this.#pinned.ended) return;
    const { state } = word;
    if (state !== 'completed') this.#hear({ ...word, state, text: '' });
    else if (this.role === 'sender') this.confirmation.heard();
  }

  #hear(status: Status): void {
    const { role } = this;
    const cause = role === 'sender' && status.state === 'failed' ? causeToWait(status.code) : undefined;
    if (cause && this.engine?.restartable !== false) return this.#peerEnded(cause);
    if (this.#status.take(status))
      this.dispatch(...verdict(status, role === 'sender' ? 'receiver' : 'sender'));
  }

  /** Whatever the register says: that a process ends is a fact, not a wish. */
  #peerEnded(cause: Cause): void {
    const end = this.fleeting();
    if (end) return this.fail(end);
    this.#pinned.end();
    this.dispatch('peer-ended', cause);
    // Nobody is left to dial.
    this.#open?.supervisor.paths([]);
    this.#open?.supervisor.drop();
  }
}
