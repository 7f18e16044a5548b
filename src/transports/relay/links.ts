/**
 * Both ends of relayed lanes, whatever opens a link (a connection through a server's relay to the other side) and secures it.
 * Pure.
 */
import { Alarm, onAbort, realClock, sleep, withDeadline } from '../../base/clock.ts';
import { asBeelineError, type BeelineError, fault, faultFrom } from '../../base/errors.ts';
import { LANE_OPEN_DEADLINE } from '../../base/limits.ts';
import { FIRST_PAUSE, FRESH, jittered, LONGEST_FRESH_PAUSE } from '../../base/pauses.ts';
import type { Pipe } from '../../secure/pipe.ts';
import { authorityOf, serviceUrl } from '../../websocket/url.ts';
import type { RelaySeat } from '../../wire/relay.ts';
import { RELAY_PATH } from '../../wire/rendezvous.ts';
import type { Path } from '../path.ts';

/** Before the link is secured. */
export interface Link {
  /** Why the relay ended it, where it said so. */
  readonly failure: BeelineError | undefined;
  /** Resolves when it is closed, for whatever reason. */
  readonly gone: Promise<void>;
  destroy(): void;
}

/** A link, and how the two that it links prove themselves to each other. */
interface Linked<T> {
  link: Link;
  /** Within its own deadline. Destroys the link if it fails. @throws BeelineError */
  secure(signal: AbortSignal): Promise<T>;
}

/**
 * Resolves when the server has paired it with a connection of the other side's; that may take as long as the signal lets it.
 */
export type RelayConnect<T> = (seat: RelaySeat, signal: AbortSignal) => Promise<Linked<T>>;

export function connector<L extends Link, T>(
  open: (seat: RelaySeat, signal: AbortSignal) => Promise<L>,
  secure: (link: L, signal: AbortSignal) => Promise<T>,
): RelayConnect<T> {
  return async (seat, signal) => {
    const link = await open(seat, signal);
    return { link, secure: (until) => secure(link, until) };
  };
}

/** The error of the securing layer says only that the link has closed. The relay's own reason replaces it. */
export function withReason(pipe: Pipe, link: Link): Pipe {
  return {
    kind: pipe.kind,
    ...(pipe.relayed && { relayed: true }),
    local: pipe.local,
    remote: pipe.remote,
    write: (bytes, done) => pipe.write(bytes, done),
    start: (data, closed) => pipe.start(data, (error) => closed(link.failure ?? error)),
    pause: () => pipe.pause(),
    resume: () => pipe.resume(),
    destroy: (error) => pipe.destroy(error),
  };
}

/** Lanes of a path at once: one TCP connection through a relay is slow only where the way to it loses packets. */
const MOST_LANES = 4;

/** A connection made ahead can be used for so long: the sender's end waits LANE_OPEN_DEADLINE for the handshake. */
const AHEAD_MS = 5_000;

export interface RelayPathOptions {
  /** As for `--server`. */
  url: string;
  /** The present one; undefined while this side has no place at the server. */
  seat: () => RelaySeat | undefined;
  connect: RelayConnect<Pipe>;
}

/** The receiver's end: dialled at the server, like any other path. */
export class RelayPath implements Path {
  readonly kind = 'relay';
  readonly name: string;
  readonly most = MOST_LANES;
  readonly #options: RelayPathOptions;
  #ahead: { linked: Promise<Linked<Pipe>>; control: AbortController } | undefined;
  readonly #stale = new Alarm(realClock);

  /** @throws BeelineError USAGE for a malformed URL */
  constructor(options: RelayPathOptions) {
    this.#options = options;
    this.name = authorityOf(serviceUrl(options.url, RELAY_PATH));
  }

  /**
   * Connects to the sender's end now, while the two still prove themselves to each other, so that the handshake can begin as
   * soon as a relay turns out to be needed. Let go again if it is not.
   */
  prepare(): void {
    const { seat, connect } = this.#options;
    const shown = seat();
    if (this.#ahead || !shown) return;
    const control = new AbortController();
    const linked = connect(shown, control.signal);
    const ahead = { linked, control };
    this.#ahead = ahead;
    this.#stale.set(AHEAD_MS, () => this.close());
    const gone = () => {
      if (this.#ahead === ahead) this.close();
    };
    linked.then(({ link }) => void link.gone.then(gone), gone);
  }

  /** Lets go of what was prepared. */
  close(): void {
    const ahead = this.#take();
    ahead?.control.abort();
    ahead?.linked.then(({ link }) => link.destroy()).catch(() => {});
  }

  #take() {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    this.#stale.clear();
    return ahead;
  }

  async open(signal: AbortSignal): Promise<Pipe> {
    const { seat, connect } = this.#options;
    const shown = seat();
    if (!shown) throw fault('RELAY_NO_PLACE');
    const ahead = this.#take();
    // One deadline for all steps. They only see its signal.
    const late = () => fault('RELAY_LANE_LATE');
    try {
      return await withDeadline(realClock, signal, LANE_OPEN_DEADLINE, late, async (scope) => {
        onAbort(scope, () => ahead?.control.abort());
        const { link, secure } = await (ahead?.linked ?? connect(shown, scope));
        return withReason(await secure(scope), link);
      });
    } catch (thrown) {
      if (signal.aborted) throw fault('LANE_OUTPACED');
      const error = faultFrom(thrown, 'RELAY_LANE_BROKEN');
      const kept = error.code === 'AUTHENTICATION' || error.code === 'TIMEOUT' || error.code === 'NO_PATH';
      throw kept ? error : fault('RELAY_LANE_BROKEN', { why: error.message }, { cause: error });
    }
  }
}

const LONGEST_PAUSE_MS = 10_000;
/** A connection that waited this long was a good one, and the next pause is short again. */
const STABLE_MS = 10_000;
/** Connections in use at once; the server's own limit is higher. */
const MOST = 8;

export interface RelayListenerOptions {
  /** The present one; undefined while this side has no place at the server, or waits for no guest in particular. */
  seat: () => RelaySeat | undefined;
  /** Securing a link also hands the pipe to its owner. */
  connect: RelayConnect<void>;
  /** Connections in use at once; default 8. */
  most?: number;
  log?: { debug(fields: object, message: string): void };
}

/**
 * The sender's end. Nobody can dial it, so it keeps one connection waiting at the server, and the next as soon as that one is
 * taken.
 */
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

  /** The network or the seat has changed. The waiting connection may be dead, so another replaces it at once. */
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
    const { connect, seat, most = MOST, log } = this.#options;
    while (!this.#life.signal.aborted) {
      this.#round = new AbortController();
      const shown = seat();
      // When a link ends or a seat comes, `#wake` or `refresh` is called.
      if (!shown || this.#links.size >= most) {
        await this.#rest(LONGEST_PAUSE_MS);
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
        if (now - began >= STABLE_MS) this.#works();
        this.#failing = Math.min(this.#failing, now);
        await this.#rest(jittered(this.#pause));
        const fresh = performance.now() - this.#failing < FRESH;
        this.#pause = Math.min(2 * this.#pause, fresh ? LONGEST_FRESH_PAUSE : LONGEST_PAUSE_MS);
      }
    }
  }

  #works(): void {
    this.#pause = FIRST_PAUSE;
    this.#failing = Infinity;
  }

  #rest(milliseconds: number): Promise<void> {
    const woken = new AbortController();
    this.#wake = () => woken.abort();
    if (this.#round.signal.aborted) this.#wake();
    return sleep(realClock, milliseconds, woken.signal).catch(() => {});
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
