/**
 * The sender's end of relayed lanes. Nobody can dial it, so it keeps one connection waiting at the server, and the next as
 * soon as that one is taken.
 */
import { asBeelineError } from '../../base/errors.ts';
import { FIRST_PAUSE, FRESH, jittered, LONGEST_FRESH_PAUSE } from '../../base/pauses.ts';
import type { Connect, Link, Linked } from './link.ts';

/** All in milliseconds. */
const LONGEST_PAUSE = 10_000;
/** A connection that waited this long was a good one, and the next pause is short again. */
const STABLE = 10_000;
/** Connections in use at once; the server's own limit is higher. */
const MOST = 8;

export interface RelayListenerOptions {
  /** The present one; undefined while this side has no place at the server. */
  token: () => string | undefined;
  /** What secures a link gives the pipe to whom it may concern. */
  connect: Connect<void>;
  /** Connections in use at once; default 8. */
  most?: number;
  log?: { debug(fields: object, message: string): void };
}

export class RelayListener {
  readonly #options: RelayListenerOptions;
  readonly #life = new AbortController();
  readonly #links = new Set<Link>();
  /** Aborted to begin anew at once. */
  #round = new AbortController();
  #pause = FIRST_PAUSE;
  /** `performance.now()` since which nothing has worked. */
  #failing = Infinity;
  /** Ends the wait for the next step, if there is one. */
  #wake = () => {};

  constructor(options: RelayListenerOptions) {
    this.#options = options;
    void this.#run();
  }

  /** The network or the token has changed: what waits may be dead, so another is opened in its place at once. */
  refresh(): void {
    this.#works();
    this.#round.abort();
    this.#wake();
  }

  /** Ends everything that came in through it, too. */
  close(): void {
    this.#life.abort();
    this.refresh();
    for (const link of this.#links) link.destroy();
  }

  async #run(): Promise<void> {
    const { connect, token, most = MOST, log } = this.#options;
    while (!this.#life.signal.aborted) {
      this.#round = new AbortController();
      const shown = token();
      // A place that opens, a token that comes: both call `refresh` or `#wake`.
      if (!shown || this.#links.size >= most) {
        await this.#rest(LONGEST_PAUSE);
        continue;
      }
      const began = performance.now();
      const { signal } = this.#round;
      try {
        const linked = await connect(shown, signal);
        this.#works();
        this.#taken(linked);
      } catch (thrown) {
        if (signal.aborted) continue;
        log?.debug({ reason: asBeelineError(thrown).message }, 'waiting at the relay failed');
        const now = performance.now();
        if (now - began >= STABLE) this.#works();
        this.#failing = Math.min(this.#failing, now);
        await this.#rest(jittered(this.#pause));
        const fresh = performance.now() - this.#failing < FRESH;
        this.#pause = Math.min(2 * this.#pause, fresh ? LONGEST_FRESH_PAUSE : LONGEST_PAUSE);
      }
    }
  }

  #works(): void {
    this.#pause = FIRST_PAUSE;
    this.#failing = Infinity;
  }

  #rest(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
      if (this.#round.signal.aborted) this.#wake();
    });
  }

  #taken({ link, secure }: Linked<void>): void {
    if (this.#life.signal.aborted) return link.destroy();
    const { log } = this.#options;
    this.#links.add(link);
    void link.gone.then(() => {
      const full = this.#links.size >= (this.#options.most ?? MOST);
      this.#links.delete(link);
      if (full) this.#wake();
    });
    secure(this.#life.signal).catch((thrown) => {
      link.destroy();
      log?.debug({ reason: asBeelineError(thrown).message }, 'a relayed lane failed');
    });
  }
}
