/**
 * All who are at the mailbox. A sender's guests come and go, and each proves itself on its own; a receiver has its sender there and
 * nobody else. What the mailbox brings before the lobby is open waits for that.
 */
import { primitives } from '#crypto';
import type { Clock } from '../base/clock.ts';
import type { BeelineError } from '../base/errors.ts';
import type { Mailbox } from '../meeting/ports.ts';
import type { Role } from '../transports/transport.ts';
import type { Hello, Refusal } from '../wire/signal.ts';
import type { TransferEvent } from './api.ts';
import type { Guesses } from './guesses.ts';
import { type Pake, warmUp } from './handshake.ts';
import { Party } from './party.ts';
import type { Known, MeetingEvents } from './ports.ts';
import type { Session } from './session.ts';

/** Whom the lobby tells. */
export interface LobbyPorts {
  role: Role;
  clock: Clock;
  pake: Pake | undefined;
  guesses: Guesses;
  /** The session that a receiver's sender belongs to from the start. */
  session?: Session;
  emit: (event: TransferEvent) => void;
  log: { warn(fields: object, message: string): void } | undefined;
  /** The place that has this name, of somebody who was here. */
  placeNamed?: (name: string) => string | undefined;
  /** The session for one who has proved itself, or why there is none. */
  seat: (hello: Hello) => Session | Refusal;
  /** Somebody came who has proved nothing yet, or the last such one left. */
  strangers: (present: boolean) => void;
  /** One who has proved nothing guessed a code wrong, or said what no honest peer says. */
  failed: (error: BeelineError) => void;
  /** The mailbox is gone for good. */
  lost: (error: BeelineError) => void;
}

/** What the mailbox brings while the lobby opens; beyond that it is a flood. */
const MAX_EARLY_NEWS = 256;
/** Guests at a time, of whom most may be strangers. A server lets in fewer. */
const MAX_PARTIES = 512;

export class Lobby {
  readonly #ports: LobbyPorts;
  readonly #parties = new Map<number, Party>();
  #early: (() => void)[] = [];
  #open: { mailbox: Mailbox; known: Known } | undefined;
  /** What everybody who comes now is told. */
  #refusal: Refusal | undefined;
  #over = false;
  #stop = (): void => {};

  constructor(ports: LobbyPorts) {
    this.#ports = ports;
  }

  readonly events: MeetingEvents = {
    onMessage: (body, guest) => this.#whenOpen(() => this.#heard(body, guest)),
    onPeer: (present, guest) => this.#whenOpen(() => this.#appeared(present, guest)),
    // In turn with the messages: the last one may say why the other side left.
    onLost: (error) => this.#whenOpen(() => this.#ports.lost(error), Number.POSITIVE_INFINITY),
    // The server that the two meet at is away, or there again. What is connected needs it only when it breaks.
    onServer: (error) => {
      if (this.#over) return;
      this.#ports.emit({
        ...{ event: 'server', reachable: error === undefined },
        ...(error && { message: error.message }),
      });
    },
  };

  /** Whoever is there is heard from now on. */
  open(mailbox: Mailbox, known: Known): void {
    if (this.#over || this.#open) return;
    const { role, clock, pake } = this.#ports;
    this.#open = { mailbox, known };
    // A receiver's sender is the session's peer before it comes.
    if (role === 'receiver' && !mailbox.wrong) this.#party(0);
    for (const tell of this.#early.splice(0)) tell();
    if (this.#over) return;
    // A sender has time for it. A receiver's sender may be there already.
    if (role === 'sender' || primitives.slowAtFirst) this.#stop = clock.after(0, () => warmUp(pake));
  }

  /** How many have proved nothing. */
  get strangers(): number {
    let count = 0;
    for (const party of this.#parties.values()) if (party.present && !party.session) count++;
    return count;
  }

  /**
   * Nobody has a chance from now on who has not proved itself: strangers are told so. Of theirs nothing is heard, unless a code is
   * burnt: then who was there before may prove that.
   */
  refuse(code: 'ENDED' | 'BURNT'): void {
    this.#refusal = code;
    this.dismiss(code);
  }

  /** Strangers are told that there is nothing for them. Who comes later may prove itself. */
  dismiss(code: 'ENDED' | 'CLOSED' | 'BURNT'): void {
    for (const party of this.#parties.values()) if (!party.session) party.refuse(code);
  }

  /** The session is over, and its peer is nobody's: the mailbox has its place for others. */
  leave(session: Session, put: 'out' | undefined): void {
    for (const [guest, party] of this.#parties) {
      if (party.session !== session) continue;
      if (party.present && put === 'out') party.drop();
      this.#forget(guest, party);
    }
  }

  close(): void {
    this.#over = true;
    this.#stop();
    for (const [guest, party] of this.#parties) this.#forget(guest, party);
  }

  #whenOpen(tell: () => void, most = MAX_EARLY_NEWS): void {
    // The mailbox closes last: what it still brings is of no use.
    if (this.#over) return;
    if (this.#open) tell();
    else if (this.#early.length < most) this.#early.push(tell);
  }

  /** Whoever speaks has come first: words alone make nobody a party. */
  #heard(body: string, guest: number): void {
    const party = this.#parties.get(guest);
    if (this.#refusal !== 'ENDED' || party?.session) party?.receive(body);
  }

  #forget(guest: number, party: Party): void {
    party.end();
    this.#parties.delete(guest);
    if (!this.#over && !party.session) this.#tellIfNone();
  }

  /** Those that wait for the next one are told if nobody is left. */
  #tellIfNone(): void {
    if (this.strangers === 0) this.#ports.strangers(false);
  }

  #party(guest: number): Party | undefined {
    const known = this.#parties.get(guest);
    if (known || this.#parties.size >= MAX_PARTIES) return known;
    const party = this.#made(guest);
    this.#parties.set(guest, party);
    return party;
  }

  /** A receiver's sender is the session's peer from the start. */
  #made(guest: number): Party {
    const { mailbox, known } = this.#open!;
    const { role, clock, pake, guesses, session } = this.#ports;
    const contested = mailbox.wrong !== undefined;
    const party = new Party({
      ...{ guest, role, clock, pake, guesses, secret: known.secret, contested },
      ...(session && { session }),
      send: (body) => mailbox.send(body, guest),
      placeNamed: (name) => this.#ports.placeNamed?.(name),
      drop: () => mailbox.drop(guest),
      seat: (party, hello) => this.#seat(party, hello),
      failed: (party, error) => this.#failed(party, error),
    });
    if (!contested) session?.meet(party);
    return party;
  }

  #appeared(present: boolean, guest: number): void {
    const party = present ? this.#party(guest) : this.#parties.get(guest);
    if (!party) return;
    const { session } = party;
    if (this.#refusal && !session) return this.#late(guest, party, present, this.#refusal);
    party.appear(present);
    if (session) return session.present(present);
    if (present) this.#ports.strangers(true);
    // Who comes back to a receiver has no second guess.
    else if (this.#ports.role === 'sender') this.#forget(guest, party);
  }

  /**
   * Somebody comes for whom there is nothing any more. Under a burnt code it has time to prove that it was here before, and to hear
   * that it was not.
   */
  #late(guest: number, party: Party, present: boolean, refusal: Refusal): void {
    const answers = present && refusal === 'BURNT';
    if (answers) party.appear(true);
    if (present) party.refuse(refusal);
    if (!answers) this.#forget(guest, party);
  }

  #seat(party: Party, hello: Hello): boolean {
    const session = this.#ports.seat(hello);
    if (typeof session === 'string') {
      party.refuse(session);
      return false;
    }
    // A new process in the place of one that is gone.
    for (const [guest, other] of this.#parties) {
      if (other.session !== session || other === party) continue;
      other.belong(undefined);
      if (!other.present) this.#forget(guest, other);
    }
    party.belong(session);
    // Strangers who fill the mailbox do not keep it out.
    this.#open!.mailbox.keep(party.guest);
    session.meet(party, hello.place);
    if (this.#ports.role === 'receiver') {
      session.present(true);
      // What has changed here since its answer, nobody has told it.
      party.update();
    }
    this.#tellIfNone();
    return true;
  }

  #failed(party: Party, error: BeelineError): void {
    const { role, guesses, log } = this.#ports;
    const { known, mailbox } = this.#open!;
    const { secret } = known;
    if (!party.session && mailbox.wrong?.(party.guest, error)) return this.#forget(party.guest, party);
    if (this.#refusal === 'BURNT' && !party.session) {
      party.drop();
      return this.#forget(party.guest, party);
    }
    if (role === 'receiver' || secret.way === 'code') {
      if (guesses.burnt) this.refuse('BURNT');
      return this.#ports.failed(error);
    }
    // Nobody guesses a key. Who failed has used up a join of its address, and this side waits on for the right one.
    log?.warn({ code: error.code }, 'refused on the rendezvous');
    party.drop();
  }
}
