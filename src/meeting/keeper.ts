/**
 * Keeps a mailbox: greets the server, hands on what it says, and after a lost connection takes the place back. A host whose
 * server has forgotten it, or ended it for its age, opens the same nameplate anew.
 * Non-goal: delivery. Bodies that were under way when a connection died are lost; both sides repeat on `onPeer(true)`.
 */
import { realClock, sleep, until, withDeadline } from '../base/clock.ts';
import { asBeelineError, BeelineError, fault } from '../base/errors.ts';
import { MAX_SIGNAL } from '../base/limits.ts';
import { FIRST_PAUSE, FRESH, jittered, LONGEST_FRESH_PAUSE } from '../base/pauses.ts';
import {
  decodeServerMessage,
  encodeRendezvous,
  isNameplate,
  MAX_GUESTS,
  NO_SERVICES,
  RENDEZVOUS_VERSION,
  type ServerMessage,
  type Services,
} from '../wire/rendezvous.ts';
import type { Dial, Mailbox, MailboxOptions, Wire } from './ports.ts';

const MOST_TEXTS = 64;
/** In UTF-16 units. */
const MOST_LENGTH = 16 * MAX_SIGNAL;
/** The same, for all guests together. */
const MOST_IN_ALL = 16 * MOST_LENGTH;

/**
 * Texts waiting for a connection to come back, for each guest its own: bounded, the oldest of that guest go first. Nobody's texts
 * make another's go.
 */
export class Backlog {
  #guests = new Map<number, { texts: string[]; length: number }>();
  #length = 0;

  add(text: string, guest: number): void {
    const waiting = this.#guests.get(guest) ?? { texts: [], length: 0 };
    this.#guests.set(guest, waiting);
    const { texts } = waiting;
    texts.push(text);
    waiting.length += text.length;
    this.#length += text.length;
    const tooMuch = () =>
      texts.length > MOST_TEXTS || waiting.length > MOST_LENGTH || this.#length > MOST_IN_ALL;
    while (texts.length > 0 && tooMuch()) {
      const { length } = texts.shift()!;
      waiting.length -= length;
      this.#length -= length;
    }
    if (texts.length === 0) this.#guests.delete(guest);
  }

  /** Empties it. @returns what waits for those of these guests who have some */
  take(guests: Iterable<number>): string[] {
    const all = this.#guests;
    this.#guests = new Map();
    this.#length = 0;
    return [...guests].flatMap((guest) => all.get(guest)?.texts ?? []);
  }
}

/** A guest whose host is away asks less often: a server counts joins. */
const LONGEST_FRESH_JOIN_PAUSE_MS = 1500;
const LONGEST_PAUSE_MS = 10_000;
const LONGEST_JOIN_PAUSE_MS = 20_000;
const ATTEMPT_DEADLINE_MS = 10_000;
const KEEP_FOR_MS = 600_000;
/** At a sender's own rendezvous: how one ends that is met as its process ends. Another process of it may follow. */
const PASSING = new Set(['SERVER_UNREACHABLE', 'SERVER_LOST', 'SERVER_BUSY', 'RENDEZVOUS_CLOSED']);
/** A connection that lasted shorter does not make the next pause short again. */
const STABLE_MS = 30_000;

export async function keepMailbox(dial: Dial, options: MailboxOptions): Promise<Mailbox> {
  const { nameplate, role } = options;
  if (nameplate === undefined ? role === 'guest' : !isNameplate(nameplate))
    throw fault('NAMEPLATE_MALFORMED');
  const keeper = new Keeper(dial, options);
  await keeper.open();
  return keeper;
}

class Keeper implements Mailbox {
  nameplate: string;
  readonly #dial: Dial;
  readonly #options: MailboxOptions;
  readonly #backlog = new Backlog();
  /** Aborted when the mailbox is over. */
  readonly #end = new AbortController();
  token = '';
  services: Services = NO_SERVICES;
  /** Whether the token is shown to take the place back. */
  #claims = false;
  /** Aborted when another round of attempts begins. */
  #round = new AbortController();
  #pause = FIRST_PAUSE;
  /** When the server last gave this side its place. */
  #seated = 0;
  #wire: Wire | undefined;
  /** Who is there, as the owner knows: a host's guests by their numbers, or 0, a guest's host. */
  readonly #present = new Set<number>();
  guests = 0;
  /** The highest number of a guest that was heard. */
  #used = 0;
  /** The owner knows that the server is away. */
  #away = false;
  /** Events that came before the opening resolved. */
  #held: (() => void)[] | undefined = [];
  /** Closed by its owner, who wants to hear nothing more. */
  #silent = false;

  constructor(dial: Dial, options: MailboxOptions) {
    this.#dial = dial;
    this.#options = options;
    this.nameplate = options.nameplate ?? '';
  }

  async open(): Promise<void> {
    const { deadline, signal, waitForHost, nobody } = this.#options;
    const atSender = nobody !== undefined;
    const begin = performance.now();
    let [away, lost]: (BeelineError | undefined)[] = [];
    const attempts = async (signal: AbortSignal) => {
      for (let pause = FIRST_PAUSE; ; pause = this.#longer(pause, begin, true)) {
        try {
          return await this.#greet(signal);
        } catch (thrown) {
          const error = asBeelineError(thrown, 'SERVER');
          if (error.code === 'NO_PEER') away = error;
          else if (atSender && PASSING.has(error.reason ?? '')) lost = error;
          else throw error;
          if (!waitForHost) throw error;
        }
        await sleep(realClock, pause, signal);
      }
    };
    const slow = () => fault('SERVER_LATE', { seconds: deadline / 1000 });
    // Running out of time while nobody was there says less than that nobody was there.
    const late = () => away ?? nobody?.() ?? lost ?? slow();
    await withDeadline(realClock, signal, deadline, late, attempts, () => stopped(signal)).catch((error) => {
      this.#end.abort();
      throw error;
    });
    signal?.addEventListener('abort', () => this.close(), { once: true, signal: this.#end.signal });
    // Later than the continuation of whoever awaits the opening.
    setTimeout(() => {
      const held = this.#held ?? [];
      this.#held = undefined;
      for (const act of held) this.#tell(act);
    });
  }

  send(body: string, guest = 0): void {
    const named = this.#options.role === 'host' && { guest };
    this.#say(encodeRendezvous({ t: 'send', ...named, body }), guest);
  }

  drop(guest: number): void {
    this.#say(encodeRendezvous({ t: 'drop', guest }), guest);
  }

  keep(guest: number): void {
    this.#say(encodeRendezvous({ t: 'keep', guest }), guest);
  }

  close(): void {
    this.#silent = true;
    if (this.#end.signal.aborted) return;
    this.#wire?.send(encodeRendezvous({ t: 'leave' }));
    this.#over();
  }

  reconnect(): void {
    if (this.#end.signal.aborted || this.#options.reconnect === false) return;
    this.#wire?.close();
    this.#wire = undefined;
    this.#pause = FIRST_PAUSE;
    void this.#takeBack(true);
  }

  #over(): void {
    this.#end.abort();
    this.#round.abort();
    this.#wire?.close();
    this.#wire = undefined;
  }

  #say(text: string, guest: number): void {
    if (this.#end.signal.aborted) return;
    if (this.#wire) this.#wire.send(text);
    else this.#backlog.add(text, guest);
  }

  /** One connection's beginning: dial, say hello, and hear that the place is ours. No wire is left open if it fails. */
  async #greet(signal: AbortSignal): Promise<void> {
    let wire: Wire | undefined;
    let [asked, greeted] = [false, false];
    /** What comes in the turn in which the wire opens. */
    const early: string[] = [];
    const greeting = (signal: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        const hear = (text: string, wire: Wire) => {
          try {
            const message = decodeServerMessage(text);
            if (greeted) return this.#hear(message);
            // One that is being stopped does not wait for a hello.
            if (message.t === 'refused') throw refusal(message);
            if (!asked) throw fault('SERVER_MISBEHAVES', { what: 'spoke before it was asked' });
            this.#welcome(message, wire);
            greeted = true;
            resolve();
          } catch (error) {
            if (greeted) this.#fail(asBeelineError(error));
            else reject(error);
          }
        };
        const text = (text: string) => {
          if (wire) hear(text, wire);
          else if (early.length < MOST_TEXTS) early.push(text);
        };
        const closed = (error: BeelineError) => (greeted ? this.#lost(error) : reject(error));
        const first = this.#hello();
        this.#dial({ text, closed }, signal, first).then((opened) => {
          wire = opened;
          if (signal.aborted) return opened.close();
          asked = opened.said === true;
          for (const each of early.splice(0)) hear(each, opened);
          if (!asked) opened.send(first);
          asked = true;
        }, reject);
      });
    try {
      await until(signal, greeting);
    } catch (error) {
      wire?.close();
      throw error;
    }
  }

  #hello(): string {
    const v = RENDEZVOUS_VERSION;
    const nameplate = this.nameplate || undefined;
    const token = this.#claims ? this.token : undefined;
    return encodeRendezvous(
      this.#options.role === 'host'
        ? { t: 'host', v, nameplate, token, guests: this.#options.guests, used: this.#used || undefined }
        : { t: 'join', v, nameplate: this.nameplate, token },
    );
  }

  #welcome(message: ServerMessage, wire: Wire): void {
    const expected = this.#options.role === 'host' ? 'hosted' : 'joined';
    const other = message.t === 'hosted' && this.nameplate !== '' && message.nameplate !== this.nameplate;
    if (message.t !== expected || other)
      throw fault('SERVER_MISBEHAVES', { what: 'answered something that was not asked' });
    if (message.t === 'hosted') this.nameplate = message.nameplate;
    const { token, services } = message as ServerMessage & { t: 'hosted' | 'joined' };
    this.token = token;
    this.services = services;
    this.#claims = true;
    this.#wire = wire;
    this.#seated = performance.now();
    this.#serverThere();
    this.#tell(() => this.#options.onWelcome?.());
    if (message.t === 'hosted') this.#meetAll(message);
  }

  /** A host's guests as of now: some may have gone while nobody told. */
  #meetAll({ guests, present }: ServerMessage & { t: 'hosted' }): void {
    this.guests = guests;
    const there = new Set(present);
    for (const guest of [...this.#present]) if (!there.has(guest)) this.#changed(guest, false);
    for (const text of this.#backlog.take(there)) this.#wire?.send(text);
    for (const guest of there) this.#changed(guest, true);
  }

  /** Who is there, as the server says. Only of who was there does the owner hear that it is not. */
  #changed(guest: number, present: boolean): void {
    const was = this.#present.has(guest);
    if (present) this.#present.add(guest);
    else this.#present.delete(guest);
    if (this.#present.size > MAX_GUESTS)
      throw fault('SERVER_MISBEHAVES', { what: 'lets in more than it says' });
    this.#used = Math.max(this.#used, guest);
    if (present || was) this.#tell(() => this.#options.onPeer(present, guest));
  }

  /** Whom the server speaks of: a host's guest, or a guest's host, which is not named. */
  #named(guest: number | undefined): number {
    if ((this.#options.role === 'host') !== (guest !== undefined))
      throw fault('SERVER_MISBEHAVES', { what: 'does not say which guest it means' });
    return guest ?? 0;
  }

  #hear(message: ServerMessage): void {
    if (this.#end.signal.aborted) return;
    switch (message.t) {
      case 'message': {
        const from = this.#named(message.guest);
        // A guest that the owner has not heard of cannot speak to it.
        if (from > 0 && !this.#present.has(from)) return;
        return this.#tell(() => this.#options.onMessage(message.body, from));
      }
      case 'peer': {
        const who = this.#named(message.guest);
        if (who === 0)
          for (const text of this.#backlog.take(message.present ? [0] : [])) this.#wire?.send(text);
        return this.#changed(who, message.present);
      }
      case 'refused':
        return this.#refused(refusal(message));
      default:
        throw fault('SERVER_MISBEHAVES', { what: 'greeted twice' });
    }
  }

  #tell(act: () => void): void {
    if (this.#silent) return;
    if (this.#held) this.#held.push(act);
    else act();
  }

  #fail(error: BeelineError): void {
    if (this.#end.signal.aborted) return;
    this.#over();
    this.#tell(() => this.#options.onLost(error));
  }

  /** SERVER: it restarts, or the meeting is too old for it; every other code means this side. */
  #refused(error: BeelineError): void {
    if (error.code !== 'SERVER' || this.#options.reconnect === false) return this.#fail(error);
    this.#wire?.close();
    this.#lost(error);
  }

  #lost(error: BeelineError): void {
    this.#wire = undefined;
    if (this.#end.signal.aborted) return;
    if (this.#options.reconnect === false) return this.#fail(error);
    if (performance.now() - this.#seated >= STABLE_MS) this.#pause = FIRST_PAUSE;
    void this.#takeBack(false);
  }

  async #takeBack(atOnce: boolean): Promise<void> {
    this.#round.abort();
    this.#round = new AbortController();
    const { signal } = this.#round;
    const begin = performance.now();
    const until = begin + (this.#options.keepFor ?? KEEP_FOR_MS);
    let met = false;
    for (let now = atOnce; ; now = false) {
      if (!now) await sleep(realClock, jittered(this.#pause), signal).catch(() => {});
      if (signal.aborted) return;
      const error = await this.#attempt(signal);
      if (signal.aborted || !error) return;
      const away = error.code === 'NO_PEER';
      if (away) this.#serverThere();
      else if (error.code === 'SERVER') this.#serverAway(error);
      // The server is back: so is the host, a moment later.
      this.#pause = away && !met ? FIRST_PAUSE : this.#longer(this.#pause, begin, away);
      met ||= away;
      // NO_PEER: the host is on its way back too. SERVER: unreachable, full or restarting.
      const passing = away || error.code === 'SERVER';
      if (passing && performance.now() < until) continue;
      if (passing || this.#options.role === 'guest' || !this.#claims) return this.#fail(error);
      // The place is not ours any more: the nameplate may be free all the same.
      this.#claims = false;
    }
  }

  #serverAway(error: BeelineError): void {
    if (this.#away) return;
    this.#away = true;
    this.#tell(() => this.#options.onServer?.(error));
  }

  #serverThere(): void {
    if (!this.#away) return;
    this.#away = false;
    this.#tell(() => this.#options.onServer?.());
  }

  /** The pause after this one, of attempts that go on since `begin`. @param away the server answers, but no host is there */
  #longer(pause: number, begin: number, away: boolean): number {
    const fresh = performance.now() - begin < FRESH;
    if (fresh) return Math.min(2 * pause, away ? LONGEST_FRESH_JOIN_PAUSE_MS : LONGEST_FRESH_PAUSE);
    return Math.min(2 * pause, away ? LONGEST_JOIN_PAUSE_MS : LONGEST_PAUSE_MS);
  }

  /** Resolves to what went wrong, if it did. */
  #attempt(signal: AbortSignal): Promise<BeelineError | undefined> {
    const late = () => fault('SERVER_GONE');
    const greeting = (signal: AbortSignal) => this.#greet(signal);
    return withDeadline(realClock, signal, ATTEMPT_DEADLINE_MS, late, greeting, () => stopped(signal)).then(
      () => undefined,
      (thrown) => asBeelineError(thrown, 'SERVER'),
    );
  }
}

function stopped(signal: AbortSignal | undefined): BeelineError {
  const { reason } = signal ?? {};
  return reason instanceof BeelineError
    ? reason
    : new BeelineError('INTERRUPTED', 'Stopped while meeting the other side.', { cause: reason });
}

function refusal({ code, reason, message }: ServerMessage & { t: 'refused' }): BeelineError {
  return new BeelineError(code, message, { reason });
}
