/**
 * One side of a transfer: an engine, the states of a transfer, and the words that both sides have for them; what
 * src/session is around real lanes. It checks what no engine may tell its people.
 */
import { asBeelineError, BeelineError } from '../../src/base/errors.ts';
import { HASH_NAMES, type HashName } from '../../src/offer/hashing.ts';
import type { Extent } from '../../src/offer/space.ts';
import { StatusRegister } from '../../src/session/status.ts';
import { causeToWait, FATAL, verdict } from '../../src/session/verdict.ts';
import type { Outcome, ReceiverPorts } from '../../src/sync/engine-ports.ts';
import { FileProgress } from '../../src/sync/file-progress.ts';
import { type Event, isFinal, type State, step } from '../../src/sync/machine.ts';
import { Origin, type ReceivingPeer } from '../../src/sync/origin.ts';
import type { Peer } from '../../src/sync/peer.ts';
import { Receiver } from '../../src/sync/receiver.ts';
import type { Landing } from '../../src/wire/framing.ts';
import type { BlocksHeader, Message } from '../../src/wire/messages.ts';
import type { End, LaneOwner } from './lanes.ts';
import type { Scenario } from './scenario.ts';
import { type Disk, hashesOf, hashOf, SimSink, type SimSource } from './stores.ts';
import type { World } from './world.ts';

/** Seconds, as in src/base/limits.ts and src/session. */
const CONFIRM = 30;
const STALL_LOOK = 2;
const LAST_WORD = 1;
/** Bytes of chunk buffers that an engine may have, whatever comes; or so many chunks. */
/** A receiver's, on a long path; a sender's are a third of it. */
const BUFFERS = { sender: 32 * 1024 * 1024, receiver: 96 * 1024 * 1024 };
const LEAST_BUFFERS = 16;

export abstract class Side implements LaneOwner {
  readonly role: 'sender' | 'receiver';
  readonly honest: boolean;
  readonly ends = new Map<number, End>();
  abstract readonly engine: Peer;
  state: State = 'idle';
  error: BeelineError | undefined;
  outcome: Outcome | undefined;
  /** Names of what did not come. */
  readonly gone: string[] = [];
  /** The process is no more: it neither hears nor says anything. */
  killed = false;
  /** Another receiver may bring what is wrong: that counts as progress until it is looked at. */
  garbled = false;
  /** What this side takes something for that it hashes. */
  meant = (data: Uint8Array): Uint8Array => data;
  /** All is done that a process does at its end. */
  ended = false;
  protected readonly world: World;
  protected readonly scenario: Scenario;
  protected readonly status: StatusRegister;
  readonly #hashes: () => readonly HashName[];
  #files: FileProgress | undefined;
  #bytes = 0;
  #buffers = 0;

  constructor(role: 'sender' | 'receiver', world: World, scenario: Scenario, honest: boolean) {
    this.role = role;
    this.world = world;
    this.scenario = scenario;
    this.honest = honest;
    this.status = new StatusRegister(role);
    this.#hashes = hashesOf(world, `${role} at ${world.now}`);
  }

  get over(): boolean {
    return this.killed || isFinal(this.state);
  }

  get paused(): boolean {
    return !this.over && this.status.state === 'paused';
  }

  /** Progress, as last told. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Nobody gives a chunk another content while it is on its way. */
  get #steady(): boolean {
    return this.scenario.lies === 'none' && this.scenario.source.changes.length === 0 && !this.garbled;
  }

  wrong(text: string): void {
    if (this.honest && !this.killed) this.world.violate(`${this.role}: ${text}`);
  }

  /** What both engines ask of a machine. */
  protected means(entries: () => readonly { size: number }[]) {
    const { world, scenario } = this;
    return {
      digest: (hash: HashName) => (data: Uint8Array) => hashOf(this.meant(data), hash),
      hashes: this.#hashes,
      computes: HASH_NAMES,
      allocate: (bytes: number) => {
        this.#buffers += bytes;
        const most = Math.max(BUFFERS[this.role], LEAST_BUFFERS * scenario.chunkSize) * 1.3 + 1e6;
        if (this.#buffers > most) this.wrong(`${this.#buffers} bytes of buffers`);
        // Whoever reads what was never written shall see it.
        return new Uint8Array(bytes).fill(0xdd);
      },
      clock: world.clock,
      random: world.random,
      limit: scenario.limits[this.role],
      progress: (bytes: number, extents: readonly Extent[]) => this.#progress(bytes, extents, entries()),
      awaits: () => {},
      resumed: (bytes: number) => {
        if (bytes > 0) return;
        this.#files = undefined;
        this.#bytes = 0;
      },
      kept: () => {},
      fail: (error: BeelineError) => this.fail(error),
    };
  }

  #progress(bytes: number, extents: readonly Extent[], entries: readonly { size: number }[]): void {
    if (bytes < this.#bytes && this.#steady) this.wrong(`progress falls from ${this.#bytes} to ${bytes}`);
    this.#bytes = bytes;
    if (this.scenario.stream) return;
    const total = entries.reduce((sum, { size }) => sum + size, 0);
    if (bytes > total) this.wrong(`progress of ${bytes} of ${total} bytes`);
    this.#files ??= new FileProgress(entries as never);
    this.#files.add(extents);
    for (const { entry } of extents) {
      const left = this.#files.left(entry);
      if (left < 0)
        this.wrong(`${entries[entry]!.size - left} of ${entries[entry]!.size} bytes of file ${entry}`);
      else if (left === 0) this.fileShown(entry);
    }
  }

  /** A person sees that this file is complete. */
  protected fileShown(_entry: number): void {}

  dispatch(event: Event, error?: BeelineError): void {
    const transition = step(this.state, event);
    if (!transition || this.killed) return;
    this.world.note(
      `${this.role} ${this.state} -> ${transition.to} (${event}${error ? ` ${error.code}: ${error.message}` : ''})`,
    );
    this.state = transition.to;
    for (const effect of transition.effects) {
      if (effect === 'run') this.engine.run();
      else if (effect === 'rest') this.engine.rest();
      else if (effect === 'tell-peer') this.#tell();
      else if (effect === 'stop' || effect === 'finish') {
        this.error = error;
        void this.#end();
      }
    }
  }

  #tell(): void {
    for (const lane of this.ends.values()) lane.send(this.status.message()).catch(() => {});
  }

  pause(error?: BeelineError): void {
    if (this.state !== 'transferring') return;
    this.status.set('paused', error?.code);
    this.dispatch('pause', error);
  }

  resume(): void {
    if (this.state !== 'paused') return;
    this.status.set('running');
    this.dispatch('resume');
  }

  cancel(): void {
    if (this.over) return;
    this.status.set('cancelled');
    this.dispatch('cancel', new BeelineError('CANCELLED', 'cancelled here'));
  }

  fail(thrown: unknown, told = false): void {
    if (this.over) return;
    const error = asBeelineError(thrown);
    if (error.code === 'INTERNAL') this.wrong(`INTERNAL: ${error.stack}`);
    if (!told) this.status.set('failed', error.code);
    this.dispatch('fail', error);
  }

  async #end(): Promise<void> {
    const { world } = this;
    const { final, by } = this.status;
    if (final && by === 'peer') this.closeAll();
    await this.engine.stop();
    if (final && by === 'self') {
      for (let wait = 0; wait < LAST_WORD && this.ends.size > 0; wait += 0.1) await world.sleep(0.1);
    } else if (this.role === 'receiver' && this.ends.size > 0) {
      await Promise.race([world.sleep(LAST_WORD), this.#wordLeft()]);
    }
    this.closeAll();
    await this.leave();
    this.ended = true;
  }

  async #wordLeft(): Promise<void> {
    await Promise.any([...this.ends.values()].map((lane) => lane.send({ type: 'ping' }))).catch(() => {});
  }

  /** What is kept, or not, of what is there. */
  protected abstract leave(): Promise<void>;

  closeAll(): void {
    for (const lane of [...this.ends.values()]) lane.close();
  }

  /** A lane is there. */
  up(lane: End): void {
    this.ends.set(lane.id, lane);
    if (this.status.spoken) lane.send(this.status.message()).catch(() => {});
    this.engine.addLane(lane);
    this.dispatch('lane-up');
    if (this.status.state === 'paused') this.dispatch('pause');
  }

  message(lane: End, message: Message): void {
    if (this.over || message.type === 'ping') return;
    if (message.type !== 'status') return this.engine.message(lane, message);
    if (
      this.role === 'sender' &&
      message.state === 'failed' &&
      causeToWait(message.code) &&
      this.engine.restartable !== false
    ) {
      this.dispatch('peer-ended');
      return this.closeAll();
    }
    if (!this.status.take(message)) return;
    const [event, { error }] = verdict(message, this.role === 'sender' ? 'receiver' : 'sender');
    this.dispatch(event, error);
  }

  land(lane: End, header: BlocksHeader): Landing {
    if (!this.engine.land) throw new BeelineError('PROTOCOL', 'A receiver does not send blocks.');
    // Whoever has ended reads on, and throws away.
    return this.over ? { put: () => {}, take: () => false, cut: () => {} } : this.engine.land(lane, header);
  }

  closed(lane: End, error: BeelineError | undefined): void {
    this.ends.delete(lane.id);
    if (this.killed) return;
    this.engine.removeLane(lane);
    if (this.over) return;
    if (error && FATAL.has(error.code)) this.fail(error);
    else if (this.ends.size === 0) this.dispatch('lanes-lost');
  }

  /** SIGKILL. */
  kill(): void {
    this.killed = true;
    for (const lane of [...this.ends.values()]) {
      lane.die(0);
      lane.other.die(this.world.random() * this.world.pick([0.01, 2, 15]));
    }
  }

  /** Everything is there on both sides, or all but what is gone. */
  protected verified(): void {
    if (this.gone.length > 0) this.fail(new BeelineError('SOURCE_CHANGED', 'incomplete'), true);
    else this.dispatch('verified');
  }
}

export class SendingSide extends Side {
  readonly engine: ReceivingPeer;
  readonly source: SimSource;
  /** Where the bytes go: what is said to be done must be down there. */
  readonly #disk: Disk;
  #unwait = (): void => {};
  #confirmed = false;

  /** @param origin shared by all who receive from it; absent: of its own */
  constructor(world: World, scenario: Scenario, source: SimSource, disk: Disk, origin?: Origin) {
    super('sender', world, scenario, !scenario.lies.endsWith('sender'));
    this.source = source;
    this.#disk = disk;
    const means = this.means(() => source.entries);
    const update = disk.temper.old.size > 0;
    const mine =
      origin ??
      new Origin(source, scenario.chunkSize, {
        ...{ ...means, sha256: false, update },
        gone: (path) => this.gone.push(path),
      });
    this.engine = mine.peer({
      ...means,
      complete: (outcome) => this.#complete(outcome),
      accepted: () => {},
      confirmed: () => this.#conclude(),
    });
  }

  #complete(outcome: Outcome): void {
    if (this.over) return;
    if (this.scenario.lies === 'none' && !this.#disk.finished)
      this.wrong('it is said to be done, and is not durable');
    this.outcome = outcome;
    this.#unwait = this.world.after(CONFIRM, () => this.#conclude());
  }

  #conclude(): void {
    if (!this.outcome || this.#confirmed) return;
    this.#confirmed = true;
    this.#unwait();
    this.verified();
  }

  /** The receiver is a new process. */
  restart(): void {
    this.closeAll();
    this.#unwait();
    this.outcome = undefined;
    this.#confirmed = false;
    this.status.restart();
    if (this.engine.restartable === false)
      this.fail(new BeelineError('PEER_FAILED', 'a stream cannot be sent twice'));
    else this.engine.restart();
  }

  protected async leave(): Promise<void> {
    await this.source.close();
  }
}

export class ReceivingSide extends Side {
  readonly engine: Receiver;
  readonly disk: Disk;
  sink: SimSink | undefined;
  /** When all was here and verified, in seconds. */
  completed: number | undefined;
  #unlook = (): void => {};

  /** @param meet other receivers, as the origin introduces them */
  constructor(world: World, scenario: Scenario, disk: Disk, meet?: ReceiverPorts['meet']) {
    super('receiver', world, scenario, !scenario.lies.endsWith('receiver'));
    this.disk = disk;
    this.engine = new Receiver({
      ...this.means(() => this.sink?.entries ?? []),
      open: async (_header, { entries, space, hash }) => {
        await world.sleep(world.pick([0, 0.01, 3]) * world.random());
        if (this.over) throw new BeelineError('CANCELLED', 'over before it was accepted');
        const sink = new SimSink(disk, this.honest, scenario.window ?? Number.POSITIVE_INFINITY);
        this.sink = sink;
        await sink.open(entries, space, hash);
        if (this.over) throw new BeelineError('CANCELLED', 'over before anything was written');
        return sink;
      },
      gone: (path) => this.gone.push(path),
      meet,
      stalled: (error) => this.#stalled(error),
      complete: (outcome) => void this.#complete(outcome),
    });
  }

  protected override fileShown(entry: number): void {
    const { sink } = this;
    if (!sink?.space || sink.ended) return;
    const { first, end } = sink.space.chunksOf(entry);
    for (let chunk = first; chunk < end; chunk++)
      if (!sink.down.has(chunk))
        return this.wrong(`file ${entry} is shown as complete without chunk ${chunk}`);
  }

  #stalled(error: BeelineError): boolean {
    if (error.code !== 'DISK_FULL' || this.over) return false;
    if (this.state !== 'transferring') return true;
    this.#unlook();
    this.pause(error);
    this.#look();
    return true;
  }

  #look(): void {
    this.#unlook = this.world.after(STALL_LOOK, async () => {
      if (this.over) return;
      const ready = await this.sink?.ready();
      if (ready && this.state === 'paused') this.resume();
      else if (this.state !== 'transferring') this.#look();
    });
  }

  async #complete(outcome: Outcome): Promise<void> {
    if (this.over) return;
    const sink = this.sink!;
    if (!sink.finished) this.wrong('it is said to be done, and is not durable');
    if (this.outcome) this.wrong('it is done twice');
    this.outcome = outcome;
    this.completed = this.world.now;
    this.#checkDisk(outcome, sink);
    if (this.gone.length === 0) await sink.close('done');
    this.verified();
  }

  /** What the root says is what is there. */
  #checkDisk({ hash, chunks }: Outcome, sink: SimSink): void {
    for (let chunk = 0; chunk < chunks; chunk++) {
      const expected = hash(chunk);
      const extents = sink.space!.extents(chunk);
      if (!expected || !extents.every(({ entry }) => sink.wants(entry))) continue;
      if (Buffer.compare(hashOf(this.disk.read(extents), sink.by), expected) !== 0)
        this.wrong(`chunk ${chunk} on the disk is not what the root says`);
    }
  }

  override kill(): void {
    super.kill();
    this.sink?.end();
    this.disk.crash();
  }

  protected async leave(): Promise<void> {
    this.#unlook();
    const given = this.error && ['CANCELLED', 'REFUSED', 'VERIFICATION'].includes(this.error.code);
    if (this.error && !given) await this.sink?.close('keep');
    else await this.sink?.close('discard');
  }
}
