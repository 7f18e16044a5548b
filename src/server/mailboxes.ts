/**
 * All mailboxes of a server, without sockets or timers: whoever has those calls `open`, the seat's methods and, now
 * and then, `sweep`. The server learns a nameplate, addresses and opaque bodies; nothing of them is kept or logged.
 */
import { addressKey } from '../base/addresses.ts';
import { asBeelineError, type BeelineError, fault } from '../base/errors.ts';
import { Room } from '../base/room.ts';
import { encodeNear, type NearMessage } from '../wire/near.ts';
import {
  type ClientMessage,
  encodeRendezvous,
  NO_SERVICES,
  type RefusalCode,
  type ServerMessage,
  type Services,
} from '../wire/rendezvous.ts';
import {
  decodeSeatMessage,
  encodeWatch,
  isWatchable,
  type SeatMessage,
  type WatcherMessage,
} from '../wire/watch.ts';
import { Holdings } from './counts.ts';
import { heardElsewhere, type NewsElsewhere } from './elsewhere.ts';
import { SHUTTING_DOWN } from './health.ts';
import { DEFAULT_LIMITS, type Limits } from './limits.ts';
import { type Account, type HostWish, type House, SharedMailbox, type Sitter } from './mailbox.ts';
import {
  type Awaitable,
  type Counted,
  type MeetingRecord,
  type MeetingStore,
  type NameplateClaim,
  type PairName,
  type Side,
  whenKnown,
} from './meeting-store.ts';
import { MemoryHub } from './memory-store.ts';
import { nameplateCandidates } from './nameplates.ts';
import { Nearby, type Presence } from './nearby.ts';
import { keyOf, Places } from './places.ts';
import { Tally } from './tally.ts';
import { type SeatConnection, type TunnelEnd, Tunnels } from './tunnels.ts';
import { type Watcher, Watchers } from './watchers.ts';

const REFUSALS: readonly RefusalCode[] = ['NO_PEER', 'CROWDED', 'SERVER', 'VERSION', 'PROTOCOL', 'REFUSED'];

export interface MailboxesOptions {
  limits?: Partial<Limits>;
  /** Milliseconds that never jump; for tests. */
  clock?: () => number;
  /** What everyone who sits down is told of; default: nothing. */
  services?: (user: string) => Services;
  /** Who may host a meeting; default: anyone. */
  hosts?: 'anyone' | 'this process';
  /** Counts what happens here. */
  tally?: Tally;
  /** Shared with other instances of this server; default: this one is alone. */
  store?: MeetingStore;
}

/** Where a seat's mailbox is. */
type Found =
  | { mailbox: SharedMailbox; account?: Account | undefined }
  /** The other instance where it lives. */
  | { home: string };

/** What the relay hears of other instances. */
export interface RelayNews {
  vacated(place: NewsElsewhere & { t: 'vacated' }): void;
  pairLost(pair: PairName): void;
  back(): void;
}

const MOVED = 'This meeting has moved to another instance of this server.';
const WHAT: Record<Counted, string> = {
  joins: 'joins',
  created: 'new meetings',
  watches: 'watches',
  pageWatches: 'watches of pages',
  near: 'devices that showed themselves',
};

export class Mailboxes implements House {
  readonly limits: Readonly<Limits>;
  readonly clock: () => number;
  readonly store: MeetingStore;
  readonly places: Places;
  readonly tally: Tally;
  readonly services: (user: string) => Services;
  readonly #hosts: MailboxesOptions['hosts'];
  readonly #mailboxes = new Map<string, SharedMailbox>();
  readonly #seats = new Set<Seat>();
  /** Those that have not said yet what they want: who comes is let in, and the oldest of the busiest address goes. */
  readonly #silent: Room<Seat>;
  /** Those that have, by address. */
  readonly #connections = new Holdings();
  readonly #spoke = new WeakSet<Seat>();
  readonly #owned = new Holdings();
  readonly #watchers: Watchers;
  readonly #nearby: Nearby;
  readonly #tunnels: Tunnels;
  relayNews: RelayNews | undefined;

  constructor({
    limits,
    clock = () => performance.now(),
    services = () => NO_SERVICES,
    hosts,
    tally = new Tally(),
    store = new MemoryHub(clock).enter(),
  }: MailboxesOptions = {}) {
    this.tally = tally;
    this.limits = { ...DEFAULT_LIMITS, ...limits };
    const { connections, connectionsPerAddress } = this.limits;
    this.#silent = new Room(
      { inAll: Math.ceil(connections / 4), ofAddress: Math.ceil(connectionsPerAddress / 2) },
      'oldest',
      (seat) => seat.refuse(busy('This connection asked for nothing, and others came.')),
    );
    this.clock = clock;
    this.services = services;
    this.#hosts = hosts;
    this.store = store;
    this.places = new Places(store);
    const now = { now: () => this.clock() };
    this.#watchers = new Watchers(this.limits, now);
    this.#nearby = new Nearby(this.limits, now, store);
    this.#tunnels = new Tunnels(store, (connection) => this.open(connection));
    store.attach({
      heard: (from, message) => this.#heard(from, message),
      gone: (instance) => {
        this.#tunnels.gone(instance);
        this.#nearby.gone(instance);
        this.#askAgain();
      },
      away: () => this.#tunnels.endAll(),
      back: () => {
        for (const mailbox of this.#mailboxes.values()) mailbox.publish(true);
        this.relayNews?.back();
        this.#nearby.back();
        this.#askAgain();
      },
      homeLost: (nameplate) => this.#homeLost(nameplate),
      pairLost: (pair) => this.relayNews?.pairLost(pair),
    });
  }

  /** Mailboxes and connections there are, for health and metrics. */
  get counts(): { mailboxes: number; connections: number } {
    return { mailboxes: this.#mailboxes.size, connections: this.#seats.size };
  }

  /** Seats whose mailbox, or whose connection, is at another instance. */
  get tunnels(): number {
    return this.#tunnels.size;
  }

  /** Pages that show themselves to others near them. */
  get near(): number {
    return this.#nearby.size;
  }

  /** Why one more connection from this address would be refused, if it would. */
  refusal(address: string): BeelineError | undefined {
    if (this.#seats.size - this.#silent.size >= this.limits.connections)
      return busy(`This server is full (${this.limits.connections} connections). Try again later.`);
    if (this.#connections.of(addressKey(address)) >= this.limits.connectionsPerAddress)
      return busy(
        `Too many connections from your address (${this.limits.connectionsPerAddress} is the limit). Close some first.`,
      );
    return undefined;
  }

  /** @throws BeelineError SERVER as `refusal` says. */
  open(connection: SeatConnection): Seat {
    const refusal = this.refusal(connection.address);
    if (refusal) throw refusal;
    const key = addressKey(connection.address);
    const seat = new Seat(this, connection, key, () => {
      this.#seats.delete(seat);
      if (this.#silent.has(seat)) this.#silent.leave(seat);
      else if (this.#spoke.delete(seat)) this.#connections.remove(key);
    });
    this.#silent.enter(key, seat);
    this.#seats.add(seat);
    return seat;
  }

  /** It has said what it wants, and counts among those that are here for something. @throws BeelineError SERVER as `refusal` says. */
  #speaks(seat: Seat): void {
    const refusal = this.refusal(seat.address);
    if (refusal) throw refusal;
    this.#silent.leave(seat);
    this.#spoke.add(seat);
    this.#connections.add(seat.key);
  }

  /** Undefined if the seat has gone meanwhile. @throws BeelineError CROWDED, SERVER or REFUSED. */
  host(seat: Seat, nameplate: string | undefined, wish: HostWish): Awaitable<Found | undefined> {
    if (this.#hosts === 'this process' && !seat.local) throw fault('PAGE_OF_ONE_SENDER');
    this.#speaks(seat);
    const existing = nameplate === undefined ? undefined : this.#find(nameplate);
    if (existing) return this.#hostOf(existing, seat, wish);
    const claimed = nameplate === undefined ? this.#claimFree() : this.#claim(nameplate);
    return whenKnown(claimed, ({ nameplate, claim }) => {
      if (!claim.here) {
        if (seat.forwarded) throw busy(MOVED);
        return { home: claim.home };
      }
      // While the store was asked, another of this instance may have come.
      const rival = this.#find(nameplate);
      if (rival) return this.#hostOf(rival, seat, wish);
      return this.#create(seat, nameplate, wish, claim.record);
    });
  }

  #hostOf(mailbox: SharedMailbox, seat: Seat, { token }: HostWish): Awaitable<Found> {
    if (mailbox.isHost(token)) return { mailbox };
    return whenKnown(this.#count('joins', seat.key), () => {
      if (!mailbox.awaitsHost) throw fault('NAMEPLATE_TAKEN');
      return { mailbox };
    });
  }

  /** Undefined if the seat has gone meanwhile. @throws BeelineError NO_PEER or SERVER. */
  join(seat: Seat, nameplate: string, token: string | undefined): Awaitable<Found | undefined> {
    this.#speaks(seat);
    // Where it came in, it was counted.
    const counted = seat.forwarded ? undefined : this.#count('joins', seat.key);
    return whenKnown(counted, () => {
      const mailbox = this.#find(nameplate);
      if (mailbox) return this.#guestOf(mailbox, token);
      return whenKnown(seat.forwarded ? undefined : this.store.find(nameplate), (home) => {
        if (home !== undefined) return { home };
        const late = this.#find(nameplate);
        if (!late) throw fault('NOBODY_SENDS');
        return this.#guestOf(late, token);
      });
    });
  }

  /** A mailbox whose home has died knows its guests by what the store has of them. */
  #guestOf(mailbox: SharedMailbox, token: string | undefined): Awaitable<Found> {
    if (!mailbox.restored || token === undefined || this.places.of(token)) return { mailbox };
    return whenKnown(this.store.placeOf(keyOf(token)), (place) => {
      if (place?.meeting !== mailbox.meeting || place.side !== 'guest') return { mailbox };
      return { mailbox, account: { number: place.guest, kept: place.kept, bytes: 0 } };
    });
  }

  /** A connection of here is passed on to where its mailbox lives. */
  forward(
    home: string,
    seat: Pick<Seat, 'address' | 'queued'>,
    events: { text(text: string): void; closed(): void },
  ): TunnelEnd {
    return this.#tunnels.dig(home, {
      address: seat.address,
      queued: () => seat.queued,
      ...events,
    });
  }

  /**
   * Again and again from the same connection: each list is instead of the one before.
   * @returns those of the nameplates that have a host now @throws BeelineError SERVER or REFUSED
   */
  watch(seat: Seat, nameplates: readonly string[]): Awaitable<string[]> {
    if (this.#hosts === 'this process') throw fault('PAGE_OF_ONE_SENDER');
    if (!this.#spoke.has(seat)) this.#speaks(seat);
    return whenKnown(this.#count(seat.ofPage ? 'pageWatches' : 'watches', seat.key), () => {
      const refusal = this.#watchers.refusal(seat, nameplates);
      if (refusal) throw busy(refusal);
      if (seat.over) return [];
      this.#watchers.watch(seat, nameplates);
      return whenKnown(this.store.hosted(nameplates), (hosted) => this.#watchers.begin(seat, hosted));
    });
  }

  /** Its connection is gone: nothing is watched for it, and nobody sees it. */
  gone(seat: Seat): void {
    this.#watchers.leave(seat);
    this.#nearby.leave(seat);
  }

  /** From now on it is seen by others that are near, and sees them. @throws BeelineError SERVER, CROWDED or REFUSED */
  show(seat: Seat, group: string | undefined, token: string, name: string): Awaitable<void> {
    if (this.#hosts === 'this process') throw fault('PAGE_OF_ONE_SENDER');
    if (group === undefined) throw fault('NEAR_UNKNOWN');
    this.#speaks(seat);
    const checkNear = () => {
      const refusal = this.#nearby.refusal(seat, group, token);
      if (refusal) throw refusal;
    };
    // Before it counts: who finds no room and tries again takes nothing from those who are there.
    checkNear();
    return whenKnown(this.#count('near', seat.key), () => {
      // While the store counted, others may have come.
      checkNear();
      if (!seat.over) this.#nearby.show(seat, group, token, name);
    });
  }

  call(seat: Seat, to: string, nameplate: string | undefined): void {
    this.#nearby.call(seat, to, nameplate);
  }

  hosting(nameplate: string, present: boolean): void {
    // Its other home has said what is so.
    if (this.places.moving) return;
    this.#watchers.changed(nameplate, present);
    if (isWatchable(nameplate)) this.store.broadcast({ t: 'hosting', nameplate, present });
  }

  end(mailbox: SharedMailbox, error: BeelineError): void {
    if (!this.#drop(mailbox)) return;
    mailbox.end(error);
    this.store.release(mailbox.nameplate);
  }

  /** A mailbox that was made for a host who has gone before it sat down. */
  endUnused(mailbox: SharedMailbox): void {
    if (!mailbox.seated) this.end(mailbox, fault('HOST_LEFT'));
  }

  #drop(mailbox: SharedMailbox): boolean {
    if (this.#mailboxes.get(mailbox.nameplate) !== mailbox) return false;
    this.#mailboxes.delete(mailbox.nameplate);
    this.#owned.remove(mailbox.owner);
    return true;
  }

  /** While this instance was out of reach, another has gone on with it. Who sits here goes there. */
  #homeLost(nameplate: string): void {
    const mailbox = this.#mailboxes.get(nameplate);
    if (mailbox && this.#drop(mailbox)) this.places.whileMoved(() => mailbox.end(busy(MOVED)));
  }

  #heard(from: string, message: unknown): void {
    const news = heardElsewhere(message);
    if (!news) this.#tunnels.heard(from, message);
    else if (news.t === 'near' || news.t === 'called') this.#nearby.told(from, news);
    else if (news.t === 'hosting') this.#watchers.changed(news.nameplate, news.present);
    else this.relayNews?.vacated(news);
  }

  /** What is watched may have changed unheard. */
  #askAgain(): void {
    this.#watchers.askAgain(async (nameplates) => this.store.hosted(nameplates)).catch(() => {});
  }

  /** Ends what has expired; call it every few seconds. */
  sweep(): void {
    const now = this.clock();
    for (const mailbox of this.#mailboxes.values())
      if (!this.endIfExpired(mailbox)) mailbox.publishInTime(now);
    for (const seat of this.#seats) seat.checkHello(now);
    this.#watchers.sweep();
    this.#nearby.sweep();
    this.store.sweep();
  }

  endIfExpired(mailbox: SharedMailbox): boolean {
    const error = mailbox.expired(this.clock());
    if (error) this.end(mailbox, error);
    return error !== undefined;
  }

  /** Refuses everyone; nothing is left afterwards but what another instance needs to go on. */
  close(): void {
    this.store.leave();
    const error = busy(SHUTTING_DOWN);
    for (const mailbox of this.#mailboxes.values()) this.end(mailbox, error);
    for (const seat of this.#seats) seat.refuse(error);
  }

  #find(nameplate: string): SharedMailbox | undefined {
    const mailbox = this.#mailboxes.get(nameplate);
    return mailbox && !this.endIfExpired(mailbox) ? mailbox : undefined;
  }

  #claim(nameplate: string): Awaitable<{ nameplate: string; claim: NameplateClaim }> {
    return whenKnown(this.store.claim(nameplate), (claim) => ({ nameplate, claim }));
  }

  #claimFree(): Awaitable<{ nameplate: string; claim: NameplateClaim }> {
    return whenKnown(this.store.claimFree(nameplateCandidates()), (nameplate) => {
      if (nameplate === undefined) throw busy('This server found no free nameplate. Try again later.');
      return { nameplate, claim: { here: true } };
    });
  }

  /** Of a nameplate that is this instance's. */
  #create(
    seat: Seat,
    nameplate: string,
    wish: HostWish,
    record: MeetingRecord | undefined,
  ): Awaitable<Found | undefined> {
    const release = () => {
      if (!this.#mailboxes.has(nameplate) && !record) this.store.release(nameplate);
    };
    const make = (): Awaitable<Found | undefined> => {
      if (seat.over) return void release();
      // While the store counted, another may have come, or many of this address.
      const rival = this.#find(nameplate);
      if (rival) return this.#hostOf(rival, seat, wish);
      this.#checkRoom(seat.key);
      const mailbox = new SharedMailbox(nameplate, seat.key, this.clock(), this, record);
      this.#mailboxes.set(nameplate, mailbox);
      this.#owned.add(mailbox.owner);
      this.tally.meetings++;
      return { mailbox };
    };
    try {
      this.#checkRoom(seat.key);
      // One that another instance had was counted there.
      const counted = record ? undefined : this.#count('created', seat.key);
      if (!(counted instanceof Promise)) return make();
      return counted.then(make).catch((error: unknown) => {
        release();
        throw error;
      });
    } catch (error) {
      release();
      throw error;
    }
  }

  /** @throws BeelineError SERVER if there may be no more mailboxes here, or of this address */
  #checkRoom(key: string): void {
    const { mailboxes, mailboxesPerAddress } = this.limits;
    if (this.#mailboxes.size >= mailboxes)
      throw busy(`This server is full (${mailboxes} meetings). Try again later.`);
    if (this.#owned.of(key) >= mailboxesPerAddress)
      throw busy(
        `Too many meetings from your address (${mailboxesPerAddress} is the limit). End some first.`,
      );
  }

  /** One more event of an address. @throws BeelineError SERVER */
  #count(what: Counted, key: string): Awaitable<void> {
    const { joinsPerHour: joins, mailboxesPerHour: created, watchesPerHour: watches } = this.limits;
    const limit = { joins, created, watches, pageWatches: watches, near: this.limits.nearPerHour }[what];
    return whenKnown(this.store.hit(what, key), ({ count, wait }) => {
      if (count <= limit) return;
      const minutes = Math.ceil(wait / 60_000);
      throw busy(
        `Too many ${WHAT[what]} from your address (${limit} an hour is the limit). Try again in ${minutes} min.`,
      );
    });
  }
}

/** Texts of a client that does not wait for the first answer. One of ours may leave meanwhile. */
const MOST_WAITING = 8;

/** One connection's conversation with the server: first it hosts or joins, then it talks to the other side. Or it watches, or shows itself. */
export class Seat implements Sitter, Watcher, Presence {
  readonly key: string;
  readonly address: string;
  readonly local: boolean;
  readonly forwarded: boolean;
  readonly ofPage: boolean;
  readonly #mailboxes: Mailboxes;
  readonly #connection: SeatConnection;
  readonly #since: number;
  readonly #gone: () => void;
  #place: { side: Side; mailbox: SharedMailbox; guest: number } | undefined;
  /** To the mailbox, if that is at another instance. */
  #tunnel: TunnelEnd | undefined;
  #watches = false;
  #near = false;
  /** What comes while the store is asked. */
  #waiting: string[] | undefined;
  #over = false;

  /** @param gone is called once, when this connection no longer counts. */
  constructor(mailboxes: Mailboxes, connection: SeatConnection, key: string, gone: () => void) {
    this.#mailboxes = mailboxes;
    this.#connection = connection;
    this.#since = mailboxes.clock();
    this.#gone = gone;
    this.key = key;
    this.address = connection.address;
    this.local = connection.local === true;
    this.forwarded = connection.forwarded === true;
    this.ofPage = connection.ofPage === true;
  }

  /** It has closed, or has been closed. */
  get over(): boolean {
    return this.#over;
  }

  /** The connection received a text. Never throws: what is wrong with it is told to the other end. */
  receive(text: string): void {
    if (this.#over) return;
    if (this.#waiting) return this.#wait(text);
    try {
      const message = decodeSeatMessage(text);
      this.#mailboxes.tally.said[message.t]++;
      if (this.#tunnel) return this.#tunnel.send(text);
      const obeyed = this.#obey(message, text);
      if (obeyed instanceof Promise) this.#until(obeyed);
    } catch (thrown) {
      this.refuse(asBeelineError(thrown, 'SERVER'));
    }
  }

  #wait(text: string): void {
    if (this.#waiting!.push(text) > MOST_WAITING)
      this.refuse(fault('CLIENT_MISBEHAVES', { what: 'does not wait for an answer' }));
  }

  #until(obeyed: Promise<void>): void {
    this.#waiting = [];
    obeyed.then(
      () => {
        const waiting = this.#waiting ?? [];
        this.#waiting = undefined;
        for (const [at, text] of waiting.entries()) {
          // One of them may have to wait, too.
          if (this.#waiting) this.#wait(waiting[at]!);
          else this.receive(text);
        }
      },
      (thrown) => this.refuse(asBeelineError(thrown, 'SERVER')),
    );
  }

  /** The connection is gone: its place is free at once. */
  closed(): void {
    if (this.#over) return;
    this.#over = true;
    this.#gone();
    this.#mailboxes.gone(this);
    this.#tunnel?.close();
    this.#leavePlace();
  }

  #leavePlace(): void {
    if (!this.#place) return;
    const { side, mailbox, guest } = this.#place;
    const now = this.#mailboxes.clock();
    if (side === 'host') mailbox.hostGone(this, now);
    else mailbox.guestGone(guest, this, now);
  }

  get queued(): number {
    return this.#connection.queued ?? 0;
  }

  tell(message: ServerMessage): void {
    if (!this.#over) this.#connection.send(encodeRendezvous(message));
  }

  nearby(message: NearMessage): void {
    if (!this.#over) this.#connection.send(encodeNear(message));
  }

  notify(message: WatcherMessage): void {
    if (!this.#over) this.#connection.send(encodeWatch(message));
  }

  refuse(error: BeelineError): void {
    this.#mailboxes.tally.refusedAtRendezvous(error);
    const code = REFUSALS.find((known) => known === error.code) ?? 'SERVER';
    this.tell({ t: 'refused', code, reason: error.reason, message: error.message });
    this.#close();
  }

  replaced(): void {
    this.#close();
  }

  checkHello(now: number): void {
    if (
      !this.#place &&
      !this.#watches &&
      !this.#near &&
      !this.#tunnel?.answered &&
      now - this.#since >= this.#mailboxes.limits.helloDeadline
    )
      this.refuse(fault('SERVER_BUSY', { what: 'This connection asked for nothing and was closed.' }));
  }

  #close(): void {
    if (this.#over) return;
    this.closed();
    this.#connection.close();
  }

  #obey(message: SeatMessage, text: string): Awaitable<void> {
    if (message.t === 'watch') return this.#watch(message.nameplates);
    if (message.t === 'near') return this.#show(message.token, message.name);
    if (message.t === 'call') return this.#call(message.to, message.nameplate);
    if (message.t === 'host' || message.t === 'join') return this.#sit(message, text);
    if (message.t === 'leave' && (this.#watches || this.#near)) this.#close();
    else this.#speak(message);
  }

  #show(token: string, name: string): Awaitable<void> {
    if (this.#place || this.#watches || this.#near)
      throw fault('CLIENT_MISBEHAVES', { what: 'is here for something else already' });
    return whenKnown(this.#mailboxes.show(this, this.#connection.near, token, name), () => {
      this.#near = true;
    });
  }

  #call(to: string, nameplate: string | undefined): void {
    if (!this.#near) throw fault('CLIENT_MISBEHAVES', { what: 'must show itself first' });
    this.#mailboxes.call(this, to, nameplate);
  }

  #watch(nameplates: readonly string[]): Awaitable<void> {
    if (this.#near) throw fault('CLIENT_MISBEHAVES', { what: 'shows itself already' });
    if (this.#place) throw fault('CLIENT_MISBEHAVES', { what: 'has a nameplate already' });
    return whenKnown(this.#mailboxes.watch(this, nameplates), (present) => {
      this.#watches = true;
      this.notify({ t: 'watching', v: 2, present });
    });
  }

  #sit(message: ClientMessage & { t: 'host' | 'join' }, text: string): Awaitable<void> {
    if (this.#watches || this.#near) throw fault('CLIENT_MISBEHAVES', { what: 'watches already' });
    if (this.#place) throw fault('CLIENT_MISBEHAVES', { what: 'has a nameplate already' });
    const found =
      message.t === 'host'
        ? this.#mailboxes.host(this, message.nameplate, message)
        : this.#mailboxes.join(this, message.nameplate, message.token);
    return whenKnown(found, (found) => {
      if (!found) return;
      if (this.#over) return 'home' in found ? undefined : this.#mailboxes.endUnused(found.mailbox);
      if ('home' in found) return this.#forward(found.home, text);
      const { mailbox, account } = found;
      // While the store was asked.
      if (mailbox.over) throw busy(MOVED);
      // Set only after success: a refused newcomer must not free the place of the one who has it.
      if (message.t === 'host') {
        // Two may have come into a lost host's place while the store was asked: only the first has it.
        if (mailbox.hasHost && !mailbox.isHost(message.token)) throw fault('NAMEPLATE_TAKEN');
        mailbox.seatHost(this, message);
        this.#place = { side: 'host', mailbox, guest: 0 };
      } else {
        const guest = mailbox.seatGuest(this, message.token, account);
        this.#place = { side: 'guest', mailbox, guest };
      }
      // What it was told first may have shown that its connection is gone.
      if (this.#over) this.#leavePlace();
    });
  }

  /** The home hears what the client said, and answers itself. */
  #forward(home: string, text: string): void {
    this.#tunnel = this.#mailboxes.forward(home, this, {
      text: (text) => {
        if (!this.#over) this.#connection.send(text);
      },
      closed: () => this.#close(),
    });
    this.#tunnel.send(text);
  }

  #speak(message: Said): void {
    if (!this.#place) throw fault('CLIENT_MISBEHAVES', { what: 'must host or join first' });
    const { side, mailbox, guest } = this.#place;
    if (side === 'host') this.#asHost(message, mailbox);
    else this.#asGuest(message, mailbox, guest);
    this.#mailboxes.endIfExpired(mailbox);
  }

  #asHost(message: Said, mailbox: SharedMailbox): void {
    switch (message.t) {
      case 'send':
        if (message.guest === undefined) throw fault('CLIENT_MISBEHAVES', { what: 'names no guest' });
        return mailbox.toGuest(message.guest, message.body);
      case 'drop':
        return mailbox.drop(message.guest);
      case 'keep':
        return mailbox.keep(message.guest);
      case 'leave':
        this.#close();
        return this.#mailboxes.end(mailbox, fault('HOST_LEFT'));
    }
  }

  #asGuest(message: Said, mailbox: SharedMailbox, number: number): void {
    if (message.t === 'leave') {
      mailbox.guestLeaves(number, this);
      return this.#close();
    }
    if (message.t !== 'send' || message.guest !== undefined)
      throw fault('CLIENT_MISBEHAVES', { what: 'is not the host, who alone deals with guests' });
    mailbox.toHost(number, this, message.body);
  }
}

/** What somebody who sits says. */
type Said = Exclude<ClientMessage, { t: 'host' | 'join' }>;

export function busy(what: string): BeelineError {
  return fault('SERVER_BUSY', { what });
}
