/** Both engines joined by lanes over memory pipes, with files in memory: the whole transfer without a socket. */
import { createHash } from 'node:crypto';
import { type Clock, realClock } from '../../src/base/clock.ts';
import type { BeelineError } from '../../src/base/errors.ts';
import { Lane } from '../../src/lanes/lane.ts';
import type { HashName } from '../../src/offer/hashing.ts';
import type { Entry } from '../../src/offer/manifest.ts';
import type { Extent } from '../../src/offer/space.ts';
import { Origin, type ReceivingPeer } from '../../src/sync/origin.ts';
import type { Peer } from '../../src/sync/peer.ts';
import type { LanePort, Sink, Source } from '../../src/sync/ports.ts';
import { Receiver } from '../../src/sync/receiver.ts';
import type { BlockRange, Message } from '../../src/wire/messages.ts';
import { hashing, hashingWith } from '../hashing.ts';
import { type Faults, type MemoryPipe, memoryPipes } from '../lanes/memory-pipe.ts';

export const CHUNK = 1024 * 1024;

export const hashOf = (data: Uint8Array): Uint8Array => createHash('sha256').update(data).digest();
/** What was sent by now has come. */
export const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A lane that only keeps what is sent on it. */
export class FakeLane implements LanePort {
  readonly kind = 'fake';
  readonly sent: Message[] = [];
  closed = false;
  constructor(readonly id = 1) {}
  async send(message: Message): Promise<void> {
    this.sent.push(message);
  }
  close(): void {
    this.closed = true;
  }
  all<T extends Message['type']>(type: T): (Message & { type: T })[] {
    return this.sent.filter((message): message is Message & { type: T } => message.type === type);
  }
  /** What was asked for on it and not taken from here yet. */
  asked(): BlockRange[] {
    const ranges = this.all('get').flatMap(({ ranges }) => ranges);
    this.sent.length = 0;
    return ranges;
  }
}

/** A lane between two peers' engines that loses nothing; `cut` ends it on both sides. @returns also the near one's end */
export function wired(id: number, near: Peer, far: Peer): { cut: () => void; end: LanePort } {
  let open = true;
  const end = (to: Peer, other: () => LanePort): LanePort => ({
    ...{ id, kind: 'fake', close: () => cut() },
    async send(message) {
      const said = message.type === 'blocks' ? { ...message, data: message.data.slice() } : message;
      await Promise.resolve();
      if (!open) return;
      if (said.type === 'blocks' && said.form === 'data') to.land!(other(), said).put(said.data);
      else to.message(other(), said);
    },
  });
  const nearEnd: LanePort = end(far, () => farEnd);
  const farEnd: LanePort = end(near, () => nearEnd);
  const cut = () => {
    if (!open) return;
    open = false;
    near.removeLane(nearEnd);
    far.removeLane(farEnd);
  };
  near.addLane(nearEnd);
  far.addLane(farEnd);
  return { cut, end: nearEnd };
}

export function entry(path: string, size: number): Entry {
  return { path, kind: 'file', size, mode: 0o644, mtime: 0, target: '', version: '' };
}

export class MemorySource implements Source {
  readonly kind = 'files' as const;
  readonly entries: Entry[];
  readonly files: Uint8Array[];
  readonly length: number;
  /** Called before each read; may throw. */
  onRead: (extents: readonly Extent[]) => void = () => {};
  reads = 0;

  constructor(files: Record<string, Uint8Array>) {
    this.entries = Object.entries(files).map(([path, bytes]) => entry(path, bytes.length));
    this.files = Object.values(files);
    this.length = this.files.reduce((sum, file) => sum + file.length, 0);
  }

  async read(_chunk: number, extents: readonly Extent[], into: Uint8Array): Promise<number> {
    this.reads++;
    this.onRead(extents);
    for (const { entry: index, offset, length, at } of extents) {
      into.set(this.files[index]!.subarray(offset, offset + length), at);
    }
    return extents.reduce((sum, extent) => sum + extent.length, 0);
  }

  async changed(): Promise<string[]> {
    return [];
  }
  async digests(): Promise<Map<number, string>> {
    return new Map();
  }
  async close(): Promise<void> {}
}

export class MemorySink implements Sink {
  readonly window = Number.POSITIVE_INFINITY;
  files: Uint8Array[] = [];
  dropped = new Set<number>();
  skipped = new Set<number>();
  writes = 0;
  delay = 0;
  finished = false;

  async open(entries: readonly Entry[]): Promise<void> {
    this.files = entries.map(({ size }) => new Uint8Array(size));
  }
  wants(index: number): boolean {
    return !this.skipped.has(index);
  }
  async write(_chunk: number, extents: readonly Extent[], data: Uint8Array | undefined): Promise<void> {
    this.writes++;
    if (this.delay > 0) await new Promise((resolve) => setTimeout(resolve, this.delay));
    for (const { entry: index, offset, length, at } of extents) {
      if (data) this.files[index]!.set(data.subarray(at, at + length), offset);
    }
  }
  async drop(index: number): Promise<void> {
    this.dropped.add(index);
  }
  async finish(): Promise<void> {
    this.finished = true;
  }
  async digests(): Promise<Map<number, string>> {
    return new Map();
  }
  async close(): Promise<void> {}
}

export interface Outcome {
  sent?: Uint8Array;
  received?: Uint8Array;
  error?: BeelineError;
  gone: string[];
}

const platform = {
  ...hashing,
  allocate: (bytes: number): Uint8Array => new Uint8Array(bytes),
  limit: undefined,
  random: () => 0,
  awaits: () => {},
  resumed: (): void => {},
  kept: (): void => {},
};

export class Pair {
  readonly outcome: Outcome = { gone: [] };
  sender: ReceivingPeer;
  readonly receiver: Receiver;
  readonly pipes = new Set<MemoryPipe>();
  readonly done: Promise<void>;
  opened = 0;
  /** Called when a lane has died, unless all is over. */
  onLost = (): void => {};
  #ids = 0;
  #over = false;
  readonly #clock: Clock;
  readonly #serve: (source: Source) => ReceivingPeer;

  /** @param limit the receiver's, in bytes a second @param fast with what each side hashes fast */
  constructor(
    source: Source,
    sink: Sink,
    limit?: number,
    clock: Clock = realClock,
    fast: { sender: readonly HashName[]; receiver: readonly HashName[] } = { sender: [], receiver: [] },
  ) {
    this.#clock = clock;
    let finish!: () => void;
    this.done = new Promise((resolve) => {
      finish = resolve;
    });
    const settle = () => {
      const { sent, received, error } = this.outcome;
      if (!error && !(sent && received)) return;
      this.#over = true;
      for (const pipe of this.pipes) pipe.cut();
      finish();
    };
    const fail = (error: BeelineError) => {
      this.outcome.error ??= error;
      settle();
    };
    this.#serve = (offered) =>
      new Origin(offered, CHUNK, {
        ...platform,
        ...hashingWith(...fast.sender),
        clock,
        sha256: false,
        update: false,
        gone: () => {},
      }).peer({
        ...platform,
        progress: () => {},
        accepted: () => {},
        confirmed: () => {},
        complete: ({ root }) => {
          this.outcome.sent = root;
          settle();
        },
        fail,
      });
    this.sender = this.#serve(source);
    this.receiver = new Receiver({
      ...platform,
      ...hashingWith(...fast.receiver),
      clock,
      limit,
      open: async (_header, { entries, space, hash, pages }) => {
        await sink.open(entries, space, hash, pages);
        return sink;
      },
      progress: () => {},
      gone: (path) => this.outcome.gone.push(path),
      stalled: () => false,
      complete: ({ root }) => {
        this.outcome.received = root;
        settle();
      },
      fail,
    });
  }

  /** The sender's process is killed, and started again with this to offer; the receiver has been told. */
  restartSender(source: Source): void {
    for (const pipe of [...this.pipes]) pipe.cut();
    this.sender.stop();
    this.sender = this.#serve(source);
    this.receiver.restart();
  }

  /** Opens one more lane between the two. */
  connect(faults: Faults = {}): MemoryPipe {
    const [a, b] = memoryPipes(faults);
    // A lane opened after the end would keep its timers, and the process, alive.
    if (this.#over) return a;
    this.pipes.add(a);
    this.opened++;
    this.sender.heard(this.receiver.hashes());
    const id = ++this.#ids;
    const sending = new Lane(
      id,
      a,
      {
        message: (lane, message) => this.sender.message(lane, message),
        land: () => {
          throw new Error('a receiver sent blocks');
        },
        closed: (lane) => this.sender.removeLane(lane),
      },
      this.#clock,
    );
    const receiving = new Lane(
      id,
      b,
      {
        message: (lane, message) => this.receiver.message(lane, message),
        land: (lane, header) => this.receiver.land(lane, header),
        closed: (lane) => {
          this.pipes.delete(a);
          this.receiver.removeLane(lane);
          if (!this.#over) this.onLost();
        },
      },
      this.#clock,
    );
    this.sender.addLane(sending);
    this.receiver.addLane(receiving);
    sending.start();
    receiving.start();
    return a;
  }
}
