/** One nameplate's mailbox: at most one host and one guest, and what they say passed on at once, never kept. */
import { randomBytes } from 'node:crypto';
import { type BeelineError, fault } from '../base/errors.ts';
import { byteLength, type ServerMessage, type Services } from '../wire/rendezvous.ts';
import { type Limits, MESSAGE_COST } from './limits.ts';
import type { Places, Side } from './places.ts';

export type { Side } from './places.ts';

/** A connection that sits at a mailbox. */
export interface Sitter {
  tell(message: ServerMessage): void;
  /** Tells why and closes. */
  refuse(error: BeelineError): void;
  /** Closes without a word: a newer connection of the same client has its place. */
  replaced(): void;
}

/** What all mailboxes of a server share. */
export interface House {
  readonly limits: Readonly<Limits>;
  /** Tokens by which clients prove that a place is their own, here and at the relay. */
  readonly places: Places<SharedMailbox>;
  /** What the server does besides, said afresh to everyone who sits down; `user` is for a TURN server's log. */
  services(user: string): Services;
}

export class SharedMailbox {
  readonly nameplate: string;
  /** The address key that it is counted under. */
  readonly owner: string;
  readonly born: number;
  /** Of the host that sat down last. */
  #hostToken: string;
  /** Of a host that was lost, and has been succeeded by one that could not prove anything: it may take its place back. */
  #lost: { token: string; since: number } | undefined;
  /** Names this meeting to a TURN server: nameplates are nobody else's business. */
  readonly #user = randomBytes(6).toString('hex');
  #guestToken: string | undefined;
  #host: Sitter | undefined;
  #guest: Sitter | undefined;
  /** When the host was lost, if it is. */
  #hostLost: number | undefined;
  #bytes = 0;
  readonly #house: House;

  constructor(nameplate: string, owner: string, now: number, house: House) {
    this.nameplate = nameplate;
    this.owner = owner;
    this.born = now;
    this.#house = house;
    this.#hostToken = house.places.issue({ mailbox: this, side: 'host' });
  }

  isHost(token: string | undefined): boolean {
    return this.#isPlace('host', token);
  }

  /** Its host was lost: another may sit down in its place, which needs no token. */
  get awaitsHost(): boolean {
    return this.#hostLost !== undefined;
  }

  #isPlace(side: Side, token: string | undefined): boolean {
    const place = this.#house.places.of(token);
    return place?.mailbox === this && place.side === side;
  }

  /** @param token of a host that takes its place back */
  seatHost(sitter: Sitter, token: string | undefined): void {
    const old = this.#host;
    this.#host = sitter;
    if (this.#isPlace('host', token)) this.#return(token!);
    else this.#succeed();
    // What waits at the relay for a host that has come back may be as dead as the connection that it lost.
    if (old || this.#hostLost !== undefined) this.#house.places.vacate(this.#hostToken);
    this.#hostLost = undefined;
    old?.replaced();
    sitter.tell({
      t: 'hosted',
      v: 1,
      nameplate: this.nameplate,
      token: this.#hostToken,
      services: this.#house.services(this.#user),
    });
    sitter.tell({ t: 'peer', present: this.#guest !== undefined });
    // A host that was never seen to leave has still lost what was under way: say so before it is back.
    if (old) this.#guest?.tell({ t: 'peer', present: false });
    this.#guest?.tell({ t: 'peer', present: true });
  }

  /** The owner of a place is back: who has taken it meanwhile loses it. */
  #return(token: string): void {
    if (token !== this.#lost?.token) return;
    this.#house.places.revoke(this.#hostToken);
    this.#hostToken = token;
    this.#lost = undefined;
  }

  /**
   * The sender may have been started again, with the same code: only its receiver can tell, and tests it. If it is a
   * stranger, the lost host puts it out when it comes back.
   */
  #succeed(): void {
    if (this.#hostLost === undefined) return;
    if (this.#lost) this.#house.places.withdraw(this.#hostToken);
    else this.#lost = { token: this.#hostToken, since: this.#hostLost };
    this.#hostToken = this.#house.places.issue({ mailbox: this, side: 'host' });
  }

  /** @throws BeelineError CROWDED if another guest sits there. */
  seatGuest(sitter: Sitter, token: string | undefined): void {
    const old = this.#guest;
    if (old && !this.#isPlace('guest', token)) throw fault('NAMEPLATE_FULL');
    this.#guest = sitter;
    this.#revokeGuest();
    this.#guestToken = this.#house.places.issue({ mailbox: this, side: 'guest' });
    old?.replaced();
    const services = this.#house.services(this.#user);
    sitter.tell({ t: 'joined', v: 1, token: this.#guestToken, services });
    sitter.tell({ t: 'peer', present: this.#host !== undefined });
    if (old) this.#host?.tell({ t: 'peer', present: false });
    this.#host?.tell({ t: 'peer', present: true });
  }

  /** Frees a place at once, unless a newer connection has it already. */
  rise(side: Side, sitter: Sitter, now: number): void {
    if (side === 'host' && this.#host === sitter) {
      this.#host = undefined;
      this.#hostLost = now;
      this.#guest?.tell({ t: 'peer', present: false });
    } else if (side === 'guest' && this.#guest === sitter) {
      this.#guest = undefined;
      this.#revokeGuest();
      this.#host?.tell({ t: 'peer', present: false });
    }
  }

  /**
   * Passes a body to the other side; with nobody there it is lost, as the sender of it was told.
   * @throws BeelineError SERVER if it is too large; the mailbox's own budget is checked by `expired`.
   */
  relay(from: Side, body: string): void {
    const size = byteLength(body);
    if (size > this.#house.limits.messageBytes)
      throw fault('MESSAGE_TOO_LARGE', { most: this.#house.limits.messageBytes, size });
    this.#bytes += size;
    if (this.#bytes > this.#house.limits.mailboxBytes) return;
    (from === 'host' ? this.#guest : this.#host)?.tell({ t: 'message', body });
  }

  /** Every message has a price of its own, whatever it says. */
  charge(): void {
    this.#bytes += MESSAGE_COST;
  }

  dropGuest(): void {
    const guest = this.#guest;
    this.#guest = undefined;
    this.#revokeGuest();
    if (!guest) return;
    guest.refuse(fault('GUEST_PUT_OUT'));
    this.#host?.tell({ t: 'peer', present: false });
  }

  /** Why this mailbox must end now, if it must. */
  expired(now: number): BeelineError | undefined {
    if (this.#lost && now - this.#lost.since >= this.#house.limits.hostGrace) this.#forgetLost();
    if (this.#hostLost !== undefined && now - this.#hostLost >= this.#house.limits.hostGrace)
      // Not NO_PEER: a sender that slept may still come back, and opens its nameplate anew then.
      return fault('MEETING_LOST_HOST');
    if (now - this.born >= this.#house.limits.mailboxAge) return fault('MEETING_TOO_OLD');
    if (this.#bytes > this.#house.limits.mailboxBytes)
      return fault('MEETING_SPENT', { most: this.#house.limits.mailboxBytes });
    return undefined;
  }

  end(error: BeelineError): void {
    const [host, guest] = [this.#host, this.#guest];
    this.#host = undefined;
    this.#guest = undefined;
    this.#revokeGuest();
    this.#forgetLost();
    this.#house.places.revoke(this.#hostToken);
    host?.refuse(error);
    guest?.refuse(error);
  }

  #forgetLost(): void {
    if (this.#lost) this.#house.places.withdraw(this.#lost.token);
    this.#lost = undefined;
  }

  #revokeGuest(): void {
    if (this.#guestToken) this.#house.places.revoke(this.#guestToken);
    this.#guestToken = undefined;
  }
}
