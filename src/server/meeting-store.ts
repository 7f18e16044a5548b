/**
 * What the instances of one server share: who has which nameplate, whose token is whose, what addresses have asked for, who carries
 * relayed lanes, and a way to speak to each other. A mailbox itself lives in one instance, its home. There are two adapters:
 * `memory-store.ts` for an instance that is alone, and `redis-store.ts`.
 *
 * An adapter that need not wait answers at once: a server that is alone has no turns of the event loop between a question and its
 * answer.
 */
import * as v from 'valibot';
import { count, hex, only, text } from '../base/json.ts';
import { MAX_GUEST, NAMEPLATE } from '../wire/rendezvous.ts';

export type Awaitable<T> = T | Promise<T>;

export function whenKnown<T, R>(value: Awaitable<T>, next: (value: T) => Awaitable<R>): Awaitable<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/** How long the store remembers what belongs to a home that has died, in milliseconds. A home writes it anew much more often. */
export const REMEMBERED_MS = 180_000;
/** A ticket is used at once. */
export const TICKET_MS = 30_000;

/** What addresses do, counted by the hour over all instances. Pages that are merely open use up nothing of what commands have. */
export const COUNTED = ['joins', 'created', 'watches', 'pageWatches', 'near'] as const;
export type Counted = (typeof COUNTED)[number];

export interface HourCount {
  /** Of this address in its present hour, this one included. */
  count: number;
  /** Milliseconds until that hour ends. */
  wait: number;
}

/** An address key (`addressKey`), or whatever stands for one. */
const ADDRESS_KEY = text(64);
const KEY = hex(16);
const MEETING = hex(8);

/** Of a token: who knows it does not know the token. */
export const PLACE = only({
  nameplate: NAMEPLATE,
  /** Which mailbox of this nameplate: there may have been others. */
  meeting: MEETING,
  /** The address key that the mailbox counts under. */
  owner: ADDRESS_KEY,
  side: v.picklist(['host', 'guest']),
  /** Its number at the mailbox; 0 for the host. */
  guest: count(MAX_GUEST),
  /** A guest that has proven itself. */
  kept: v.boolean(),
});
/** A place at a mailbox, whatever connection has it. */
export type Place = Readonly<v.InferOutput<typeof PLACE>>;
export type Side = Place['side'];

/** What another instance needs to go on with a mailbox whose home has died. */
export const MEETING_RECORD = only({
  meeting: MEETING,
  owner: ADDRESS_KEY,
  /** The key of its host's token. */
  host: KEY,
  /** Its host is connected. */
  hosted: v.boolean(),
  /** The highest number that a guest has had. */
  last: count(MAX_GUEST),
});
export type MeetingRecord = Readonly<v.InferOutput<typeof MEETING_RECORD>>;

/** Whose a nameplate is: this instance's, with what is remembered of a mailbox that died; or another's. */
export type NameplateClaim =
  | { here: true; record?: MeetingRecord | undefined }
  | { here: false; home: string };

/** Who carries the lanes of a pair. */
export type LaneCarrier = { here: true } | { here: false; instance: string; url: string };

/** The lanes of one guest and its host. */
export type PairName = `${string}:${number}`;
export const pairName = ({ meeting, guest }: Pick<Place, 'meeting' | 'guest'>): PairName =>
  `${meeting}:${guest}`;

export interface StoreEvents {
  /** Another instance says something. It has been through a store: it is checked as what comes from anywhere else. */
  heard(from: string, message: unknown): void;
  /** An instance has died, or has left. */
  gone(instance: string): void;
  /** The store is out of reach. What others say is lost from now on. */
  away(): void;
  /** It is within reach again, and may have forgotten everything. For the others this is another instance now. */
  back(): void;
  /** A nameplate that was this instance's has another home. */
  homeLost(nameplate: string): void;
  /** The same of a pair that waits here for its lanes. */
  pairLost(pair: PairName): void;
}

/**
 * Those that return nothing are done in order, and what becomes of them is told by events. A question that cannot be answered rejects
 * with SERVER within seconds.
 */
export interface MeetingStore {
  /** Questions can be asked now. */
  readonly reachable: boolean;
  attach(events: StoreEvents): void;
  hit(what: Counted, address: string): Awaitable<HourCount>;
  /** This instance's from now on, if no instance that lives has it. */
  claim(nameplate: string): Awaitable<NameplateClaim>;
  /** The first of these that nobody has is this instance's. */
  claimFree(nameplates: readonly string[]): Awaitable<string | undefined>;
  /** The other instance that has it, if one that lives does. */
  find(nameplate: string): Awaitable<string | undefined>;
  /** Those that have a host now. */
  hosted(nameplates: readonly string[]): Awaitable<string[]>;
  keep(nameplate: string, record: MeetingRecord): void;
  release(nameplate: string): void;
  /** @param key of a token */
  remember(key: string, place: Place): void;
  forget(key: string): void;
  placeOf(key: string): Awaitable<Place | undefined>;
  /** Chosen by load, and the same for whoever asks, as long as that instance lives. Undefined: there is none. */
  carrier(pair: PairName): Awaitable<LaneCarrier | undefined>;
  /** Somebody of this pair waits here. */
  hold(pair: PairName): void;
  /** What a client shows at another instance, once. */
  ticket(instance: string, place: Place): Awaitable<string>;
  /** The place of a ticket for this instance. */
  redeem(ticket: string): Awaitable<Place | undefined>;
  /** False: it cannot be said. */
  post(instance: string, message: object): boolean;
  broadcast(message: object): void;
  /** Forgets what is over; called every few seconds. */
  sweep(): void;
  /** From now on nothing is written, and this instance carries no new lanes: others may go on with what is here. */
  leave(): void;
  close(): Promise<void>;
}
