/** The receiver's connections: each lane that is opened is an offer, which the sender answers. Pure. */
import { fault } from '../../base/errors.ts';
import { LANE_OPEN_DEADLINE, MAX_RTC } from '../../base/limits.ts';
import type { Pipe } from '../../secure/pipe.ts';
import type { RtcDescription } from '../../wire/rtc.ts';
import type { Connection } from './connection.ts';
import { Pacing } from './pacing.ts';

/** Milliseconds after which an offer that nobody answered is not used any more: NATs may have forgotten it (RFC 4787, REQ-5). */
const STALE = 90_000;

/** Makes a connection that nothing has been said of yet; undefined where there is no WebRTC. `ended` is called at its end. */
export type Fresh = (ended: (connection: Connection) => void) => Promise<Connection | undefined>;

interface Ahead {
  offer: Promise<Connection>;
  at: number;
  connection?: Connection;
}

export class Offers {
  readonly #fresh: Fresh;
  readonly #negotiating = new Map<string, Connection>();
  #making = 0;
  readonly #pacing = new Pacing();
  /** Made before it was needed. */
  #ahead: Ahead | undefined;
  #unclaimed: ReturnType<typeof setTimeout> | undefined;
  #over = false;

  constructor(fresh: Fresh) {
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
    const stopped = fault('LANE_OUTPACED');
    let connection: Connection | undefined;
    const abort = () => connection?.close(stopped);
    signal.addEventListener('abort', abort);
    try {
      connection = await offer;
      connection.within(LANE_OPEN_DEADLINE);
      if (signal.aborted) abort();
      const pipe = await connection.opened;
      this.#pacing.reset();
      return pipe;
    } catch (thrown) {
      if (!signal.aborted) this.#pacing.failed(since);
      throw thrown;
    } finally {
      signal.removeEventListener('abort', abort);
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

  /** The network has changed: what did not work may do so now, and what was offered may not. */
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
    const stale = this.#ahead && performance.now() - this.#ahead.at > STALE && !connection?.answered;
    if (stale || connection?.over) this.#drop();
    return this.#ahead;
  }

  #drop(): void {
    this.#ahead?.offer.then((connection) => connection.close()).catch(() => {});
    this.#claim();
  }

  #claim(): void {
    this.#ahead = undefined;
    clearTimeout(this.#unclaimed);
  }

  /** The sender has answered what nobody here has taken yet: it must not stay open for ever. */
  #watch(connection: Connection): void {
    connection.within(LANE_OPEN_DEADLINE);
    const opened = () => {
      if (this.#ahead?.connection === connection)
        this.#unclaimed = setTimeout(() => this.#drop(), LANE_OPEN_DEADLINE);
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
