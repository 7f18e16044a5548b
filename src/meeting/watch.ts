/**
 * Keeps a watch at a server: which of some nameplates have a host, now and at each change. A lost connection, a server that is started
 * again and one that is full for now are tried again until it is closed.
 */
import { type Clock, realClock, sleep, until, withDeadline } from '../base/clock.ts';
import { asBeelineError, BeelineError, fault } from '../base/errors.ts';
import { FIRST_PAUSE, FRESH, jittered, LONGEST_FRESH_PAUSE } from '../base/pauses.ts';
import { RENDEZVOUS_VERSION } from '../wire/rendezvous.ts';
import { decodeWatcherMessage, encodeWatch, type WatcherMessage } from '../wire/watch.ts';
import type { Dial, Wire } from './ports.ts';

const LONGEST_PAUSE_MS = 30_000;
const ATTEMPT_DEADLINE_MS = 15_000;

export interface WatchEvents {
  /** A nameplate has a host, or has one again. */
  came(nameplate: string): void;
  gone(nameplate: string): void;
  /** The watch has begun. It begins anew after each lost connection. */
  watching(): void;
  /** The server cannot be reached, or turns this side away for now. Told once until `watching`. */
  away(error: BeelineError): void;
  /** The server does not do this. It is over then. */
  refused(error: BeelineError): void;
}

export interface Watch {
  has(nameplate: string): boolean;
  /** Instead of those so far. */
  change(nameplates: readonly string[]): void;
  /** The network has changed: dials again at once. */
  reconnect(): void;
  close(): void;
}

/**
 * Begins at once. None: it waits until there are some.
 * @param clock for tests
 */
export function keepWatch(
  dial: Dial,
  nameplates: readonly string[],
  events: WatchEvents,
  clock: Clock = realClock,
): Watch {
  const keeper = new WatchKeeper(dial, nameplates, events, clock);
  keeper.reconnect();
  return keeper;
}

class WatchKeeper implements Watch {
  readonly #dial: Dial;
  readonly #events: WatchEvents;
  readonly #clock: Clock;
  #nameplates: ReadonlySet<string>;
  readonly #present = new Set<string>();
  /** Aborted when another round of attempts begins, and at the end. */
  #round = new AbortController();
  #over = false;
  #away = false;

  constructor(dial: Dial, nameplates: readonly string[], events: WatchEvents, clock: Clock) {
    this.#dial = dial;
    this.#nameplates = new Set(nameplates);
    this.#events = events;
    this.#clock = clock;
  }

  has(nameplate: string): boolean {
    return this.#present.has(nameplate);
  }

  change(nameplates: readonly string[]): void {
    this.#nameplates = new Set(nameplates);
    this.reconnect();
  }

  reconnect(): void {
    this.#round.abort();
    if (this.#over) return;
    this.#round = new AbortController();
    if (this.#nameplates.size > 0) void this.#run(this.#round.signal);
    else this.#presentAre([]);
  }

  close(): void {
    this.#over = true;
    this.#round.abort();
  }

  async #run(signal: AbortSignal): Promise<void> {
    let pause = FIRST_PAUSE;
    for (let began = this.#clock.now(); ; ) {
      const error = await this.#connection(signal, () => {
        began = this.#clock.now();
        pause = FIRST_PAUSE;
      });
      if (signal.aborted) return;
      if (error.code !== 'SERVER' && error.code !== 'TIMEOUT') {
        this.close();
        return this.#events.refused(error);
      }
      if (!this.#away) this.#events.away(error);
      this.#away = true;
      await sleep(this.#clock, jittered(pause), signal).catch(() => {});
      if (signal.aborted) return;
      const fresh = this.#clock.now() - began < FRESH;
      pause = Math.min(2 * pause, fresh ? LONGEST_FRESH_PAUSE : LONGEST_PAUSE_MS);
    }
  }

  /** One connection, from its beginning to its end. @returns why it ended */
  async #connection(signal: AbortSignal, begun: () => void): Promise<BeelineError> {
    let wire: Wire | undefined;
    try {
      const ended = new AbortController();
      const end = (error: BeelineError) => ended.abort(error);
      const late = () => fault('SERVER_GONE');
      await withDeadline(
        this.#clock,
        AbortSignal.any([signal, ended.signal]),
        ATTEMPT_DEADLINE_MS,
        late,
        (during) =>
          this.#greet(during, end, (opened) => {
            wire = opened;
          }),
      );
      if (signal.aborted) throw signal.reason;
      begun();
      return await until(
        signal,
        () =>
          new Promise<BeelineError>((resolve) => {
            const over = () => resolve(asBeelineError(ended.signal.reason, 'SERVER'));
            if (ended.signal.aborted) over();
            else ended.signal.addEventListener('abort', over, { once: true });
          }),
      );
    } catch (thrown) {
      return asBeelineError(thrown, 'SERVER');
    } finally {
      wire?.close();
    }
  }

  /** Resolves when the server watches. What it says afterwards is heard until `end`. */
  #greet(
    signal: AbortSignal,
    end: (error: BeelineError) => void,
    opened: (wire: Wire) => void,
  ): Promise<void> {
    const first = encodeWatch({ t: 'watch', v: RENDEZVOUS_VERSION, nameplates: [...this.#nameplates] });
    return new Promise<void>((resolve, reject) => {
      let greeted = false;
      const fail = (error: BeelineError) => (greeted ? end(error) : reject(error));
      const text = (text: string) => {
        if (signal.aborted && !greeted) return;
        try {
          greeted = this.#hear(decodeWatcherMessage(text), greeted);
          if (greeted) resolve();
        } catch (thrown) {
          fail(asBeelineError(thrown));
        }
      };
      this.#dial({ text, closed: fail }, signal, first).then((wire) => {
        if (signal.aborted) return wire.close();
        opened(wire);
        if (!wire.said) wire.send(first);
      }, reject);
    });
  }

  /** @returns whether the server watches @throws BeelineError */
  #hear(message: WatcherMessage, greeted: boolean): boolean {
    switch (message.t) {
      case 'refused':
        throw new BeelineError(message.code, message.message, { reason: message.reason });
      case 'watching':
        if (greeted) throw fault('SERVER_MISBEHAVES', { what: 'greeted twice' });
        this.#away = false;
        this.#events.watching();
        this.#presentAre(message.present);
        return true;
      case 'hosting':
        if (!greeted || !this.#nameplates.has(message.nameplate))
          throw fault('SERVER_MISBEHAVES', { what: 'tells of a nameplate that was not asked for' });
        this.#changed(message.nameplate, message.present);
        return true;
    }
  }

  #presentAre(nameplates: readonly string[]): void {
    const now = new Set(nameplates.filter((nameplate) => this.#nameplates.has(nameplate)));
    for (const nameplate of [...this.#present]) if (!now.has(nameplate)) this.#changed(nameplate, false);
    // Also those that were there before the connection was lost: another host may have followed unseen.
    for (const nameplate of now) this.#changed(nameplate, true);
  }

  #changed(nameplate: string, present: boolean): void {
    if (present) this.#present.add(nameplate);
    else if (!this.#present.delete(nameplate)) return;
    if (present) this.#events.came(nameplate);
    else this.#events.gone(nameplate);
  }
}
