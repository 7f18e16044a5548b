/**
 * Keeps a session's lanes: opens what is missing, brings in another kind when one falls silent, and retires what is no
 * longer needed. The receiver decides how many there are of which kind (targets.ts); the sender accepts, dials what it
 * can reach, and opens more of these when asked.
 */
import { needsZone } from '../base/addresses.ts';
import { TokenBucket } from '../base/bucket.ts';
import { type Clock, every } from '../base/clock.ts';
import { fault } from '../base/errors.ts';
import { MAX_LANES } from '../base/limits.ts';
import type { Pipe } from '../secure/pipe.ts';
import type { Path } from '../transports/path.ts';
import type { KnownKind, Role } from '../transports/transport.ts';
import type { Landing } from '../wire/framing.ts';
import type { BlocksHeader, Message } from '../wire/messages.ts';
import { Dials } from './dials.ts';
import { Lane } from './lane.ts';
import { Measure } from './measure.ts';
import { countOf, targetsFor } from './targets.ts';
import type { Targets } from './tuner.ts';

export interface SupervisorOptions {
  role: Role;
  /** The transports of this side, best first. Lanes of others are not let in. */
  kinds: readonly KnownKind[];
  clock: Clock;
  /** Lanes that the person asked for; undefined: as many as turn out well. */
  count?: number;
  /** Only the network holds the transfer back now. */
  free: () => boolean;
  /** Others share the peer's line. */
  shared: () => boolean;
  /** Receiver: one lane is enough for what is offered; undefined until that is known. */
  slight?: () => boolean | undefined;
  onLane: (lane: Lane) => void;
  onMessage: (lane: Lane, message: Message) => void;
  onBlocks: (lane: Lane, header: BlocksHeader) => Landing;
  onClosed: (lane: Lane, error: Error | undefined, left: number) => void;
  /** A path did not open now; it is tried again. */
  onFailed?: (path: Path, error: unknown) => void;
  /** Receiver: ask for nothing more on it, and close it when what was asked for has come. */
  onRetire: (lane: Lane) => void;
}

/** By so much the receiver's dials go before the sender's. */
const SENDER_DELAY_MS = 250;
/** By so much direct paths go before a relay, which costs its owner money. */
const RELAY_DELAY_MS = 150;
/** Lanes opened by the sender that are let in beyond what there should be. */
const SPARE_LANES = 4;
/** A lane that was silent for so long is closed first. On a busy lane something comes all the time. */
const SILENT_MS = 500;
/**
 * Lanes that may come up in a second, and at once after a pause: each is told of, and an honest side's are few, however
 * bad its network. A peer that opens lanes and closes them, or closes those that are dialled, has no more than these.
 */
const LANES_PER_S = 4;
const LANES_BURST = 2 * MAX_LANES;
/** With one lane up, this side waits so long to hear whether more are worth it. Where that takes longer, they are. */
const UNTOLD_MS = 50;
/** What is opened of each sort meanwhile. */
const SINGLE: Targets = { stream: 1, datagram: 0, channel: 1 };
/** Between looks at the lanes. */
const LOOK_MS = 250;
/** What a relayed lane that is let go has to bring what it owes; then the others are asked for that. */
const RETIRED_RELAY_MS = 5_000;
/** Between `want-lanes` messages to the sender. */
const ASK_MS = 1_000;
/** If the last look is longer ago than this, the process stood still. */
const STOOD_MS = 4 * LOOK_MS;

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #kinds: ReadonlyMap<string, KnownKind>;
  readonly #lanes = new Map<number, { lane: Lane; path?: Path; retired: boolean }>();
  readonly #clock: Clock;
  readonly #dials: Dials;
  readonly #rate: TokenBucket;
  /** What closed lanes have carried, by kind. */
  readonly #past = new Map<string, number>();
  #measure: Measure;
  #nextId = 1;
  /** Lanes that the receiver asked a sender for. */
  #wanted = 1;
  /** The clock's time when the first lane came up. */
  #up: number | undefined;
  /** The clock's time from which this side dials, and from which through relays. */
  #from = 0;
  #relayFrom = 0;
  #endLooks = () => {};
  /** The clock's time of the last look. */
  #looked = 0;
  #skipped = false;
  /** When the sender was last asked for lanes, and for how many. */
  #asked = 0;
  #askedFor = 0;
  #kept: number | undefined;
  #over = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#kinds = new Map(options.kinds.map((known) => [known.kind, known]));
    this.#clock = options.clock;
    this.#rate = new TokenBucket(LANES_PER_S, LANES_BURST, this.#clock);
    this.#measure = new Measure(this.#clock, options.kinds, options.count);
    this.#dials = new Dials(
      this.#clock,
      (pipe, path) => this.add(pipe, path),
      (path, error) => {
        options.onFailed?.(path, error);
        this.#tend();
      },
    );
  }

  get lanes(): Iterable<Lane> {
    return [...this.#lanes.values()].map(({ lane }) => lane);
  }

  /** Bytes that lanes of each kind have carried so far. */
  get carried(): Map<string, number> {
    const carried = new Map(this.#past);
    for (const { kind, carried: bytes } of this.lanes) carried.set(kind, (carried.get(kind) ?? 0) + bytes);
    return carried;
  }

  /** The ways to the peer; replaces what was known, and tries the new ones at once. */
  paths(paths: readonly Path[]): void {
    if (this.#over) return;
    const now = this.#clock.now();
    const first = this.#dials.paths.length === 0;
    this.#dials.replace(paths);
    // If the path of a silent lane is gone, the lane is closed at once.
    for (const { lane, path } of this.#lanes.values())
      if (path && lane.quiet && !this.#dials.has(path)) lane.close(fault('LANE_PATH_GONE'));
    if (first && this.#lanes.size === 0) {
      const direct = paths.some(({ kind }) => !this.#traits(kind)?.relayed);
      this.#from = now + (this.#options.role === 'sender' ? SENDER_DELAY_MS : 0);
      this.#relayFrom = now + (direct ? RELAY_DELAY_MS : 0);
    }
    this.#endLooks();
    this.#looked = now;
    this.#endLooks = every(this.#clock, LOOK_MS, () => this.#look());
    for (const at of new Set([now, this.#from, this.#relayFrom]))
      if (at > now) this.#clock.after(at - now + 1, () => this.#tend());
    this.#tend();
  }

  /** Receiver: how many lanes the sender asked for, when the person here did not say. */
  keep(count: number): void {
    // The sender may repeat its number, and what was measured must not be lost by that.
    if (count === this.#kept) return;
    this.#kept = count;
    this.#measure = new Measure(this.#clock, this.#options.kinds, Math.min(MAX_LANES, Math.max(1, count)));
  }

  /** A pipe on which the peer has proved its identity, dialled by it or by us. */
  add(pipe: Pipe, path?: Path): void {
    const known = this.#kinds.has(pipe.kind);
    if (this.#over || !known || this.#surplus(pipe, path)) return pipe.destroy();
    if (!this.#rate.take()) {
      if (path) this.#dials.rest(path);
      return pipe.destroy();
    }
    const lane = new Lane(
      this.#nextId++,
      pipe,
      {
        message: (from, message) => this.#message(from, message),
        land: (from, header) => this.#options.onBlocks(from, header),
        closed: (from, error) => this.#gone(from, error),
      },
      this.#clock,
    );
    this.#lanes.set(lane.id, { lane, retired: false, ...(path && { path }) });
    if (path) this.#dials.won(path);
    this.#options.onLane(lane);
    lane.start();
    if (this.#up === undefined) {
      this.#up = this.#clock.now();
      if (pipe.openedInMs !== undefined && !lane.relayed) this.#measure.opened(pipe.openedInMs);
      this.#clock.after(UNTOLD_MS + 1, () => this.#tend());
    }
    this.#tend();
  }

  /** The network has changed: lanes that stand on addresses that are gone, or fell silent, are dead. */
  moved(hosts: ReadonlySet<string>): void {
    for (const { lane } of [...this.#lanes.values()]) {
      const host = lane.local.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
      const own = this.#traits(lane.kind)?.ownAddress.includes(this.#options.role);
      const gone = own && !needsZone(host) && !hosts.has(host);
      if (gone || lane.quiet) lane.close(fault('LANE_NETWORK_CHANGED'));
    }
  }

  /** Closes the lanes there are. */
  drop(): void {
    for (const lane of this.lanes) lane.close();
  }

  close(): void {
    this.#over = true;
    this.#endLooks();
    this.#dials.close();
    this.drop();
  }

  /**
   * Whether one more of this kind is too many. An honest sender dials when its own lanes are dead, which this side may not
   * have noticed yet: some are let in beyond what there should be, and what is worth least goes.
   */
  #surplus({ kind, remote, frames }: Pipe, path: Path | undefined): boolean {
    if (this.#lanes.size >= MAX_LANES) return true;
    if (this.#options.role === 'sender') return false;
    const live = this.#liveLanes();
    const target = this.#targets(live).get(kind) ?? 0;
    const lasts = !this.#dials.outdated({ kind, remote, threaded: frames !== undefined });
    const count = lasts ? this.#lasting(live, kind).length : countOf(live, kind);
    return count >= target + (path ? 0 : SPARE_LANES);
  }

  #message(lane: Lane, message: Message): void {
    if (message.type !== 'want-lanes') {
      const single = this.#single;
      this.#options.onMessage(lane, message);
      if (single && !this.#single) this.#tend();
      return;
    }
    if (this.#options.role === 'receiver')
      throw fault('PEER_MISBEHAVES', { what: "sent 'want-lanes', which a sender does not" });
    this.#wanted = Math.max(1, message.count);
    this.#tend();
  }

  #gone(lane: Lane, error: Error | undefined): void {
    const kept = this.#lanes.get(lane.id);
    if (!kept) return;
    this.#lanes.delete(lane.id);
    this.#measure.closed(lane);
    this.#past.set(lane.kind, (this.#past.get(lane.kind) ?? 0) + lane.carried);
    if (kept.path) this.#dials.lost(kept.path);
    this.#options.onClosed(lane, error, this.#lanes.size);
    if (!this.#over) this.#tend();
  }

  #look(): void {
    const now = this.#clock.now();
    const stood = now - this.#looked > STOOD_MS;
    this.#looked = now;
    // Until what came meanwhile is read, every lane looks silent. In a page that nobody looks at, timers are always late.
    this.#skipped = stood && !this.#skipped;
    if (this.#skipped) return;
    if (this.#options.role === 'receiver')
      this.#measure.take(this.lanes, this.#dials, this.#options.free(), this.#options.shared());
    this.#tend();
  }

  #targets(live: readonly Lane[]): Map<string, number> {
    const { role, kinds } = this.#options;
    const { targets: tuned, carriesWell } = this.#measure;
    if (role === 'receiver')
      return targetsFor({ kinds, live, tuned: this.#single ? SINGLE : tuned, carriesWell });
    const targets = new Map<string, number>();
    // Beside a better direct lane the receiver alone knows whether others than streams help. It would close what it has no use for, again and again.
    let better = false;
    for (const { kind, traits } of kinds) {
      const direct = live.some((lane) => lane.kind === kind && !lane.relayed);
      if (traits.senderDials && (traits.sort === 'stream' || !better || direct))
        targets.set(kind, this.#wanted);
      better ||= direct;
    }
    return targets;
  }

  /** More than one lane is not worth it, or may turn out not to be. A person who says how many wants that many. */
  get #single(): boolean {
    const { count, slight } = this.#options;
    if (!slight || count !== undefined || this.#kept !== undefined) return false;
    return slight() ?? (this.#up !== undefined && this.#clock.now() <= this.#up + UNTOLD_MS);
  }

  #traits(kind: string) {
    return this.#kinds.get(kind)?.traits;
  }

  #live() {
    return [...this.#lanes.values()].filter(({ lane, retired }) => !retired && !lane.quiet);
  }

  #liveLanes(): Lane[] {
    return this.#live().map(({ lane }) => lane);
  }

  /** Opens what is missing and retires what is too much. */
  #tend(): void {
    const now = this.#clock.now();
    if (this.#over || now < this.#from) return;
    this.#makeWay();
    const live = this.#liveLanes();
    const targets = this.#targets(live);
    const direct = live.some(({ relayed }) => !relayed);
    for (const [kind, target] of targets) {
      const count = countOf(live, kind);
      const { relayed, senderDials, sort } = this.#traits(kind)!;
      const missing = target - this.#lasting(live, kind).length;
      if (target === 0) this.#dials.cancel(kind);
      if (count > target && missing < 0 && this.#options.role === 'receiver') {
        // Otherwise it would dial again for each lane that closes.
        if (senderDials && this.#askedFor > target) this.#ask(kind, target);
        this.#retire(kind, -missing);
      }
      if (missing <= 0 || (relayed && !direct && now < this.#relayFrom)) continue;
      const own = this.#dials.open({ kind, tcp: sort === 'stream' }, count, missing, live.length > 0);
      if (!own && senderDials && count > 0) this.#askForMore(kind, target, now);
    }
  }

  /** Lanes of a kind that stay: those of either side's main thread make way once its paths lead into others. */
  #lasting(live: readonly Lane[], kind: string): readonly Lane[] {
    const own = live.filter((lane) => lane.kind === kind);
    return this.#options.role === 'receiver' ? own.filter((lane) => !this.#dials.outdated(lane)) : own;
  }

  /** Receiver: lanes that were there before the threads leave their work to those in threads. */
  #makeWay(): void {
    if (this.#options.role !== 'receiver') return;
    const live = this.#liveLanes();
    for (const kept of this.#live())
      if (this.#dials.outdated(kept.lane) && this.#lasting(live, kept.lane.kind).length > 0)
        this.#leave(kept);
  }

  /** Only the other side can dial: it is told now and then how many lanes there should be. */
  #askForMore(kind: string, count: number, now: number): void {
    if (this.#options.role !== 'receiver' || now < this.#asked + ASK_MS) return;
    this.#asked = now;
    this.#ask(kind, count);
  }

  #ask(kind: string, count: number): void {
    this.#askedFor = count;
    const lane = this.#liveLanes().find((live) => live.kind === kind);
    lane?.send({ type: 'want-lanes', count }).catch(() => {});
  }

  /** Those first that are worth least; the last live lane stays whatever it is. */
  #retire(kind: string, count: number): void {
    const live = this.#live();
    const some = live
      .filter(({ lane }) => lane.kind === kind)
      .map((kept) => ({ kept, worth: this.#worth(kept.lane) }));
    // Of those that are alike the newest.
    some.sort((a, b) => a.worth - b.worth || b.kept.lane.id - a.kept.lane.id);
    for (const { kept } of some.slice(0, Math.min(count, live.length - 1))) this.#leave(kept);
  }

  /** Nothing more is asked for on it. */
  #leave(kept: { readonly lane: Lane; retired: boolean }): void {
    kept.retired = true;
    this.#options.onRetire(kept.lane);
    // Beside others that take most of one bottleneck, what a relay owes would come through it for as long as all does.
    if (!kept.lane.relayed) return;
    void kept.lane.over.then(this.#clock.after(RETIRED_RELAY_MS, () => kept.lane.close()));
  }

  /** A lane may be dead of which nothing was heard for a while; of the others, what one brings the rest must find room for. */
  #worth(lane: Lane): number {
    return lane.silence > SILENT_MS ? -lane.silence : this.#measure.lately(lane);
  }
}
