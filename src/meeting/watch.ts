/**
 * Keeps a watch at a server: which of some nameplates have a host, now and at each change.
 */
import { type Clock, realClock } from '../base/clock.ts';
import { BeelineError, fault } from '../base/errors.ts';
import { RENDEZVOUS_VERSION } from '../wire/rendezvous.ts';
import { decodeWatcherMessage, encodeWatch, type WatcherMessage } from '../wire/watch.ts';
import type { Dial } from './ports.ts';
import { StandingConnection } from './standing.ts';

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
  readonly #connection: StandingConnection;
  readonly #events: WatchEvents;
  #nameplates: ReadonlySet<string>;
  readonly #present = new Set<string>();
  #over = false;

  constructor(dial: Dial, nameplates: readonly string[], events: WatchEvents, clock: Clock) {
    this.#events = events;
    this.#nameplates = new Set(nameplates);
    this.#connection = new StandingConnection(
      dial,
      {
        first: () => encodeWatch({ t: 'watch', v: RENDEZVOUS_VERSION, nameplates: [...this.#nameplates] }),
        hear: (text, greeted) => this.#hear(decodeWatcherMessage(text), greeted),
        away: (error) => events.away(error),
        refused: (error) => {
          this.#over = true;
          events.refused(error);
        },
      },
      clock,
    );
  }

  has(nameplate: string): boolean {
    return this.#present.has(nameplate);
  }

  change(nameplates: readonly string[]): void {
    this.#nameplates = new Set(nameplates);
    this.reconnect();
  }

  reconnect(): void {
    const some = this.#nameplates.size > 0;
    this.#connection.reconnect(some);
    if (!some && !this.#over) this.#presentAre([]);
  }

  close(): void {
    this.#over = true;
    this.#connection.close();
  }

  /** @returns whether the server watches @throws BeelineError */
  #hear(message: WatcherMessage, greeted: boolean): boolean {
    switch (message.t) {
      case 'refused':
        throw new BeelineError(message.code, message.message, { reason: message.reason });
      case 'watching':
        if (greeted) throw fault('SERVER_MISBEHAVES', { what: 'greeted twice' });
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
