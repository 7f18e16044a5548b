/** How long a side waits for the other: for a lane to it, for what an honest one says at once, and for its last word. */
import { Alarm, type Clock } from '../base/clock.ts';
import { type BeelineError, fault } from '../base/errors.ts';
import {
  ANSWER_DEADLINE,
  CONFIRM_DEADLINE,
  HANDSHAKE_DEADLINE,
  MAX_WAIT,
  RECEIVER_WAIT,
  SENDER_WAIT,
} from '../base/limits.ts';

export interface LaneDeadlineOptions {
  role: 'sender' | 'receiver';
  /** Seconds that the person waits for one who was connected and is away. */
  wait: number | undefined;
}

/**
 * How long a lane is waited for. The first one must come soon, since all is ready for it. Once the two have been connected,
 * it is as long as the person will wait.
 */
export class LaneDeadline {
  readonly #alarm: Alarm;
  readonly #role: LaneDeadlineOptions['role'];
  readonly #wait: number;
  readonly #fail: (error: BeelineError) => void;
  /** What else the person is told when the wait ends. */
  readonly #more: () => string;
  readonly #clock: Clock;
  #connected = false;
  /** When the last lane was lost. */
  #since = 0;

  constructor(
    clock: Clock,
    { role, wait }: LaneDeadlineOptions,
    fail: (error: BeelineError) => void,
    more: () => string,
  ) {
    this.#clock = clock;
    this.#alarm = new Alarm(clock);
    this.#role = role;
    const seconds = wait ?? (role === 'sender' ? SENDER_WAIT : RECEIVER_WAIT);
    this.#wait = Math.min(MAX_WAIT, Math.max(0, seconds));
    this.#fail = fail;
    this.#more = more;
  }

  /** The peer is proven, and lanes to it are being opened. */
  proven(): void {
    if (!this.#connected) this.#within(HANDSHAKE_DEADLINE, () => fault('NO_FIRST_LANE'));
  }

  /** The peer went away. A sender that was never connected waits for another one, without this deadline. */
  left(): void {
    if (!this.#connected && this.#role === 'sender') this.end();
  }

  connected(): void {
    this.#connected = true;
    this.end();
  }

  lost(): void {
    this.#since = this.#clock.now();
    this.#awaitPeer();
  }

  /** Others bring what is missing here: that is no time to give up. */
  goesOn(): void {
    if (this.#connected && this.#alarm.waits) this.#awaitPeer();
  }

  /** Others fetch from here what they miss. One that asks for a little now and then must not keep this process alive for ever. */
  gives(): void {
    if (this.#clock.now() - this.#since < SENDER_WAIT * 1000) this.goesOn();
  }

  #awaitPeer(): void {
    const time = inWords(this.#wait);
    this.#within(this.#wait * 1000, () => fault('PEER_AWAY', { time, more: this.#more() }));
  }

  end(): void {
    this.#alarm.clear();
  }

  #within(ms: number, error: () => BeelineError): void {
    this.#alarm.set(ms, () => this.#fail(error()));
  }
}

/**
 * For a side that is connected and answers pings, but does not say what an honest one says at once. Non-goal: slow bytes. A
 * person may think over an offer, a stream may be quiet and a limit low, for as long as they like.
 */
export class AnswerDeadline {
  ms = ANSWER_DEADLINE;
  readonly #clock: Clock;
  readonly #alarm: Alarm;
  readonly #late: (what: string) => void;
  #what: string | undefined;
  /** What is left of its time, and since when it runs. */
  #left = 0;
  #since = 0;

  constructor(clock: Clock, late: (what: string) => void) {
    this.#clock = clock;
    this.#alarm = new Alarm(clock);
    this.#late = late;
  }

  /**
   * @param what it has to say now, in words; undefined: nothing
   * @param able it can say it: a pause stops the time, and does not begin it anew
   */
  awaits(what: string | undefined, able: boolean): void {
    const now = this.#clock.now();
    if (this.#alarm.waits) this.#left -= now - this.#since;
    this.#alarm.clear();
    if (what !== this.#what) this.#left = this.ms;
    this.#what = what;
    if (what === undefined || !able) return;
    this.#since = now;
    this.#alarm.set(Math.max(0, this.#left), () => this.#late(what));
  }
}

/**
 * Waits for the receiver's confirmation. Once the roots are equal, the receiver has everything. It only gets time to hear that,
 * and to come back and ask if it did not. A lane that dies after that is no loss.
 */
export class Confirmation {
  ms = CONFIRM_DEADLINE;
  readonly #alarm: Alarm;
  #agreed = false;
  #conclude = (): void => {};

  constructor(clock: Clock) {
    this.#alarm = new Alarm(clock);
  }

  /** True once nothing that matters can be lost any more. */
  get agreed(): boolean {
    return this.#agreed;
  }

  agree(): void {
    this.#agreed = true;
    this.end();
  }

  /** Calls back once: when the receiver has heard, or had time enough to. */
  wait(conclude: () => void): void {
    this.#conclude = conclude;
    this.#alarm.set(this.ms, () => this.heard());
  }

  /** The receiver has confirmed. */
  heard(): void {
    const conclude = this.#conclude;
    this.end();
    conclude();
  }

  /** Nothing is waited for any more: the session ends, or the receiver is a new process that has heard nothing. */
  end(): void {
    this.#alarm.clear();
    this.#conclude = () => {};
  }
}

const UNITS = [
  [86_400, 'day'],
  [3600, 'hour'],
  [60, 'minute'],
] as const;

/** In the largest unit that divides it: '1 day' and not '24 hours', but '90 seconds'. */
export function inWords(seconds: number): string {
  const [size, unit] = UNITS.find(([size]) => seconds >= size && seconds % size === 0) ?? [1, 'second'];
  const count = seconds / size;
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}
