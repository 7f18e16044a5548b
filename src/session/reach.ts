/**
 * How long a side tries to reach the other: for the first lane a moment, since all is ready for it; once they have been
 * connected, as long as the person will wait.
 */
import { Alarm, type Clock } from '../base/clock.ts';
import { type BeelineError, fault } from '../base/errors.ts';
import { HANDSHAKE_DEADLINE, MAX_WAIT, RECEIVER_WAIT, SENDER_WAIT } from '../base/limits.ts';

export interface ReachOptions {
  role: 'sender' | 'receiver';
  clock: Clock;
  /** Seconds. */
  wait?: number;
}

export class Reach {
  readonly #alarm: Alarm;
  readonly #role: ReachOptions['role'];
  readonly #wait: number;
  readonly #fail: (error: BeelineError) => void;
  /** More for the person to know, when the wait ends. */
  readonly #rest: () => string;
  #connected = false;

  constructor({ role, clock, wait }: ReachOptions, fail: (error: BeelineError) => void, rest: () => string) {
    this.#alarm = new Alarm(clock);
    this.#role = role;
    const seconds = wait ?? (role === 'sender' ? SENDER_WAIT : RECEIVER_WAIT);
    this.#wait = Math.min(MAX_WAIT, Math.max(0, seconds));
    this.#fail = fail;
    this.#rest = rest;
  }

  /** The peer is proven, and lanes to it are being opened. */
  proven(): void {
    if (this.#connected) return;
    this.#within(HANDSHAKE_DEADLINE, () => fault('NO_FIRST_LANE'));
  }

  /** It went away. A sender that was never connected waits for another, for as long as it is let. */
  left(): void {
    if (!this.#connected && this.#role === 'sender') this.end();
  }

  connected(): void {
    this.#connected = true;
    this.end();
  }

  lost(): void {
    const time = inWords(this.#wait);
    this.#within(this.#wait * 1000, () => fault('PEER_AWAY', { time, more: this.#rest() }));
  }

  end(): void {
    this.#alarm.clear();
  }

  #within(milliseconds: number, error: () => BeelineError): void {
    this.#alarm.set(milliseconds, () => this.#fail(error()));
  }
}

const UNITS = [
  [86_400, 'day'],
  [3600, 'hour'],
  [60, 'minute'],
] as const;

/** In the largest unit that divides it: '24 hours' would do, '1 day' reads better, '90 seconds' is what was asked. */
export function inWords(seconds: number): string {
  const [size, unit] = UNITS.find(([size]) => seconds >= size && seconds % size === 0) ?? [1, 'second'];
  const count = seconds / size;
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}
