/** The receiver's connections: each lane that is opened is an offer, which the sender answers. Pure. */
import { Alarm, onAbort, realClock } from '../../base/clock.ts';
import { fault } from '../../base/errors.ts';
import { LANE_OPEN_DEADLINE, MAX_RTC } from '../../base/limits.ts';
import type { Pipe } from '../../secure/pipe.ts';
import type { RtcDescription } from '../../wire/rtc.ts';
import type { Connection } from './connection.ts';

/** After the first failure; each further one doubles it. */
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 3_600_000;

/** How often a way that does not work is tried again: each try costs the rendezvous a few messages, and it allows only so many. */
export class Pacing {
  #failures = 0;
  #failedAt = 0;
  /** `performance.now()` before which nothing is tried. */
  #next = 0;

  get ready(): boolean {
    return performance.now() >= this.#next;
  }

  /** Tries under way together that fail together are one failure. @param since `performance.now()` when this one began */
  failed(since: number): void {
    if (this.#failures > 0 && since < this.#failedAt) return;
    this.#failedAt = performance.now();
    this.#next = this.#failedAt + Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#failures++);
  }

  /** It works, or what it depends on has changed. */
  reset(): void {
    this.#failures = 0;
    this.#next = 0;
  }
}

/** When an offer that nobody answered is not used any more: NATs may have forgotten it (RFC 4787, REQ-5). */
const STALE_MS = 90_000;

/** Makes a connection that the peer does not know yet; undefined where there is no WebRTC. `ended` is called at its end. */
export type FreshOffer = (ended: (connection: Connection) => void) => Promise<Connection | undefined>;

interface Ahead {
  offer: Promise<Connection>;
  at: number;
  connection?: Connection;
}

export class Offers {
  readonly #fresh: FreshOffer;
  readonly #negotiating = new Map<string, Connection>();
  #making = 0;
  readonly #pacing = new Pacing();
  /** Made before it was needed. */
  #ahead: Ahead | undefined;
  readonly #unclaimed = new Alarm(realClock);
  #over = false;

  constructor(fresh: FreshOffer) {
    this.#fresh = fresh;
  }

  get descriptions(): RtcDescription[] {
    return [...this.#negotiating.values()].flatMap(({ description }) => description ?? []);
  }

  /** Makes an offer, unless there is one that can still be taken. */
  async prepare(): Promise<void> {
    if (this.#over || this.#pending()) return void (await this.#ahead?.offer.catch(() => {}));
    const ahead: Ahead = { offer: this.#offer(), at: performance.now() };
    this.#ahead = ahead;
    try {
      ahead.connection = await ahead.offer;
    } catch {
      // Whoever opens a lane is told what is wrong.
      if (this.#ahead === ahead) this.#ahead = undefined;
    }
  }

  /** @throws BeelineError NO_PATH, TIMEOUT or PROTOCOL; nothing is left open then. */
  async open(signal: AbortSignal): Promise<Pipe> {
    const since = performance.now();
    if (!this.#pacing.ready) throw fault('WEBRTC_PAUSED');
    const offer = this.#pending()?.offer ?? this.#offer();
    this.#claim();
    let connection: Connection | undefined;
    let forget = () => {};
    try {
      connection = await offer;
      connection.within(LANE_OPEN_DEADLINE);
      forget = onAbort(signal, () => connection?.close(fault('LANE_OUTPACED')));
      const pipe = await connection.opened;
      this.#pacing.reset();
      return pipe;
    } catch (thrown) {
      if (!signal.aborted) this.#pacing.failed(since);
      throw thrown;
    } finally {
      forget();
      if (connection) this.#negotiating.delete(connection.id);
    }
  }

  peer(descriptions: readonly RtcDescription[]): void {
    for (const description of descriptions) {
      const connection = description.kind === 'answer' ? this.#negotiating.get(description.id) : undefined;
      if (!connection) continue;
      if (!connection.answered && connection === this.#ahead?.connection) this.#watch(connection);
      void connection.hear(description);
    }
  }

  /** The network has changed. What did not work may work now, and an offer may not work any more. */
  again(): void {
    this.#pacing.reset();
    this.#drop();
  }

  close(): void {
    this.#over = true;
    this.#claim();
    for (const connection of [...this.#negotiating.values()]) connection.close();
  }

  /** What was made ahead, if it is still good. */
  #pending(): Ahead | undefined {
    const connection = this.#ahead?.connection;
    const stale = this.#ahead && performance.now() - this.#ahead.at > STALE_MS && !connection?.answered;
    if (stale || connection?.over) this.#drop();
    return this.#ahead;
  }

  #drop(): void {
    this.#ahead?.offer.then((connection) => connection.close()).catch(() => {});
    this.#claim();
  }

  #claim(): void {
    this.#ahead = undefined;
    this.#unclaimed.clear();
  }

  /** The sender has answered an offer that no lane uses yet. It must not stay open for ever. */
  #watch(connection: Connection): void {
    connection.within(LANE_OPEN_DEADLINE);
    const opened = () => {
      if (this.#ahead?.connection === connection) this.#unclaimed.set(LANE_OPEN_DEADLINE, () => this.#drop());
    };
    connection.opened.then(opened).catch(() => {});
  }

  /** Resolves once there is something to tell. */
  async #offer(): Promise<Connection> {
    if (this.#making + this.#negotiating.size >= MAX_RTC) throw fault('WEBRTC_FULL', { most: MAX_RTC });
    this.#making++;
    const made = await this.#fresh(({ id }) => this.#negotiating.delete(id)).finally(() => this.#making--);
    if (!made) throw fault('WEBRTC_MISSING');
    this.#negotiating.set(made.id, made);
    if (this.#over) made.close();
    made.within(LANE_OPEN_DEADLINE);
    void made.offer();
    await made.described;
    // The other side may take its time until a lane is asked for.
    made.within(undefined);
    return made;
  }
}
