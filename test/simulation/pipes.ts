/**
 * Pipes between two processes in virtual time: late, slow, stalled, silently dead, open on one side only, reset, or cut at
 * any byte. They are what src/lanes has of a socket.
 */
import type { Pipe } from '../../src/secure/pipe.ts';
import type { Chance, World } from './world.ts';

export type Fault = 'none' | 'stall' | 'reset' | 'cut' | 'silent' | 'half-open';

export interface PipeTemper {
  /** Seconds one way, and how much more at most. */
  latency: number;
  jitter: number;
  /** Bytes a second. */
  rate: number;
  /** Bytes on their way or unread, at most, beside the write that goes over it. */
  window: number;
  fault: Fault;
  /** Seconds from its beginning to the fault; of a cut, the bytes that cross before. */
  at: number;
  /** Of a stall, how long it lasts; of a reset, when each end hears of it. */
  seconds: number;
  /** What is on its way when one end closes it gets lost. */
  lossy: boolean;
}

/** Whose end it is: a process that is no more neither hears nor says anything. */
export interface Owner {
  readonly killed: boolean;
}

export class SimPipe implements Pipe {
  readonly kind: string;
  readonly relayed: boolean;
  readonly local: string;
  readonly remote: string;
  readonly owner: Owner;
  other!: SimPipe;
  /** What it sends goes nowhere. */
  deaf = false;
  over = false;
  readonly #world: World;
  readonly #temper: PipeTemper;
  #data: ((bytes: Uint8Array) => void) | undefined;
  #closed: ((error?: Error) => void) | undefined;
  #error: Error | undefined;
  #inbox: Uint8Array[] = [];
  #paused = false;
  #draining = false;
  #writing: { bytes: Uint8Array; copy: Uint8Array; done: (error?: Error) => void } | undefined;
  #waits = false;
  /** Bytes that left here and are not taken there. */
  #under = 0;
  #free = 0;
  #lastArrival = 0;
  #crossed = 0;

  constructor(kind: string, relayed: boolean, name: string, owner: Owner, world: World, temper: PipeTemper) {
    this.kind = kind;
    this.relayed = relayed;
    this.local = name;
    this.remote = `${name}'`;
    this.owner = owner;
    this.#world = world;
    this.#temper = temper;
  }

  write(bytes: Uint8Array, done: (error?: Error | null) => void): void {
    if (this.#writing) this.#world.violate(`${this.local}: a write while another is under way`);
    this.#writing = { bytes, copy: bytes.slice(), done };
    if (this.over) this.#world.after(0, () => done(this.#error ?? new Error('closed')));
    else this.#transmit();
  }

  start(data: (bytes: Uint8Array) => void, closed: (error?: Error) => void): void {
    this.#data = data;
    this.#closed = closed;
    if (this.over) this.#world.after(0, () => closed(this.#error));
    else this.#drain();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#world.after(0, () => this.#drain());
  }

  destroy(): void {
    if (this.over) return;
    this.over = true;
    this.#inbox = [];
    if (this.deaf) return;
    // The other end hears of it behind what has left, or at once instead of that.
    const { latency, lossy } = this.#temper;
    const late = lossy ? 0 : Math.max(0, this.other.#lastArrival - this.#world.now);
    this.#world.after(latency + late, () => this.other.end());
  }

  /** The connection is gone, as this end hears it. */
  end(error?: Error): void {
    if (this.over) return;
    this.over = true;
    this.#error = error;
    this.#inbox = [];
    if (!this.owner.killed) this.#closed?.(error);
  }

  /** Its process is no more. @param heard the machine lives, and says so */
  abandon(heard: boolean): void {
    if (!heard) this.deaf = true;
    this.destroy();
  }

  stall(until: number): void {
    this.#free = Math.max(this.#free, until);
  }

  #transmit(): void {
    if (!this.#writing || this.#waits || this.over || this.deaf || this.#under >= this.#temper.window) return;
    this.#waits = true;
    const { now } = this.#world;
    this.#free = Math.max(now, this.#free) + this.#writing.bytes.length / this.#temper.rate;
    this.#world.after(this.#free - now, () => this.#left());
  }

  #left(): void {
    this.#waits = false;
    const writing = this.#writing;
    if (!writing || this.over || this.deaf || this.owner.killed) return;
    if (Buffer.compare(writing.bytes, writing.copy) !== 0)
      this.#world.violate(`${this.local}: bytes changed while they were being sent`);
    const { latency, jitter, fault, at } = this.#temper;
    let { copy } = writing;
    this.#crossed += copy.length;
    const cut = fault === 'cut' && this.#crossed >= at;
    if (cut) copy = copy.subarray(0, copy.length - (this.#crossed - at));
    const { other } = this;
    this.#under += copy.length;
    other.#lastArrival = Math.max(
      other.#lastArrival,
      this.#free,
      this.#world.now + latency + this.#world.random() * jitter,
    );
    this.#world.after(other.#lastArrival - this.#world.now, () => {
      other.#arrive(copy);
      if (!cut) return;
      this.#world.note(`${this.local} is cut at byte ${at}`);
      for (const end of [this, other]) end.end(new Error('cut'));
    });
    this.#writing = undefined;
    writing.done();
    this.#transmit();
  }

  #arrive(bytes: Uint8Array): void {
    if (this.over || this.owner.killed) return;
    this.#inbox.push(bytes);
    this.#drain();
  }

  /** Bytes come in pieces of any size. */
  #drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    while (this.#data && !this.#paused && !this.over && this.#inbox.length > 0) {
      const [bytes] = this.#inbox as [Uint8Array];
      const length = this.#world.chance(0.8) ? bytes.length : 1 + this.#world.below(bytes.length);
      if (length === bytes.length) this.#inbox.shift();
      else this.#inbox[0] = bytes.subarray(length);
      this.other.#under -= length;
      this.#data(bytes.subarray(0, length));
      this.other.#transmit();
    }
    this.#draining = false;
  }
}

/** Two ends of one connection, whose fault comes at its time. */
export function pipePair(
  kind: { kind: string; relayed: boolean },
  name: string,
  owners: readonly [Owner, Owner],
  world: World,
  temper: PipeTemper,
): [SimPipe, SimPipe] {
  const make = (side: string, owner: Owner) =>
    new SimPipe(kind.kind, kind.relayed, `${name}${side}`, owner, world, temper);
  const [near, far] = [make('a', owners[0]), make('b', owners[1])];
  near.other = far;
  far.other = near;
  const { fault, at, seconds } = temper;
  if (fault !== 'none' && fault !== 'cut') world.after(at, () => befall(near, far, fault, seconds, world));
  return [near, far];
}

function befall(near: SimPipe, far: SimPipe, fault: Fault, seconds: number, world: World): void {
  if (near.over && far.over) return;
  world.note(`${near.local}: ${fault}`);
  if (fault === 'stall') for (const end of [near, far]) end.stall(world.now + seconds);
  if (fault === 'silent') near.deaf = true;
  if (fault === 'silent' || fault === 'half-open') far.deaf = true;
  if (fault === 'reset')
    for (const end of [near, far]) world.after(world.random() * seconds, () => end.end(new Error('reset')));
}

export function pipeTemper(chance: Chance, rate: number, mortal: boolean): PipeTemper {
  const fault = mortal ? chance.pick(['stall', 'reset', 'cut', 'silent', 'half-open'] as const) : 'none';
  return {
    latency: chance.pick([0.0001, 0.005, 0.05, 0.3]),
    jitter: chance.pick([0, 0, 0.01, 0.2]),
    rate: rate * chance.pick([0.1, 1, 1, 4]),
    window: chance.pick([4096, 65_536, 1_000_000]),
    fault,
    at: fault === 'cut' ? Math.floor(chance.random() ** 3 * 200_000) : chance.random() ** 2 * 8,
    seconds: chance.pick([0.1, 1, 20]),
    lossy: chance.chance(0.5),
  };
}
