/**
 * All mailboxes of a server, without sockets or timers: whoever has those calls `open`, the seat's methods and, now
 * and then, `sweep`. The server learns a nameplate, addresses and opaque bodies; nothing of them is kept or logged.
 */
import { addressKey } from '../base/addresses.ts';
import { asBeelineError, type BeelineError, fault } from '../base/errors.ts';
import { Room } from '../base/room.ts';
import {
  type ClientMessage,
  encodeRendezvous,
  NO_SERVICES,
  type RefusalCode,
  type ServerMessage,
  type Services,
} from '../wire/rendezvous.ts';
import { decodeSeatMessage, encodeWatch, type SeatMessage, type WatcherMessage } from '../wire/watch.ts';
import { Holdings, Windowed } from './counts.ts';
import { SHUTTING_DOWN } from './health.ts';
import { DEFAULT_LIMITS, type Limits } from './limits.ts';
import { type HostWish, type House, SharedMailbox, type Sitter } from './mailbox.ts';
import { freeNameplate } from './nameplates.ts';
import { type Place, Places } from './places.ts';
import { Tally } from './tally.ts';
import { type Watcher, Watchers } from './watchers.ts';

const HOUR = 3_600_000;

const REFUSALS: readonly RefusalCode[] = ['NO_PEER', 'CROWDED', 'SERVER', 'VERSION', 'PROTOCOL', 'REFUSED'];

/** What a transport gives: whole texts out, and an end. Neither method may throw. */
export interface SeatConnection {
  readonly address: string;
  /** Of this very process. */
  readonly local?: boolean;
  /** Bytes that wait to go out; absent: none ever do. */
  readonly queued?: number;
  send(text: string): void;
  close(): void;
}

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
}

export class Mailboxes implements House {
  readonly limits: Readonly<Limits>;
  readonly clock: () => number;
  readonly places = new Places<SharedMailbox>();
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
  readonly #joins = new Windowed(HOUR);
  readonly #created = new Windowed(HOUR);
  readonly #watches = new Windowed(HOUR);
  readonly #watchers: Watchers;
  readonly #present = (nameplate: string) => this.#mailboxes.get(nameplate)?.hasHost === true;

  constructor({
    limits,
    clock = () => performance.now(),
    services = () => NO_SERVICES,
    hosts,
    tally = new Tally(),
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
    this.#watchers = new Watchers(this.limits, { now: () => this.clock() });
  }

  /** Mailboxes and connections there are, for health and metrics. */
  get counts(): { mailboxes: number; connections: number } {
    return { mailboxes: this.#mailboxes.size, connections: this.#seats.size };
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

  /** @throws BeelineError CROWDED, SERVER or REFUSED. */
  host(seat: Seat, nameplate: string | undefined, wish: HostWish): SharedMailbox {
    if (this.#hosts === 'this process' && !seat.local) throw fault('PAGE_OF_ONE_SENDER');
    this.#speaks(seat);
    const existing = nameplate === undefined ? undefined : this.#find(nameplate);
    if (existing && !existing.isHost(wish.token)) {
      this.#count(this.#joins, seat.key, 'joins', this.limits.joinsPerHour);
      if (!existing.awaitsHost) throw fault('NAMEPLATE_TAKEN');
    }
    const mailbox = existing ?? this.#create(seat.key, nameplate);
    mailbox.seatHost(seat, wish);
    return mailbox;
  }

  /** @returns the mailbox, and the guest's number there @throws BeelineError NO_PEER, CROWDED or SERVER. */
  join(seat: Seat, nameplate: string, token: string | undefined): { mailbox: SharedMailbox; guest: number } {
    this.#speaks(seat);
    this.#count(this.#joins, seat.key, 'joins', this.limits.joinsPerHour);
    const mailbox = this.#find(nameplate);
    if (!mailbox) throw fault('NOBODY_SENDS');
    return { mailbox, guest: mailbox.seatGuest(seat, token) };
  }

  /**
   * Again and again from the same connection: each list is instead of the one before.
   * @returns those of the nameplates that have a host now @throws BeelineError SERVER or REFUSED
   */
  watch(seat: Seat, nameplates: readonly string[]): string[] {
    if (this.#hosts === 'this process') throw fault('PAGE_OF_ONE_SENDER');
    if (!this.#spoke.has(seat)) this.#speaks(seat);
    this.#count(this.#watches, seat.key, 'watches', this.limits.watchesPerHour);
    const refusal = this.#watchers.refusal(seat, nameplates);
    if (refusal) throw busy(refusal);
    return this.#watchers.watch(seat, nameplates, this.#present);
  }

  unwatch(seat: Seat): void {
    this.#watchers.leave(seat);
  }

  hosting(nameplate: string, present: boolean): void {
    this.#watchers.changed(nameplate, present);
  }

  end(mailbox: SharedMailbox, error: BeelineError): void {
    if (this.#mailboxes.get(mailbox.nameplate) !== mailbox) return;
    this.#mailboxes.delete(mailbox.nameplate);
    this.#owned.remove(mailbox.owner);
    mailbox.end(error);
  }

  /** Ends what has expired; call it every few seconds. */
  sweep(): void {
    const now = this.clock();
    for (const mailbox of this.#mailboxes.values()) this.endIfExpired(mailbox);
    for (const seat of this.#seats) seat.checkHello(now);
    this.#joins.sweep(now);
    this.#created.sweep(now);
    this.#watches.sweep(now);
    this.#watchers.sweep(this.#present);
  }

  endIfExpired(mailbox: SharedMailbox): boolean {
    const error = mailbox.expired(this.clock());
    if (error) this.end(mailbox, error);
    return error !== undefined;
  }

  /** Refuses everyone; nothing is left afterwards. */
  close(): void {
    const error = busy(SHUTTING_DOWN);
    for (const mailbox of this.#mailboxes.values()) this.end(mailbox, error);
    for (const seat of this.#seats) seat.refuse(error);
  }

  #find(nameplate: string): SharedMailbox | undefined {
    const mailbox = this.#mailboxes.get(nameplate);
    return mailbox && !this.endIfExpired(mailbox) ? mailbox : undefined;
  }

  #create(key: string, wanted: string | undefined): SharedMailbox {
    if (this.#mailboxes.size >= this.limits.mailboxes)
      throw busy(`This server is full (${this.limits.mailboxes} meetings). Try again later.`);
    if (this.#owned.of(key) >= this.limits.mailboxesPerAddress)
      throw busy(
        `Too many meetings from your address (${this.limits.mailboxesPerAddress} is the limit). End some first.`,
      );
    this.#count(this.#created, key, 'new meetings', this.limits.mailboxesPerHour);
    const nameplate = wanted ?? freeNameplate((name) => this.#mailboxes.has(name));
    if (nameplate === undefined) throw busy('This server found no free nameplate. Try again later.');
    const mailbox = new SharedMailbox(nameplate, key, this.clock(), this);
    this.#mailboxes.set(nameplate, mailbox);
    this.#owned.add(key);
    this.tally.meetings++;
    return mailbox;
  }

  /** One more event of an address. @throws BeelineError SERVER */
  #count(events: Windowed, key: string, what: string, limit: number): void {
    const now = this.clock();
    if (events.hit(key, now) <= limit) return;
    const minutes = Math.ceil(events.wait(key, now) / 60_000);
    throw busy(
      `Too many ${what} from your address (${limit} an hour is the limit). Try again in ${minutes} min.`,
    );
  }
}

/** One connection's conversation with the server: first it hosts or joins, then it talks to the other side. Or it watches. */
export class Seat implements Sitter, Watcher {
  readonly key: string;
  readonly address: string;
  readonly local: boolean;
  readonly #mailboxes: Mailboxes;
  readonly #connection: SeatConnection;
  readonly #since: number;
  readonly #gone: () => void;
  #place: Place<SharedMailbox> | undefined;
  #watches = false;
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
  }

  /** The connection received a text. Never throws: what is wrong with it is told to the other end. */
  receive(text: string): void {
    if (this.#over) return;
    try {
      const message = decodeSeatMessage(text);
      this.#mailboxes.tally.said[message.t]++;
      this.#obey(message);
    } catch (thrown) {
      this.refuse(asBeelineError(thrown, 'SERVER'));
    }
  }

  /** The connection is gone: its place is free at once. */
  closed(): void {
    if (this.#over) return;
    this.#over = true;
    this.#gone();
    if (this.#watches) this.#mailboxes.unwatch(this);
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
    if (!this.#place && !this.#watches && now - this.#since >= this.#mailboxes.limits.helloDeadline)
      this.refuse(fault('SERVER_BUSY', { what: 'This connection asked for nothing and was closed.' }));
  }

  #close(): void {
    if (this.#over) return;
    this.closed();
    this.#connection.close();
  }

  #obey(message: SeatMessage): void {
    if (message.t === 'watch') this.#watch(message.nameplates);
    else if (message.t === 'host' || message.t === 'join') this.#sit(message);
    else if (message.t === 'leave' && this.#watches) this.#close();
    else this.#speak(message);
  }

  #watch(nameplates: readonly string[]): void {
    if (this.#place) throw fault('CLIENT_MISBEHAVES', { what: 'has a nameplate already' });
    const present = this.#mailboxes.watch(this, nameplates);
    this.#watches = true;
    this.notify({ t: 'watching', v: 2, present });
  }

  #sit(message: ClientMessage & { t: 'host' | 'join' }): void {
    if (this.#watches) throw fault('CLIENT_MISBEHAVES', { what: 'watches already' });
    if (this.#place) throw fault('CLIENT_MISBEHAVES', { what: 'has a nameplate already' });
    // Set only after success: a refused newcomer must not free the place of the one who has it.
    this.#place =
      message.t === 'host'
        ? { side: 'host', mailbox: this.#mailboxes.host(this, message.nameplate, message), guest: 0 }
        : { side: 'guest', ...this.#mailboxes.join(this, message.nameplate, message.token) };
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
