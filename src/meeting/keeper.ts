/**
 * Keeps a mailbox: greets the server, hands on what it says, and after a lost connection takes the place back. A host whose
 * server has forgotten it, or ended it for its age, opens the same nameplate anew.
 * Non-goal: delivery. Bodies that were under way when a connection died are lost; both sides repeat on `onPeer(true)`.
 */
import { realClock, sleep } from '../base/clock.ts';
import { asBeelineError, BeelineError, fault } from '../base/errors.ts';
import { FIRST_PAUSE, FRESH, jittered, LONGEST_FRESH_PAUSE } from '../base/pauses.ts';
import {
  encodeRendezvous,
  isNameplate,
  NO_SERVICES,
  RENDEZVOUS_VERSION,
  type ServerMessage,
  type Services,
} from '../wire/rendezvous.ts';
import { Backlog } from './backlog.ts';
import { deadlineScope } from './deadline.ts';
import { greet } from './greet.ts';
import type { Mailbox, MailboxOptions } from './ports.ts';
import type { Dial, Wire } from './wire.ts';

/** All in milliseconds. */
/** A guest whose host is away asks less often: a server counts joins. */
const LONGEST_FRESH_JOIN_PAUSE = 1500;
const LONGEST_PAUSE = 10_000;
const LONGEST_JOIN_PAUSE = 20_000;
const ATTEMPT_DEADLINE = 10_000;
const KEEP_FOR = 600_000;
/** A connection that lasted shorter does not make the next pause short again. */
const STABLE = 30_000;

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
  #present = false;
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
    const begin = performance.now();
    const late = fault('SERVER_LATE', { seconds: deadline / 1000 });
    const scope = deadlineScope(deadline, late, signal);
    let last: BeelineError | undefined;
    try {
      for (let pause = FIRST_PAUSE; ; pause = this.#longer(pause, begin, true)) {
        try {
          await this.#greet(scope.signal);
          break;
        } catch (thrown) {
          const error = asBeelineError(thrown, 'SERVER');
          // Running out of time while nobody was there says less than that nobody was there.
          if (error === late) throw last ?? nobody?.() ?? late;
          if (error.code !== 'NO_PEER' || !waitForHost) throw error;
          last = error;
        }
        await sleep(realClock, pause, scope.signal).catch((reason) => {
          throw reason === late ? last : reason;
        });
      }
    } catch (error) {
      this.#end.abort();
      throw error;
    } finally {
      scope.done();
    }
    signal?.addEventListener('abort', () => this.close(), { once: true, signal: this.#end.signal });
    // Later than the continuation of whoever awaits the opening.
    setTimeout(() => {
      const held = this.#held ?? [];
      this.#held = undefined;
      for (const act of held) this.#tell(act);
    });
  }

  send(body: string): void {
    this.#say(encodeRendezvous({ t: 'send', body }));
  }

  drop(): void {
    this.#say(encodeRendezvous({ t: 'drop' }));
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

  #say(text: string): void {
    if (this.#end.signal.aborted) return;
    if (this.#wire) this.#wire.send(text);
    else this.#backlog.add(text);
  }

  #greet(signal: AbortSignal): Promise<void> {
    const on = {
      hello: () => this.#hello(),
      welcome: (message: ServerMessage, wire: Wire) => this.#welcome(message, wire),
      hear: (message: ServerMessage) => this.#hear(message),
      failed: (error: BeelineError) => this.#fail(error),
      lost: (error: BeelineError) => this.#lost(error),
    };
    return greet(this.#dial, on, signal);
  }

  #hello(): string {
    const v = RENDEZVOUS_VERSION;
    const nameplate = this.nameplate || undefined;
    const token = this.#claims ? this.token : undefined;
    return encodeRendezvous(
      this.#options.role === 'host'
        ? { t: 'host', v, nameplate, token }
        : { t: 'join', v, nameplate: this.nameplate, token },
    );
  }

  #welcome(message: ServerMessage, wire: Wire): void {
    if (message.t === 'refused') throw refusal(message);
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
  }

  #hear(message: ServerMessage): void {
    if (this.#end.signal.aborted) return;
    switch (message.t) {
      case 'message':
        return this.#tell(() => this.#options.onMessage(message.body));
      case 'peer': {
        const waiting = this.#backlog.take();
        if (message.present) for (const text of waiting) this.#wire?.send(text);
        if (message.present || this.#present) this.#tell(() => this.#options.onPeer(message.present));
        this.#present = message.present;
        return;
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
    if (performance.now() - this.#seated >= STABLE) this.#pause = FIRST_PAUSE;
    void this.#takeBack(false);
  }

  async #takeBack(atOnce: boolean): Promise<void> {
    this.#round.abort();
    this.#round = new AbortController();
    const { signal } = this.#round;
    const begin = performance.now();
    const until = begin + (this.#options.keepFor ?? KEEP_FOR);
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
    if (fresh) return Math.min(2 * pause, away ? LONGEST_FRESH_JOIN_PAUSE : LONGEST_FRESH_PAUSE);
    return Math.min(2 * pause, away ? LONGEST_JOIN_PAUSE : LONGEST_PAUSE);
  }

  /** Resolves to what went wrong, if it did. */
  async #attempt(signal: AbortSignal): Promise<BeelineError | undefined> {
    const late = fault('SERVER_GONE');
    const scope = deadlineScope(ATTEMPT_DEADLINE, late, signal);
    try {
      await this.#greet(scope.signal);
      return undefined;
    } catch (thrown) {
      return asBeelineError(thrown, 'SERVER');
    } finally {
      scope.done();
    }
  }
}

function refusal({ code, reason, message }: ServerMessage & { t: 'refused' }): BeelineError {
  return new BeelineError(code, message, { reason });
}
