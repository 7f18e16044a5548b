/** One nameplate's mailbox: at most one host and its guests, and what they say passed on at once, never kept. */
import { randomBytes } from 'node:crypto';
import { type BeelineError, fault } from '../base/errors.ts';
import { Room } from '../base/room.ts';
import { byteLength, MAX_GUEST, MAX_GUESTS, type ServerMessage, type Services } from '../wire/rendezvous.ts';
import { type Limits, MESSAGE_COST } from './limits.ts';
import { type MeetingRecord, type MeetingStore, type Place, REMEMBERED_MS } from './meeting-store.ts';
import { keyOf, type Places } from './places.ts';

/** A connection that sits at a mailbox. */
export interface Sitter {
  /** The address key that it counts under. */
  readonly key: string;
  /** Bytes that wait to go out to it. */
  readonly queued: number;
  tell(message: ServerMessage): void;
  /** Tells why and closes. */
  refuse(error: BeelineError): void;
  /** Closes without a word: a newer connection of the same client has its place. */
  replaced(): void;
}

/** What all mailboxes of a server share. */
export interface House {
  clock(): number;
  readonly limits: Readonly<Limits>;
  readonly store: MeetingStore;
  /** Tokens by which clients prove that a place is their own, here and at the relay. */
  readonly places: Places;
  /** What the server does besides, said afresh to everyone who sits down; `user` is for a TURN server's log. */
  services(user: string): Services;
  /** Called when a nameplate has got a host, and when it has none any more. */
  hosting(nameplate: string, present: boolean): void;
}

/** What a host says of itself when it sits down. */
export interface HostWish {
  /** Of a host that takes its place back. */
  token?: string | undefined;
  /** How many guests it takes at a time; default 1. */
  guests?: number | undefined;
  /** The highest number of a guest that it has heard of. */
  used?: number | undefined;
}

/** What is remembered of a guest whose connection was lost: its own token gives it back. */
export interface Account {
  readonly number: number;
  /** What it and the host have said to each other. */
  bytes: number;
  /** The host says that it has proven itself. */
  kept: boolean;
}

interface Guest extends Account {
  token: string;
  /** Of the token. */
  key: string;
  sitter: Sitter;
}

export class SharedMailbox {
  readonly nameplate: string;
  /** The address key that it is counted under. */
  readonly owner: string;
  readonly born: number;
  /** Names this mailbox to the relay and to other instances. */
  readonly meeting: string;
  /** It lived in another instance before, which died: what that knew of guests is in the store. */
  readonly restored: boolean;
  /** Of the host that sat down last, by the key of its token. */
  #hostKey: string;
  /** Undefined for a host of another instance that has not come back. */
  #hostToken: string | undefined;
  /** Of a host that was lost, and has been succeeded by one that could not prove anything: it may take its place back. */
  #lost: { key: string; since: number } | undefined;
  /** Names this meeting to a TURN server: nameplates are nobody else's business. */
  readonly #user = randomBytes(6).toString('hex');
  #host: Sitter | undefined;
  /** It has had a host. */
  #seated: boolean;
  /** When the host was lost, if it is. */
  #hostLost: number | undefined;
  /** How many guests it takes at a time. */
  #most = 1;
  /** Those who are there, by number. */
  readonly #guests = new Map<number, Guest>();
  /** Those that have proven nothing. The host puts out who stays silent; in a full room, who came in a crowd goes first. */
  readonly #strangers: Room<Guest>;
  /** Guests whose connections were lost, by the keys of their tokens, those lost longest before the others. They keep no place free. */
  readonly #away = new Map<string, { account: Account; since: number }>();
  #lastNumber: number;
  /** What the host said to nobody, and how often a guest has sat down: whoever comes makes a host speak. */
  #bytes = 0;
  #sittings = 0;
  #over = false;
  /** When the store was told of it last. */
  #published: number;
  readonly #house: House;

  /** @param record what the store has of it, if it lived in another instance */
  constructor(nameplate: string, owner: string, now: number, house: House, record?: MeetingRecord) {
    this.nameplate = nameplate;
    this.owner = record?.owner ?? owner;
    this.born = this.#published = now;
    this.meeting = record?.meeting ?? randomBytes(8).toString('hex');
    this.restored = this.#seated = record !== undefined;
    this.#lastNumber = record?.last ?? 0;
    this.#hostLost = record && now;
    this.#house = house;
    this.#hostKey = record?.host ?? '';
    if (record) house.places.set(this.#hostKey, this.#placeOf(0));
    else this.#newHostToken();
    const free = () => this.#most - (this.#guests.size - this.#strangers.size);
    const room = {
      get inAll() {
        return free();
      },
    };
    this.#strangers = new Room(room, 'fair', (guest) => this.#putOut(guest, fault('GUEST_MADE_WAY')));
  }

  isHost(token: string | undefined): boolean {
    const place = this.#house.places.of(token);
    return place?.meeting === this.meeting && place.side === 'host';
  }

  get hasHost(): boolean {
    return this.#host !== undefined;
  }

  /** It has had a host here. */
  get seated(): boolean {
    return this.#seated;
  }

  /** Its host was lost: another may sit down in its place, which needs no token. */
  get awaitsHost(): boolean {
    return this.#hostLost !== undefined;
  }

  seatHost(sitter: Sitter, { token, guests = 1, used = 0 }: HostWish): void {
    const old = this.#host;
    this.#host = sitter;
    this.#most = Math.min(guests, this.#house.limits.guests, MAX_GUESTS);
    // An old mailbox knows its numbers: a stranger in a lost host's place could say that all are used.
    if (!this.#seated) this.#lastNumber = Math.max(this.#lastNumber, used);
    this.#seated = true;
    if (this.isHost(token)) this.#return(token!);
    else this.#succeed();
    // What waits at the relay for a host that has come back may be as dead as the connection that it lost.
    if (old || this.#hostLost !== undefined) this.#house.places.vacate(this.#hostKey);
    this.#hostLost = undefined;
    old?.replaced();
    sitter.tell({
      t: 'hosted',
      v: 2,
      nameplate: this.nameplate,
      token: this.#hostToken!,
      services: this.#house.services(this.#user),
      guests: this.#most,
      present: [...this.#guests.keys()],
    });
    for (const guest of this.#guests.values()) {
      // A host that was never seen to leave has still lost what was under way: say so before it is back.
      if (old) guest.sitter.tell({ t: 'peer', present: false });
      guest.sitter.tell({ t: 'peer', present: true });
    }
    this.publish();
    if (!old) this.#house.hosting(this.nameplate, true);
  }

  /** The owner of a place is back: who has taken it meanwhile loses it. */
  #return(token: string): void {
    const key = keyOf(token);
    if (key === this.#lost?.key) {
      this.#house.places.revoke(this.#hostKey);
      this.#hostKey = key;
      this.#lost = undefined;
    }
    if (key === this.#hostKey) this.#hostToken = token;
  }

  /**
   * The sender may have been started again, with the same code: only its receivers can tell, and test it. If it is a
   * stranger, the lost host puts it out when it comes back.
   */
  #succeed(): void {
    if (this.#hostLost === undefined) return;
    if (this.#lost) this.#house.places.withdraw(this.#hostKey);
    else this.#lost = { key: this.#hostKey, since: this.#hostLost };
    this.#newHostToken();
  }

  #newHostToken(): void {
    const { token, key } = this.#house.places.issue(this.#placeOf(0));
    this.#hostToken = token;
    this.#hostKey = key;
  }

  /** @param guest 0 for the host's */
  #placeOf(guest: number, kept = false): Place {
    const { nameplate, meeting, owner } = this;
    return { nameplate, meeting, owner, side: guest === 0 ? 'host' : 'guest', guest, kept };
  }

  /** Tells the store what another instance would need to go on with it. @param all its places too: a store may forget */
  publish(all = false): void {
    const { meeting, owner } = this;
    const { store, places } = this.#house;
    const hosted = this.#host !== undefined;
    store.keep(this.nameplate, { meeting, owner, host: this.#hostKey, hosted, last: this.#lastNumber });
    if (!all) return;
    this.#published = this.#house.clock();
    places.repeat(this.#hostKey);
    if (this.#lost) places.repeat(this.#lost.key);
    for (const { key } of this.#guests.values()) places.repeat(key);
  }

  /** Before the store forgets it. */
  publishInTime(now: number): void {
    if (now - this.#published >= REMEMBERED_MS / 3) this.publish(true);
  }

  /**
   * @param token of a guest that takes its place, or at least its number, back
   * @param known of this guest, from the store: its place was at an instance that died
   * @returns its number
   * @throws BeelineError CROWDED if the host takes no more at a time
   */
  seatGuest(sitter: Sitter, token: string | undefined, known?: Account): number {
    const place = this.#house.places.of(token);
    const present = place?.meeting === this.meeting ? this.#guests.get(place.guest) : undefined;
    const guest = present ? this.#replace(present, sitter) : this.#admit(sitter, token, known);
    this.#sittings++;
    const services = this.#house.services(this.#user);
    sitter.tell({ t: 'joined', v: 2, token: guest.token, services });
    sitter.tell({ t: 'peer', present: this.#host !== undefined });
    if (present) this.#host?.tell({ t: 'peer', guest: guest.number, present: false });
    this.#host?.tell({ t: 'peer', guest: guest.number, present: true });
    return guest.number;
  }

  /** A connection that the server still believed in has a successor. */
  #replace(guest: Guest, sitter: Sitter): Guest {
    const old = guest.sitter;
    this.#house.places.revoke(guest.key);
    guest.sitter = sitter;
    this.#issue(guest);
    old.replaced();
    return guest;
  }

  /** @throws BeelineError CROWDED */
  #admit(sitter: Sitter, token: string | undefined, known: Account | undefined): Guest {
    const key = token === undefined ? '' : keyOf(token);
    const account = this.#away.get(key)?.account ?? this.#unseated(known) ?? this.#newcomer();
    const guest: Guest = { ...account, token: '', key: '', sitter };
    if (guest.kept) this.#makeWay();
    else if (!this.#strangers.enter(sitter.key, guest)) throw this.#full();
    this.#away.delete(key);
    if (known) this.#house.places.revoke(key);
    this.#guests.set(guest.number, guest);
    this.#issue(guest);
    if (guest.number > this.#lastNumber) {
      this.#lastNumber = guest.number;
      this.publish();
    }
    return guest;
  }

  /** Undefined if somebody sits there. */
  #unseated(known: Account | undefined): Account | undefined {
    return known && !this.#guests.has(known.number) ? known : undefined;
  }

  /** No number is used twice. @throws BeelineError CROWDED if there is none left */
  #newcomer(): Account {
    if (this.#lastNumber >= MAX_GUEST) throw this.#full();
    return { number: this.#lastNumber + 1, bytes: 0, kept: false };
  }

  /** For one that has proven itself, and was away: a stranger goes. @throws BeelineError CROWDED if none is there */
  #makeWay(): void {
    if (this.#guests.size < this.#most) return;
    const [stranger] = this.#strangers;
    if (!stranger) throw this.#full();
    this.#putOut(stranger, fault('GUEST_MADE_WAY'));
  }

  #full(): BeelineError {
    return this.#most === 1 ? fault('NAMEPLATE_FULL') : fault('MEETING_FULL', { most: this.#most });
  }

  /** Frees the host's place at once, unless a newer connection has it already. */
  hostGone(sitter: Sitter, now: number): void {
    if (this.#host !== sitter) return;
    this.#host = undefined;
    this.#hostLost = now;
    for (const guest of this.#guests.values()) guest.sitter.tell({ t: 'peer', present: false });
    this.publish();
    this.#house.hosting(this.nameplate, false);
  }

  /** The same for a guest's. Its number waits for it. */
  guestGone(number: number, sitter: Sitter, now: number): void {
    const guest = this.#present(number, sitter);
    if (!guest) return;
    this.#remove(guest);
    const { bytes, kept } = guest;
    this.#away.set(guest.key, { account: { number, bytes, kept }, since: now });
    if (this.#away.size > this.#most) this.#forgetOne();
  }

  /** The same, and it will not come back. */
  guestLeaves(number: number, sitter: Sitter): void {
    const guest = this.#present(number, sitter);
    if (guest) this.#remove(guest);
  }

  /**
   * The host says something to a guest; if that is not there it is lost, as the host was told.
   * @throws BeelineError SERVER if it is too large; what the host may say in all is checked by `expired`
   */
  toGuest(number: number, body: string): void {
    const cost = this.#cost(body);
    const guest = this.#guests.get(number);
    if (!guest) this.#bytes += cost;
    else if (this.#pay(guest, cost)) guest.sitter.tell({ t: 'message', body });
  }

  /** A guest says something to the host. @throws BeelineError SERVER if it is too large */
  toHost(number: number, sitter: Sitter, body: string): void {
    const guest = this.#present(number, sitter);
    if (!guest || !this.#pay(guest, this.#cost(body))) return;
    // A connection with too much queued is cut off. Strangers who write faster than the host reads must not do that to it.
    const congested = (this.#host?.queued ?? 0) > this.#house.limits.backlogBytes / 2;
    if (congested && !guest.kept) this.#putOut(guest, fault('HOST_CONGESTED'));
    else this.#host?.tell({ t: 'message', guest: number, body });
  }

  /** The host puts a guest out. */
  drop(number: number): void {
    this.#bytes += MESSAGE_COST;
    const guest = this.#guests.get(number);
    if (guest) this.#putOut(guest, fault('GUEST_PUT_OUT'));
  }

  /** The host says that a guest has proven itself: it makes way for nobody. */
  keep(number: number): void {
    this.#bytes += MESSAGE_COST;
    const guest = this.#guests.get(number);
    // The store hears of it once, however often it is said.
    if (!guest || guest.kept) return;
    guest.kept = true;
    this.#house.places.set(guest.key, this.#placeOf(number, true));
    this.#strangers.leave(guest);
  }

  /** Why this mailbox must end now, if it must. */
  expired(now: number): BeelineError | undefined {
    const { hostGrace, mailboxAge, mailboxBytes } = this.#house.limits;
    if (this.#lost && now - this.#lost.since >= hostGrace) this.#forgetLost();
    for (const [key, { since }] of this.#away) {
      if (now - since < hostGrace) break;
      this.#away.delete(key);
    }
    if (this.#hostLost !== undefined && now - this.#hostLost >= hostGrace)
      // Not NO_PEER: a sender that slept may still come back, and opens its nameplate anew then.
      return fault('MEETING_LOST_HOST');
    if (now - this.born >= mailboxAge) return fault('MEETING_TOO_OLD');
    if (this.#bytes > mailboxBytes * Math.max(1, this.#sittings))
      return fault('MEETING_SPENT', { most: mailboxBytes });
    return undefined;
  }

  /** It has ended: nobody sits down any more. */
  get over(): boolean {
    return this.#over;
  }

  end(error: BeelineError): void {
    this.#over = true;
    const sitters = [...this.#guests.values()].map(({ sitter }) => sitter);
    const host = this.#host;
    this.#host = undefined;
    for (const guest of [...this.#guests.values()]) this.#remove(guest);
    this.#away.clear();
    this.#forgetLost();
    this.#house.places.revoke(this.#hostKey);
    host?.refuse(error);
    for (const sitter of sitters) sitter.refuse(error);
    if (host) this.#house.hosting(this.nameplate, false);
  }

  #present(number: number, sitter: Sitter): Guest | undefined {
    const guest = this.#guests.get(number);
    return guest?.sitter === sitter ? guest : undefined;
  }

  #issue(guest: Guest): void {
    Object.assign(guest, this.#house.places.issue(this.#placeOf(guest.number, guest.kept)));
  }

  /** Every message has a price of its own, whatever it says. @throws BeelineError SERVER */
  #cost(body: string): number {
    const size = byteLength(body);
    const most = this.#house.limits.messageBytes;
    if (size > most) throw fault('MESSAGE_TOO_LARGE', { most, size });
    return size + MESSAGE_COST;
  }

  /** One that has used up its share is put out, and takes nothing from the others. @returns whether it is still there */
  #pay(guest: Guest, cost: number): boolean {
    const most = this.#house.limits.mailboxBytes;
    guest.bytes += cost;
    if (guest.bytes <= most) return true;
    this.#putOut(guest, fault('GUEST_SPENT', { most }));
    return false;
  }

  /** For good: it may join again as a newcomer. */
  #putOut(guest: Guest, error: BeelineError): void {
    this.#remove(guest);
    guest.sitter.refuse(error);
  }

  #remove(guest: Guest): void {
    if (!this.#guests.delete(guest.number)) return;
    this.#strangers.leave(guest);
    this.#house.places.revoke(guest.key);
    this.#host?.tell({ t: 'peer', guest: guest.number, present: false });
  }

  /** One that has proven nothing, if there is one. */
  #forgetOne(): void {
    const keys = [...this.#away.keys()];
    this.#away.delete(keys.find((key) => !this.#away.get(key)!.account.kept) ?? keys[0]!);
  }

  #forgetLost(): void {
    if (this.#lost) this.#house.places.withdraw(this.#lost.key);
    this.#lost = undefined;
  }
}
