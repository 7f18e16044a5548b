/**
 * Lanes of all tempers between the two engines: late, slow, sharing one bottleneck, stalled, dying at any time. They
 * carry messages as they are, in order, and the bytes of blocks piece by piece, as src/lanes does.
 */
import { asBeelineError, BeelineError } from '../../src/base/errors.ts';
import { HEADROOM, lend, type Slab } from '../../src/base/slab.ts';
import type { LanePort } from '../../src/sync/ports.ts';
import type { Landing } from '../../src/wire/framing.ts';
import type { BlocksHeader, Message } from '../../src/wire/messages.ts';
import type { World } from './world.ts';

/** As in src/lanes/lane.ts. */
const MAX_QUEUE = 1024;
/** Bytes of a message beside what it carries. */
const OVERHEAD = 64;

export interface Temper {
  /** Seconds one way, and how much more at most. */
  latency: number;
  jitter: number;
  /** Bytes a second. */
  rate: number;
  /** Bytes on their way at most. */
  window: number;
  /** Seconds after its beginning when nothing moves any more, and for how long. */
  stallAt: number;
  stallFor: number;
  /** Seconds after its beginning when it dies; Infinity for never. */
  dieAt: number;
  /** Seconds until each end notices that. */
  notice: readonly [number, number];
  /** What is on its way when one end closes it gets lost. */
  lossy: boolean;
  /** Blocks are taken in one piece each, without pauses. */
  whole?: boolean;
}

/** What several lanes share. */
export class Bottleneck {
  /** Bytes a second. */
  readonly rate: number;
  free = 0;

  constructor(rate: number) {
    this.rate = rate;
  }
}

/** Who is at one end of a lane. Throws what must end the lane. */
export interface LaneOwner {
  message(lane: End, message: Message): void;
  land(lane: End, header: BlocksHeader): Landing;
  closed(lane: End, error: BeelineError | undefined): void;
}

/** What a liar makes of each message that leaves; [] is silence. */
export type Mutate = (message: Message) => Message[];

interface Queued {
  message: Message;
  /** The data as it was when it was handed over. */
  bytes: Uint8Array | undefined;
  /** It is sent from there, and must stay as it is until it has left. */
  inPlace: boolean;
  size: number;
  resolve: () => void;
  reject: (error: Error) => void;
}

export class End implements LanePort {
  readonly id: number;
  readonly kind = 'sim';
  readonly name: string;
  other!: End;
  closed = false;
  readonly #world: World;
  readonly #temper: Temper;
  readonly #bottlenecks: readonly Bottleneck[];
  readonly #owner: LaneOwner;
  readonly #mutate: Mutate | undefined;
  readonly #honest: boolean;
  readonly #began: number;
  readonly #queue: Queued[] = [];
  readonly #inbox: Queued[] = [];
  /** Bytes that left here and are not taken there. */
  #under = 0;
  #writing: Queued | undefined;
  #lastArrival = 0;
  /** Blocks of which not all bytes are here. */
  #landing: Landing | undefined;
  dead = false;

  constructor(
    id: number,
    name: string,
    world: World,
    temper: Temper,
    bottlenecks: readonly Bottleneck[],
    owner: LaneOwner,
    liar: { honest: boolean; mutate?: Mutate },
  ) {
    this.id = id;
    this.name = `${name}/${id}`;
    this.#world = world;
    this.#temper = temper;
    this.#bottlenecks = bottlenecks;
    this.#owner = owner;
    this.#mutate = liar.mutate;
    this.#honest = liar.honest;
    this.#began = world.now;
  }

  send(message: Message, slab?: Slab): Promise<void> {
    if (!this.#mutate) return this.#send(message, slab);
    const all = this.#mutate(message).map((each) => this.#send(each, slab));
    return Promise.all(all).then(() => {});
  }

  #send(message: Message, slab?: Slab): Promise<void> {
    if (this.closed) return Promise.reject(new BeelineError('NO_PATH', 'The lane is closed.'));
    if (this.#queue.length >= MAX_QUEUE) {
      if (this.#honest) this.#world.violate(`${this.name}: an honest side queues over ${MAX_QUEUE} messages`);
      this.close(new BeelineError('PROTOCOL', 'The other side does not read.'));
      return Promise.reject(new BeelineError('NO_PATH', 'The lane is closed.'));
    }
    const data = carried(message);
    return new Promise((resolve, reject) => {
      const size = OVERHEAD + sizeOf(message);
      this.#queue.push({ message, bytes: data?.slice(), inPlace: slab !== undefined, size, resolve, reject });
      this.#transmit();
    });
  }

  close(reason?: Error): void {
    if (this.closed) return;
    this.closed = true;
    const error = reason ? asBeelineError(reason) : undefined;
    this.#world.note(`${this.name} closed${error ? `: ${error.code} ${error.message}` : ''}`);
    const lost = error ?? new BeelineError('NO_PATH', 'The lane is closed.');
    this.#writing?.reject(lost);
    for (const queued of this.#queue.splice(0)) queued.reject(lost);
    this.#inbox.length = 0;
    this.#landing?.cut();
    this.#landing = undefined;
    this.#owner.closed(this, error);
    // The other end hears of it behind what has left, or at once instead of that.
    const { latency, lossy } = this.#temper;
    if (this.dead) return;
    const late = lossy ? 0 : Math.max(0, this.other.#lastArrival - this.#world.now);
    this.#world.after(latency + late, () => this.other.close());
  }

  /** Nothing gets through any more; this end finds out in `seconds`. */
  die(seconds: number): void {
    this.dead = true;
    this.#world.after(seconds, () => this.close());
  }

  #transmit(): void {
    if (this.#writing || this.closed || this.#queue.length === 0 || this.#under >= this.#temper.window)
      return;
    const queued = this.#queue.shift()!;
    this.#writing = queued;
    const { rate } = this.#temper;
    const now = this.#world.now;
    let end = Math.max(now, this.#freeFrom()) + queued.size / rate;
    for (const bottleneck of this.#bottlenecks) {
      bottleneck.free = Math.max(now, bottleneck.free) + queued.size / bottleneck.rate;
      end = Math.max(end, bottleneck.free);
    }
    this.#world.after(end - now, () => this.#left(queued));
  }

  /** During a stall nothing leaves. */
  #freeFrom(): number {
    const { stallAt, stallFor } = this.#temper;
    const from = this.#began + stallAt;
    const now = this.#world.now;
    return now >= from && now < from + stallFor ? from + stallFor : 0;
  }

  #left(queued: Queued): void {
    if (this.closed) return;
    this.#writing = undefined;
    const data = carried(queued.message);
    if (queued.bytes && queued.inPlace && this.#honest && Buffer.compare(queued.bytes, data!) !== 0)
      this.#world.violate(`${this.name}: bytes changed while they were being sent`);
    queued.resolve();
    this.#under += queued.size;
    const { latency, jitter } = this.#temper;
    const at = Math.max(
      this.other.#lastArrival,
      this.#freeFrom(),
      this.#world.now + latency + this.#world.random() * jitter,
    );
    this.other.#lastArrival = at;
    this.#world.after(at - this.#world.now, () => this.other.#arrive(queued));
    this.#transmit();
  }

  #arrive(queued: Queued): void {
    if (this.closed || this.dead) return;
    this.#inbox.push(queued);
    this.#take();
  }

  #take(): void {
    while (!this.closed && !this.#landing && this.#inbox.length > 0) {
      const queued = this.#inbox.shift()!;
      this.other.#taken(queued.size);
      this.#guarded(() => {
        if (queued.bytes) this.#land(queued.message as Message & { type: 'blocks' }, queued.bytes);
        else this.#owner.message(this, { ...queued.message });
      });
    }
  }

  #taken(size: number): void {
    this.#under -= size;
    this.#transmit();
  }

  #guarded(work: () => void): void {
    try {
      work();
    } catch (thrown) {
      this.close(asBeelineError(thrown, 'PROTOCOL'));
    }
  }

  /** Bytes come in pieces of any size; between two of them the lane may die. */
  #land({ data: _, ...message }: Message & { type: 'blocks' }, bytes: Uint8Array): void {
    const landing = this.#owner.land(this, { ...message, bytes: bytes.length });
    if (this.#temper.whole) return this.#lend(landing, message, bytes);
    this.#landing = landing;
    let at = 0;
    const more = () => {
      if (this.#landing !== landing) return;
      const end = this.#world.chance(0.5) ? bytes.length : at + 1 + this.#world.below(bytes.length - at);
      const part = bytes.subarray(at, end);
      at = end;
      // The last piece may make the receiver close this lane, or take more from it.
      if (at === bytes.length) this.#landing = undefined;
      this.#guarded(() => landing.put(part));
      if (at < bytes.length) this.#world.after(this.#world.pick([0, 0.001, 0.05]), more);
      else if (at === bytes.length && end > 0) this.#take();
    };
    more();
  }

  /** All at once, in a buffer that is used again once it is given back, as a thread has them. */
  #lend(landing: Landing, { length, offset }: { length: number; offset: number }, bytes: Uint8Array): void {
    const whole = new Uint8Array(HEADROOM + length);
    whole.set(bytes, HEADROOM + offset);
    const slab = lend(whole, () => whole.fill(0xdd));
    this.#guarded(() => {
      if (!landing.take(slab)) slab.release();
    });
    this.#take();
  }
}

/** What of a message goes through buffers, if anything. */
function carried(message: Message): Uint8Array | undefined {
  return 'data' in message && 'form' in message && message.form === 'data' && message.data.length > 0
    ? message.data
    : undefined;
}

function sizeOf(message: Message): number {
  let size = 0;
  for (const value of Object.values(message)) {
    if (value instanceof Uint8Array) size += value.length;
    else if (Array.isArray(value)) size += value.length * 40;
    else if (typeof value === 'string') size += value.length;
  }
  // Zeros, and what is there already, cost a header.
  return 'form' in message && message.form !== 'data' ? 0 : size;
}

export interface Wire {
  a: End;
  b: End;
}

/** Joins two owners; it lives and dies by its temper. `bottlenecks` are on the way from the first to the second, `back` on the other. */
export function wire(
  id: number,
  world: World,
  temper: Temper,
  bottlenecks: readonly Bottleneck[],
  owners: readonly [LaneOwner, LaneOwner],
  liars: readonly [{ honest: boolean; mutate?: Mutate }, { honest: boolean; mutate?: Mutate }],
  back: readonly Bottleneck[] = [],
): Wire {
  const a = new End(id, 'S', world, temper, bottlenecks, owners[0], liars[0]);
  const b = new End(id, 'R', world, temper, back, owners[1], liars[1]);
  a.other = b;
  b.other = a;
  if (temper.dieAt < Number.POSITIVE_INFINITY)
    world.after(temper.dieAt, () => {
      if (a.closed || b.closed) return;
      world.note(`lane ${id} dies`);
      a.die(temper.notice[0]);
      b.die(temper.notice[1]);
    });
  return { a, b };
}
