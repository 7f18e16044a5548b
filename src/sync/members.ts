/**
 * The other receivers, as the origin introduces them to this one: who they are, what they say through it of where they are, and
 * what is said to them. Whoever connects to them is given each as an `Introduction`.
 */
import { TokenBucket } from '../base/bucket.ts';
import { Alarm, type Clock } from '../base/clock.ts';
import { MAX_NEIGHBOURS } from '../base/limits.ts';
import type { Message } from '../wire/messages.ts';
import { LatestWord, type NumberedWord } from './latest-word.ts';
import type { LanePort } from './ports.ts';

/** One other receiver. */
export interface Introduction {
  /** Of the two, this side is the one that dials. */
  readonly dials: boolean;
  /** Says where this side is, by way of the origin. The latest counts. */
  say(body: string): void;
  /** It cannot be reached, or nothing is wanted of it. The origin introduces another one. */
  refuse(): void;
}

/** What becomes of an introduction. */
export interface Neighbour {
  /** It says where it is. Nobody has checked that. */
  hear(body: string): void;
  /** The origin does not name it any more. What is connected stays so. */
  forget(): void;
  /** All that there is of it ends. */
  end(): void;
}

/** New members at once, and a second afterwards. An origin must not make this side dial without end. */
const MET_BURST = 32;
const MET_PER_S = 0.25;

interface Known {
  readonly neighbour: Neighbour;
  readonly theirs: LatestWord;
  /** What was said to it last. */
  readonly ours: () => NumberedWord | undefined;
}

export class Members {
  readonly #clock: Clock;
  readonly #meet: (introduction: Introduction) => Neighbour;
  /** Says it to the origin, on any lane on which it may be said. */
  readonly #tell: (message: Message) => void;
  readonly #known = new Map<number, Known>();
  /** Words of members that are not named yet: another lane may bring the names. */
  readonly #early = new Map<number, NumberedWord>();
  readonly #allowance: TokenBucket;
  /** For those that are named and that there was no allowance for. */
  readonly #later: Alarm;
  /** All that the origin names, by its latest word. */
  #named: { id: number; dials: boolean }[] = [];
  #namedSeq = 0;
  /** Of this side's own words. */
  #seq = 0;
  #resting: boolean;

  constructor(
    clock: Clock,
    resting: boolean,
    meet: (introduction: Introduction) => Neighbour,
    tell: (message: Message) => void,
  ) {
    this.#clock = clock;
    this.#resting = resting;
    this.#meet = meet;
    this.#tell = tell;
    this.#allowance = new TokenBucket(MET_PER_S, MET_BURST, clock);
    this.#later = new Alarm(clock);
  }

  /** How many others the origin names now. */
  get count(): number {
    return this.#named.length;
  }

  /** What holds is said on a new lane, since it may have been lost with another. */
  addLane(lane: LanePort): void {
    lane.send({ type: 'share' }).catch(() => {});
    for (const [member, { ours }] of this.#known)
      if (ours()) lane.send({ type: 'signal', member, ...ours()! }).catch(() => {});
  }

  /** The origin names those that there are now. */
  named({ seq, all }: Message & { type: 'members' }): void {
    if (seq <= this.#namedSeq) return;
    this.#namedSeq = seq;
    this.#named = all;
    this.#reconcile();
  }

  /** One of them says something, or one that will be named soon. */
  signal({ member, seq, body }: Message & { type: 'signal' }): void {
    const known = this.#known.get(member);
    if (known) return known.theirs.take({ seq, body });
    if (seq <= (this.#early.get(member)?.seq ?? 0)) return;
    this.#early.delete(member);
    this.#early.set(member, { seq, body });
    for (const oldest of this.#early.keys())
      if (this.#early.size > MAX_NEIGHBOURS) this.#early.delete(oldest);
  }

  /** A pause: this side neither gives nor takes. The origin names others when it is over. */
  rest(): void {
    this.#resting = true;
    this.#leave('end');
  }

  run(): void {
    this.#resting = false;
    this.#reconcile();
  }

  /** The origin is a new process, which knows none of them. */
  restart(): void {
    this.#namedSeq = 0;
    this.#leave('end');
  }

  /** Nothing more is said through the origin. What is connected is for whoever was given the introductions. */
  stop(): void {
    this.#resting = true;
    this.#leave('forget');
  }

  #leave(how: 'end' | 'forget'): void {
    this.#later.clear();
    this.#named = [];
    this.#early.clear();
    for (const id of [...this.#known.keys()]) this.#drop(id, how);
  }

  #drop(id: number, how: 'end' | 'forget'): void {
    const { theirs, neighbour } = this.#known.get(id)!;
    this.#known.delete(id);
    theirs.end();
    neighbour[how]();
  }

  #reconcile(): void {
    if (this.#resting) return;
    const ids = new Set(this.#named.map(({ id }) => id));
    for (const id of [...this.#known.keys()]) if (!ids.has(id)) this.#drop(id, 'forget');
    for (const { id, dials } of this.#named) {
      if (this.#known.has(id)) continue;
      if (this.#allowance.take()) this.#introduce(id, dials);
      else if (!this.#later.waits) this.#later.set(1000 / MET_PER_S, () => this.#reconcile());
    }
  }

  #introduce(id: number, dials: boolean): void {
    let ours: NumberedWord | undefined;
    const neighbour = this.#meet({
      dials,
      say: (body) => {
        ours = { seq: ++this.#seq, body };
        this.#tell({ type: 'signal', member: id, ...ours });
      },
      refuse: () => {
        if (this.#known.has(id)) this.#tell({ type: 'refuse', member: id });
      },
    });
    const theirs = new LatestWord(this.#clock, ({ body }) => neighbour.hear(body));
    this.#known.set(id, { neighbour, theirs, ours: () => ours });
    const early = this.#early.get(id);
    this.#early.delete(id);
    if (early) theirs.take(early);
  }
}
