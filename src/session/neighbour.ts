/**
 * A link to another receiver of the same offer: a network of its own, its lanes, and the engine's `Helper`. The origin vouches for
 * the certificate; beyond that nothing is known of the other side. It fails alone: whatever it does, the transfer goes on without it.
 */
import { Alarm, type Clock } from '../base/clock.ts';
import { asBeelineError, BeelineError, fault } from '../base/errors.ts';
import type { Lane } from '../lanes/lane.ts';
import { Supervisor } from '../lanes/supervisor.ts';
import type { Pipe } from '../secure/pipe.ts';
import type { Helper, HelperPorts } from '../sync/helper.ts';
import type { Introduction, Neighbour } from '../sync/members.ts';
import type { Path } from '../transports/path.ts';
import type { Role } from '../transports/transport.ts';
import { decodeHello, encodeHello, type Hello } from '../wire/signal.ts';
import type { Logger, TransferEvent } from './api.ts';
import { laneEvent } from './cause.ts';
import { Cleanup } from './cleanup.ts';
import type { IncomingPipes } from './incoming.ts';
import type { NetworkPort, NetworkUser } from './ports.ts';
import { FATAL } from './verdict.ts';

/** For the first lane, and for one after the last has died: until then paths are tried again, later and later. */
const LANE_MS = 30_000;
/** Lanes of each link. There are several links, and each lane costs both sides a handshake. */
const LANES = 1;
/** What the near ways have, before those are opened that NATs need: each link would check, map and ask servers for itself. */
const WIDEN_MS = 1_500;

export interface LinkOptions {
  introduction: Introduction;
  clock: Clock;
  log: Logger | undefined;
  pipes: IncomingPipes;
  /** A network for this link alone. */
  connect: (user: NetworkUser) => Promise<NetworkPort>;
  helper: (ports: HelperPorts) => Helper;
  /** Whether a link to the process with this certificate is wanted. If so, an older link to it has ended before. */
  wanted: (fingerprint: string) => boolean;
  /** The number that the process with this certificate has in events; '': one that has not said who it is. */
  number: (fingerprint: string) => number;
  emit: (event: TransferEvent) => void;
  /** It is over; with an error, it was the other side's fault. */
  ended: (error: BeelineError | undefined) => void;
}

export class MemberLink implements Neighbour, NetworkUser {
  readonly role: Role;
  readonly log: Logger | undefined;
  readonly pipes: IncomingPipes;
  readonly cleanup = new Cleanup((thrown) => this.log?.warn({ error: String(thrown) }, 'cleanup failed'));
  readonly #options: LinkOptions;
  readonly #helper: Helper;
  /** For a lane. */
  readonly #patience: Alarm;
  readonly #widening: Alarm;
  #network: NetworkPort | undefined;
  #supervisor: Supervisor | undefined;
  /** What it said before this side's network was there. */
  #heard: string | undefined;
  #said: string | undefined;
  #pin = '';
  #proven = false;
  #number: number | undefined;
  /** The origin does not name it any more. */
  #forgotten = false;
  /** It has all that it wants. */
  #content = false;
  #asked: number;
  /** What closed lanes have carried. */
  #past = { received: 0, sent: 0 };
  #over = false;

  constructor(options: LinkOptions) {
    const { introduction, clock, log, pipes, helper } = options;
    this.#options = options;
    this.role = introduction.dials ? 'receiver' : 'sender';
    this.log = log;
    this.pipes = pipes;
    this.#asked = clock.now();
    this.#patience = new Alarm(clock);
    this.#widening = new Alarm(clock);
    this.#helper = helper({
      fail: (error) => this.#fail(error),
      asks: () => {
        this.#asked = clock.now();
      },
      content: () => {
        this.#content = true;
      },
      ended: () => this.end(),
    });
    this.#await();
    pipes.add(this);
    void this.#open().catch((thrown) => this.#fail(thrown));
  }

  /** The fingerprint of its certificate; empty until it has said who it is. */
  get pin(): string {
    return this.#pin;
  }

  /** By which events tell it from others. */
  get number(): number {
    this.#number ??= this.#options.number(this.#pin);
    return this.#number;
  }

  get up(): boolean {
    for (const _ of this.lanes) return true;
    return false;
  }

  get over(): boolean {
    return this.#over;
  }

  get content(): boolean {
    return this.#content;
  }

  /** The clock's time at which it last asked for something. */
  get asked(): number {
    return this.#asked;
  }

  get lanes(): Iterable<Lane> {
    return this.#supervisor?.lanes ?? [];
  }

  /** A lane to it was up once, so that the certificate is its own. */
  get proven(): boolean {
    return this.#proven;
  }

  /** Bytes that came from it and went to it, with what lanes need themselves. */
  get carried(): { received: number; sent: number } {
    const carried = { ...this.#past };
    for (const lane of this.lanes) {
      carried.received += lane.received;
      carried.sent += lane.carried - lane.received;
    }
    return carried;
  }

  hear(body: string): void {
    if (this.#over) return;
    this.#heard = body;
    try {
      if (this.#network) this.#meet(decodeHello(body), this.#network);
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  forget(): void {
    this.#forgotten = true;
    if (!this.up) this.end();
  }

  offerPipe(pipe: Pipe, fingerprint: string): void {
    if (this.#over || pipe.relayed || fingerprint !== this.#pin || !this.#supervisor) pipe.destroy();
    else this.#supervisor.add(pipe);
  }

  paths(paths: readonly Path[]): void {
    this.#supervisor?.paths(paths);
  }

  /** This side can be reached in another way. */
  moved(): void {
    if (!this.#network || this.#over) return;
    // `hosts` would be for TURN servers, which a link does not use. `agent` is for the origin only.
    const hello = encodeHello({ ...this.#network.hello(), hosts: [], agent: '', lanes: 0 });
    if (hello !== this.#said) this.#options.introduction.say(hello);
    this.#said = hello;
  }

  networkChanged(hosts: ReadonlySet<string>): void {
    this.#supervisor?.moved(hosts);
  }

  /** Something is missing here for one way to it. There may be other ways, and other members. */
  warn(error: BeelineError): void {
    this.log?.debug({ code: error.code, reason: error.reason }, 'a way to a member is missing');
  }

  end(): void {
    this.#close(undefined);
  }

  async #open(): Promise<void> {
    const network = await this.#options.connect(this);
    if (this.#over) return void network.close();
    this.cleanup.push(() => network.close());
    this.#supervisor = new Supervisor({
      ...{ role: this.role, kinds: network.kinds, clock: this.#options.clock, count: LANES },
      free: () => false,
      shared: () => false,
      onLane: (lane) => this.#laneUp(lane),
      onMessage: (lane, message) => this.#helper.message(lane, message),
      onBlocks: (lane, header) => this.#helper.land(lane, header),
      onClosed: (lane, error, left) => this.#laneDown(lane, error, left),
      onFailed: ({ kind, name }, error) =>
        this.log?.debug({ kind, name, error: String(error) }, 'no lane to a member'),
      onRetire: (lane) => this.#helper.retireLane(lane),
    });
    this.#network = network;
    this.#await();
    this.moved();
    if (this.#heard !== undefined) this.hear(this.#heard);
  }

  /** @throws BeelineError PROTOCOL */
  #meet(hello: Hello, network: NetworkPort): void {
    const { fingerprint } = hello;
    // A member is one process, and that has one certificate.
    if (this.#pin !== '' && this.#pin !== fingerprint)
      throw fault('PEER_MISBEHAVES', { what: 'says that it is another than before' });
    if (
      fingerprint === network.hello().fingerprint ||
      (this.#pin === '' && !this.#options.wanted(fingerprint))
    )
      throw fault('MEMBER_UNWANTED');
    this.#pin = fingerprint;
    network.peer(hello);
    this.pipes.claim(this);
  }

  #laneUp(lane: Lane): void {
    const { id, kind, local, remote } = lane;
    this.log?.info(
      { lane: id, kind, local, remote, member: this.#pin.slice(0, 16) },
      'lane to a member open',
    );
    this.#patience.clear();
    this.#widening.clear();
    const { emit } = this.#options;
    if (!this.#proven) emit({ event: 'peer', peer: this.number, fingerprint: this.#pin, agent: '' });
    this.#proven = true;
    emit(laneEvent(lane, 'open', undefined, this.number));
    this.#helper.addLane(lane);
  }

  #laneDown(lane: Lane, error: Error | undefined, left: number): void {
    this.#past.received += lane.received;
    this.#past.sent += lane.carried - lane.received;
    this.#options.emit(laneEvent(lane, 'closed', error, this.number));
    this.#helper.removeLane(lane);
    if (this.#over) return;
    if (error instanceof BeelineError && FATAL.has(error.code)) return this.#fail(error);
    if (left > 0) return;
    // It has what it wants and is not named: it has ended.
    if (this.#forgotten) this.end();
    else this.#await();
  }

  #await(): void {
    this.#patience.set(LANE_MS, () => this.#fail(fault('MEMBER_AWAY')));
    this.#widening.set(WIDEN_MS, () => this.#network?.widen?.());
  }

  #fail(thrown: unknown): void {
    if (this.#over) return;
    const error = asBeelineError(thrown);
    this.log?.info({ code: error.code, reason: error.reason, error: error.message }, 'a member is given up');
    this.#options.introduction.refuse();
    this.#close(error);
  }

  #close(error: BeelineError | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#patience.clear();
    this.#widening.clear();
    this.pipes.leave(this);
    this.#helper.stop();
    this.#supervisor?.close();
    void this.cleanup.run();
    this.#options.ended(error);
  }
}
