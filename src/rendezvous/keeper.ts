/**
 * Keeps a mailbox: greets the server, hands on what it says, and after a lost connection takes the place back.
 * Non-goal: delivery. Bodies that were under way when a connection died are lost; both sides repeat on `onPeer(true)`.
 */
import { asBeelineError, BeelineError } from '../protocol/errors.ts';
import {
  decodeServerMessage,
  encodeRendezvous,
  isNameplate,
  RENDEZVOUS_VERSION,
  type ServerMessage,
} from '../protocol/rendezvous.ts';
import { Backlog } from './backlog.ts';
import { deadlineScope, pauseFor } from './deadline.ts';
import type { Mailbox, MailboxOptions } from './ports.ts';
import type { Dial, Wire } from './wire.ts';

/** All in milliseconds. */
const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 10_000;
const LONGEST_WAIT_PAUSE = 4000;
const ATTEMPT_DEADLINE = 10_000;
const RECONNECT_FOR = 600_000;

export async function keepMailbox(dial: Dial, options: MailboxOptions): Promise<Mailbox> {
  const { nameplate, role } = options;
  if (nameplate === undefined ? role === 'guest' : !isNameplate(nameplate))
    throw new BeelineError('USAGE', 'A nameplate is 1 to 32 lower-case letters and digits.');
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
  #token: string | undefined;
  #wire: Wire | undefined;
  #present = false;
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
    const { deadline, signal, waitForHost } = this.#options;
    const late = new BeelineError('TIMEOUT', `The rendezvous did not answer within ${deadline / 1000} s.`);
    const scope = deadlineScope(deadline, late, signal);
    let last: BeelineError | undefined;
    try {
      for (let pause = FIRST_PAUSE; ; pause = Math.min(2 * pause, LONGEST_WAIT_PAUSE)) {
        try {
          await this.#greet(scope.signal);
          break;
        } catch (thrown) {
          const error = asBeelineError(thrown, 'SERVER');
          // Running out of time while nobody was there says less than that nobody was there.
          if (error === late && last) throw last;
          if (error.code !== 'NO_PEER' || !waitForHost) throw error;
          last = error;
        }
        await pauseFor(pause, scope.signal).catch((reason) => {
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
    setImmediate(() => {
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

  #over(): void {
    this.#end.abort();
    this.#wire?.close();
    this.#wire = undefined;
  }

  #say(text: string): void {
    if (this.#end.signal.aborted) return;
    if (this.#wire) this.#wire.send(text);
    else this.#backlog.add(text);
  }

  /** Dials, says hello and resolves when the place is ours; afterwards the wire's events go to `#hear` and `#lost`. */
  async #greet(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    let wire: Wire | undefined;
    let greeted = false;
    let abort = () => {};
    try {
      await new Promise<void>((resolve, reject) => {
        abort = () => reject(signal.reason);
        signal.addEventListener('abort', abort);
        const text = (text: string) => {
          try {
            const message = decodeServerMessage(text);
            if (greeted) return this.#hear(message);
            this.#welcome(message);
            greeted = true;
            this.#wire = wire;
            resolve();
          } catch (error) {
            if (greeted) this.#fail(asBeelineError(error));
            else reject(error);
          }
        };
        const closed = (error: BeelineError) => (greeted ? this.#lost(error) : reject(error));
        this.#dial({ text, closed }, signal).then((opened) => {
          wire = opened;
          if (signal.aborted) opened.close();
          else opened.send(this.#hello());
        }, reject);
      });
    } catch (error) {
      wire?.close();
      throw error;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  #hello(): string {
    const v = RENDEZVOUS_VERSION;
    const nameplate = this.nameplate || undefined;
    const token = this.#token;
    return encodeRendezvous(
      this.#options.role === 'host'
        ? { t: 'host', v, nameplate, token }
        : { t: 'join', v, nameplate: this.nameplate, token },
    );
  }

  #welcome(message: ServerMessage): void {
    if (message.t === 'refused') throw new BeelineError(message.code, message.message);
    const expected = this.#options.role === 'host' ? 'hosted' : 'joined';
    const other = message.t === 'hosted' && this.nameplate !== '' && message.nameplate !== this.nameplate;
    if (message.t !== expected || other)
      throw new BeelineError(
        'PROTOCOL',
        'The rendezvous server answered with something else than was asked.',
      );
    if (message.t === 'hosted') this.nameplate = message.nameplate;
    this.#token = (message as { token: string }).token;
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
        throw new BeelineError(message.code, message.message);
      default:
        throw new BeelineError('PROTOCOL', 'The rendezvous server greeted twice.');
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

  #lost(error: BeelineError): void {
    this.#wire = undefined;
    if (this.#end.signal.aborted) return;
    if (this.#options.reconnect === false) this.#fail(error);
    else void this.#takeBack();
  }

  async #takeBack(): Promise<void> {
    const end = this.#end.signal;
    const until = performance.now() + RECONNECT_FOR;
    for (let pause = FIRST_PAUSE; !end.aborted; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
      // Jitter, so that everyone who lost the same server does not come back in step.
      await pauseFor(pause * (0.5 + Math.random()), end).catch(() => {});
      if (end.aborted) return;
      const late = new BeelineError('SERVER', 'The rendezvous server cannot be reached any more.');
      const scope = deadlineScope(ATTEMPT_DEADLINE, late, end);
      try {
        return await this.#greet(scope.signal);
      } catch (thrown) {
        const error = asBeelineError(thrown, 'SERVER');
        // NO_PEER: the host is on its way back too. SERVER: unreachable, full or restarting.
        const passing = error.code === 'NO_PEER' || error.code === 'SERVER';
        if (!passing || performance.now() > until) return this.#fail(error);
      } finally {
        scope.done();
      }
    }
  }
}
