/**
 * A connection to a server that stands for as long as it is wanted, to hear of something: a lost one, a server that is started again and
 * one that is full for now are tried again until it is closed.
 */
import { type Clock, sleep, until, withDeadline } from '../base/clock.ts';
import { asBeelineError, type BeelineError, fault } from '../base/errors.ts';
import { FIRST_PAUSE, FRESH, jittered, LONGEST_FRESH_PAUSE } from '../base/pauses.ts';
import type { Dial, Wire } from './ports.ts';

const LONGEST_PAUSE_MS = 30_000;
const ATTEMPT_DEADLINE_MS = 15_000;

export interface StandingEvents {
  /** What this side says first. */
  first(): string;
  /**
   * @param greeted whether the server has answered what was said first
   * @returns whether it has now @throws BeelineError what ends the connection
   */
  hear(text: string, greeted: boolean): boolean;
  /** The server cannot be reached, or turns this side away for now. Told once until it is there again. */
  away(error: BeelineError): void;
  /** The server does not do this. It is over then. */
  refused(error: BeelineError): void;
}

export class StandingConnection {
  readonly #dial: Dial;
  readonly #events: StandingEvents;
  readonly #clock: Clock;
  /** Aborted when another round of attempts begins, and at the end. */
  #round = new AbortController();
  #wire: Wire | undefined;
  #over = false;
  #away = false;

  constructor(dial: Dial, events: StandingEvents, clock: Clock) {
    this.#dial = dial;
    this.#events = events;
    this.#clock = clock;
  }

  /** Begins, or begins anew at once. @param wanted false: there is nothing to hear of for now */
  reconnect(wanted = true): void {
    this.#round.abort();
    if (this.#over || !wanted) return;
    this.#round = new AbortController();
    void this.#run(this.#round.signal);
  }

  /** Lost where the connection does not stand. */
  send(text: string): void {
    this.#wire?.send(text);
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
            this.#wire = opened;
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
      if (this.#wire === wire) this.#wire = undefined;
      wire?.close();
    }
  }

  /** Resolves when the server has answered. What it says afterwards is heard until `end`. */
  #greet(
    signal: AbortSignal,
    end: (error: BeelineError) => void,
    opened: (wire: Wire) => void,
  ): Promise<void> {
    const first = this.#events.first();
    return new Promise<void>((resolve, reject) => {
      let greeted = false;
      const fail = (error: BeelineError) => (greeted ? end(error) : reject(error));
      const text = (text: string) => {
        if (signal.aborted && !greeted) return;
        try {
          greeted = this.#hear(text, greeted);
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

  #hear(text: string, greeted: boolean): boolean {
    const now = this.#events.hear(text, greeted);
    if (now) this.#away = false;
    return now;
  }
}
