/**
 * Whoever is at the other end of the mailbox: a stranger, until it has proved the secret. From then on it belongs to a session, and
 * the two tell each other where they can be reached.
 */
import { Alarm, type Clock } from '../base/clock.ts';
import type { BeelineError } from '../base/errors.ts';
import { HANDSHAKE_DEADLINE } from '../base/limits.ts';
import type { SharedSecret } from '../identity/secret.ts';
import type { Role } from '../transports/transport.ts';
import type { Hello, Refusal, Word } from '../wire/signal.ts';
import type { Guesses } from './guesses.ts';
import { Handshake, type Pake } from './handshake.ts';
import type { Correspondent, Session } from './session.ts';

export interface PartyOptions {
  /** Its number at the mailbox; a receiver's sender has none, and is 0. */
  guest: number;
  role: Role;
  clock: Clock;
  secret: SharedSecret;
  pake: Pake | undefined;
  guesses: Guesses;
  /** Whose the party is, if that is known before it proves anything: a receiver's sender. */
  session?: Session;
  /** Others say the same: it is that session's once it has proved it. */
  contested?: boolean;
  /** Says it to the party, by the mailbox. */
  send: (body: string) => void;
  /** Puts the party out of the mailbox. */
  drop: () => void;
  /** The place that has this name, of somebody who was here. */
  placeNamed: (name: string) => string | undefined;
  /** A party has proved itself: gives it a session, unless there is none for it. */
  seat: (party: Party, hello: Hello) => boolean;
  /** It did not prove what it claims, or is not understood. */
  failed: (party: Party, error: BeelineError) => void;
}

export class Party implements Correspondent {
  readonly guest: number;
  readonly #options: PartyOptions;
  readonly #handshake: Handshake;
  /** For a stranger to prove itself. */
  readonly #deadline: Alarm;
  #session: Session | undefined;
  #present = false;

  constructor(options: PartyOptions) {
    const { role, secret, pake, guesses, send, clock, session, placeNamed } = options;
    this.#options = options;
    this.guest = options.guest;
    this.#session = options.contested ? undefined : session;
    this.#deadline = new Alarm(clock);
    this.#handshake = new Handshake({
      ...{ role, secret, pake, guesses, send, placeNamed },
      admit: (hello) => this.#admit(hello),
      hello: () => (this.#session ?? session)!.hello(),
      onHello: (hello) => {
        this.#deadline.clear();
        if (this.#admit(hello)) this.#session!.greeted(hello);
      },
      onWord: (word) => this.#session?.heard(word),
      onFail: (error) => options.failed(this, error),
    });
  }

  /** The session whose peer it is. */
  get session(): Session | undefined {
    return this.#session;
  }

  /** It is at the mailbox now. */
  get present(): boolean {
    return this.#present;
  }

  /** The party is from now on the peer of this session, or of none. */
  belong(session: Session | undefined): void {
    this.#session = session;
  }

  /** It came to the mailbox (again), or left it. */
  appear(present: boolean): void {
    this.#present = present;
    this.#deadline.clear();
    if (present && this.#options.role === 'sender') {
      // Somebody who takes a place and says nothing must not keep the right one out.
      this.#deadline.set(HANDSHAKE_DEADLINE, () => this.#options.drop());
    }
    if (present) this.#handshake.peerAppeared();
  }

  /** A body came from it. Never throws. */
  receive(body: string): void {
    this.#handshake.receive(body);
  }

  /** Tells it where this side can be reached now, once it is proven. */
  update(): void {
    if (this.#session) this.#handshake.update();
  }

  say(word: Word): void {
    this.#handshake.say(word);
  }

  /** Tells a stranger why this side has nothing for it. */
  refuse(code: Refusal): void {
    this.#handshake.refuse(code);
  }

  drop(): void {
    this.#options.drop();
  }

  /** Nothing is expected of it any more. */
  end(): void {
    this.#deadline.clear();
  }

  #admit(hello: Hello): boolean {
    return this.#session !== undefined || this.#options.seat(this, hello);
  }
}
