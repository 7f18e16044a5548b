/**
 * The store of a server that is alone: everything is in this process. Several instances may share one hub, as tests have it; they
 * hear each other in the turn in which something is said, or whenever `deliver` says so.
 */
import { randomBytes } from 'node:crypto';
import { Windowed } from './counts.ts';
import {
  type Awaitable,
  COUNTED,
  type Counted,
  type HourCount,
  type LaneCarrier,
  type MeetingRecord,
  type MeetingStore,
  type NameplateClaim,
  type PairName,
  type Place,
  REMEMBERED_MS,
  type StoreEvents,
  TICKET_MS,
} from './meeting-store.ts';

const HOUR_MS = 3_600_000;

interface Entry {
  home: string;
  record?: MeetingRecord;
  /** It was written then. */
  at: number;
}

export interface MemoryInstance {
  /** Where clients reach this instance and no other; absent: it carries nobody's lanes but those of its own clients. */
  url?: string;
  /** What it carries now. */
  load?: () => number;
}

export class MemoryHub {
  readonly clock: () => number;
  /** When what is said is heard; default: at once. What is on one way is heard in order. */
  deliver: (act: () => void, way: string) => void = (act) => act();
  readonly instances = new Map<string, MemoryStore>();
  readonly meetings = new Map<string, Entry>();
  readonly places = new Map<string, { place: Place; home: string; at: number }>();
  readonly pairs = new Map<PairName, { home: string; at: number }>();
  readonly tickets = new Map<string, { instance: string; place: Place; until: number }>();
  readonly hits: Record<Counted, Windowed>;

  constructor(clock: () => number = () => performance.now()) {
    this.clock = clock;
    this.hits = Object.fromEntries(COUNTED.map((what) => [what, new Windowed(HOUR_MS)])) as Record<
      Counted,
      Windowed
    >;
  }

  /** @param instance absent: a server that is alone, and carries the lanes of all who come */
  enter(instance?: MemoryInstance): MemoryStore {
    return new MemoryStore(this, instance);
  }

  sweep(): void {
    const now = this.clock();
    const old = now - REMEMBERED_MS;
    for (const all of [this.meetings, this.places, this.pairs])
      for (const [key, { home, at }] of all as Map<string, { home: string; at: number }>)
        if (at < old && !this.instances.has(home)) all.delete(key as PairName);
    for (const [ticket, { until }] of this.tickets) if (until <= now) this.tickets.delete(ticket);
    for (const windows of Object.values(this.hits)) windows.sweep(now);
  }
}

export class MemoryStore implements MeetingStore {
  readonly id = randomBytes(8).toString('hex');
  readonly #hub: MemoryHub;
  readonly #instance: MemoryInstance | undefined;
  #events: StoreEvents | undefined;

  constructor(hub: MemoryHub, instance: MemoryInstance | undefined) {
    this.#hub = hub;
    this.#instance = instance;
    hub.instances.set(this.id, this);
  }

  get reachable(): boolean {
    return this.#in;
  }

  attach(events: StoreEvents): void {
    this.#events = events;
  }

  hit(what: Counted, address: string): HourCount {
    const { hits, clock } = this.#hub;
    const now = clock();
    const count = hits[what].hit(address, now);
    return { count, wait: hits[what].wait(address, now) };
  }

  claim(nameplate: string): NameplateClaim {
    const { meetings } = this.#hub;
    const entry = meetings.get(nameplate);
    if (entry && entry.home !== this.id && this.#lives(entry.home)) return { here: false, home: entry.home };
    const record = entry?.record;
    meetings.set(nameplate, { home: this.id, ...(record && { record }), at: this.#hub.clock() });
    return { here: true, record };
  }

  claimFree(nameplates: readonly string[]): string | undefined {
    const free = nameplates.find((nameplate) => !this.#hub.meetings.has(nameplate));
    if (free !== undefined) this.claim(free);
    return free;
  }

  find(nameplate: string): string | undefined {
    const home = this.#hub.meetings.get(nameplate)?.home;
    return home !== undefined && home !== this.id && this.#lives(home) ? home : undefined;
  }

  hosted(nameplates: readonly string[]): string[] {
    const { meetings } = this.#hub;
    return nameplates.filter((nameplate) => {
      const entry = meetings.get(nameplate);
      return entry?.record?.hosted === true && this.#lives(entry.home);
    });
  }

  keep(nameplate: string, record: MeetingRecord): void {
    if (!this.#in) return;
    const claim = this.claim(nameplate);
    if (claim.here) this.#hub.meetings.set(nameplate, { home: this.id, record, at: this.#hub.clock() });
    else this.#hub.deliver(() => this.#events?.homeLost(nameplate), `store ${this.id}`);
  }

  release(nameplate: string): void {
    if (this.#in && this.#hub.meetings.get(nameplate)?.home === this.id) this.#hub.meetings.delete(nameplate);
  }

  remember(key: string, place: Place): void {
    if (this.#in) this.#hub.places.set(key, { place, home: this.id, at: this.#hub.clock() });
  }

  forget(key: string): void {
    if (this.#in) this.#hub.places.delete(key);
  }

  placeOf(key: string): Place | undefined {
    return this.#hub.places.get(key)?.place;
  }

  carrier(pair: PairName): LaneCarrier | undefined {
    const { instances, pairs, clock } = this.#hub;
    if (!this.#instance) return { here: true };
    const carrying = [...instances.values()].filter((each) => each.#carries);
    const chosen = pairs.get(pair);
    const home =
      carrying.find(({ id }) => id === chosen?.home) ??
      carrying.reduce<MemoryStore | undefined>(
        (best, each) => (best && best.#load <= each.#load ? best : each),
        undefined,
      );
    if (!home) return undefined;
    pairs.set(pair, { home: home.id, at: clock() });
    return home === this ? { here: true } : { here: false, instance: home.id, url: home.#instance!.url! };
  }

  hold(pair: PairName): void {
    const { instances, pairs, clock } = this.#hub;
    const other = instances.get(pairs.get(pair)?.home ?? this.id);
    if (other && other !== this && other.#carries)
      this.#hub.deliver(() => this.#events?.pairLost(pair), `store ${this.id}`);
    else if (this.#instance) pairs.set(pair, { home: this.id, at: clock() });
  }

  ticket(instance: string, place: Place): string {
    const ticket = randomBytes(16).toString('hex');
    this.#hub.tickets.set(ticket, { instance, place, until: this.#hub.clock() + TICKET_MS });
    return ticket;
  }

  redeem(ticket: string): Awaitable<Place | undefined> {
    const found = this.#hub.tickets.get(ticket);
    this.#hub.tickets.delete(ticket);
    return found?.instance === this.id && found.until > this.#hub.clock() ? found.place : undefined;
  }

  post(instance: string, message: object): boolean {
    const other = this.#hub.instances.get(instance);
    if (!other || !this.#in) return false;
    // As it is after a way through a store.
    const text = JSON.stringify(message);
    this.#hub.deliver(() => other.#events?.heard(this.id, JSON.parse(text)), `${this.id} ${instance}`);
    return true;
  }

  broadcast(message: object): void {
    for (const other of this.#hub.instances.keys()) if (other !== this.id) this.post(other, message);
  }

  sweep(): void {
    this.#hub.sweep();
  }

  leave(): void {
    const { instances, deliver } = this.#hub;
    if (!instances.delete(this.id)) return;
    for (const other of instances.values())
      deliver(() => other.#events?.gone(this.id), `${this.id} ${other.id}`);
  }

  async close(): Promise<void> {
    this.leave();
  }

  get #in(): boolean {
    return this.#hub.instances.has(this.id);
  }

  get #carries(): boolean {
    return this.#instance?.url !== undefined;
  }

  get #load(): number {
    return this.#instance?.load?.() ?? 0;
  }

  #lives(instance: string): boolean {
    return this.#hub.instances.has(instance);
  }
}
