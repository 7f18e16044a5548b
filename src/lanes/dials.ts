/**
 * The known paths and the dials under way on them. Paths of a kind without a lane are all dialled at once (RFC 8305 in
 * spirit); once one has authenticated, more lanes go where it went. A path that fails is tried again later and later.
 */
import type { Clock } from '../base/clock.ts';
import type { Pipe } from '../secure/pipe.ts';
import type { Opened, Path } from '../transports/path.ts';

const FIRST_BACKOFF_MS = 200;
const MAX_BACKOFF_MS = 5000;
/** While other lanes carry, a path that does not work is not worth more. */
const IDLE_BACKOFF_MS = 15_000;
/** A first lane over TCP that is not up by then is dialled a second time beside the first: a packet lost in a handshake costs a second. */
const AGAIN_MS = 400;

interface State {
  path: Path;
  lanes: number;
  dialling: Set<AbortController>;
  backoff: number;
  /** The clock's time when the only dial under way was begun. */
  begun: number;
  /** A second dial went beside the first one: one lane is all that both are for. */
  twin: boolean;
  /** The clock's time before which it is not tried again. */
  next: number;
  /** Its last try failed while other lanes carried. */
  idle: boolean;
}

export class Dials {
  #states = new Map<string, State>();
  readonly #clock: Clock;
  readonly #opened: (pipe: Pipe, path: Path) => void;
  readonly #failed: (path: Path, error: unknown) => void;

  constructor(
    clock: Clock,
    opened: (pipe: Pipe, path: Path) => void,
    failed: (path: Path, error: unknown) => void,
  ) {
    this.#clock = clock;
    this.#opened = opened;
    this.#failed = failed;
  }

  get paths(): Path[] {
    return [...this.#states.values()].map(({ path }) => path);
  }

  /** Replaces what is known. A path that stays keeps its lanes, but is worth a new try at once. */
  replace(paths: readonly Path[]): void {
    const before = this.#states;
    this.#states = new Map();
    for (const path of paths) {
      const fresh = { path, lanes: 0, dialling: new Set<AbortController>(), begun: 0, twin: false };
      const known = before.get(keyOf(path)) ?? fresh;
      this.#states.set(
        keyOf(path),
        Object.assign(known, { path, backoff: FIRST_BACKOFF_MS, next: 0, idle: false }),
      );
    }
    for (const [key, state] of before) if (!this.#states.has(key)) cancel(state);
  }

  has(path: Path): boolean {
    return this.#states.has(keyOf(path));
  }

  /** A lane that would be in a thread if it were opened now. */
  outdated(lane: Opened): boolean {
    return this.paths.some((path) => path.kind === lane.kind && path.outdated?.(lane));
  }

  /** Dials of a kind that are under way. */
  under(kind: string): number {
    let sum = 0;
    for (const { path, dialling } of this.#states.values()) if (path.kind === kind) sum += dialling.size;
    return sum;
  }

  /**
   * Dials for `missing` more lanes of a kind that has `live` ones. False if the live ones came from the other side, and only it can open more.
   * @param calm other lanes carry
   * @param tcp a dial is TCP's handshake, which waits for a second where a packet is lost; others repeat by themselves, and sooner
   */
  open({ kind, tcp }: { kind: string; tcp: boolean }, live: number, missing: number, calm: boolean): boolean {
    const now = this.#clock.now();
    const all = [...this.#states.values()].filter(({ path }) => path.kind === kind);
    // No other lanes carry any more: these paths wait no longer.
    if (!calm)
      for (const state of all)
        if (state.idle) Object.assign(state, { backoff: FIRST_BACKOFF_MS, next: 0, idle: false });
    const ready = all.filter(
      ({ next, path, lanes, dialling }) => now >= next && lanes + dialling.size < path.most,
    );
    if (live === 0) {
      const open = ready.filter(({ path }) => path.ready);
      for (const state of open.length > 0 ? open : ready) {
        const late = tcp && !calm && state.dialling.size === 1 && now - state.begun >= AGAIN_MS;
        if (state.dialling.size > 0 && !late) continue;
        state.twin = late;
        this.#dial(state, calm);
      }
    } else {
      let left = missing - this.under(kind);
      // A path that has a lane can take another. One without may be a second way of the same kind, so it comes later.
      const best = ready.sort((a, b) => Math.sign(b.lanes) - Math.sign(a.lanes));
      const proven = best.filter(({ lanes, path }) => lanes > 0 || path.most === 1);
      for (const state of proven)
        for (
          let room = state.path.most - state.lanes - state.dialling.size;
          room > 0 && left > 0;
          room--, left--
        )
          this.#dial(state, calm);
    }
    return all.some(({ dialling, lanes }) => lanes > 0 || (live === 0 && dialling.size > 0));
  }

  /** A lane came up on a path: other tries for the first one of this kind, on the same path too, are not needed. */
  won(path: Path): void {
    const own = this.#states.get(keyOf(path));
    if (own) {
      own.lanes++;
      own.backoff = FIRST_BACKOFF_MS;
      if (own.twin) cancel(own);
    }
    if (path.most === 1) return;
    for (const state of this.#states.values())
      if (state !== own && state.path.kind === path.kind && state.lanes === 0) cancel(state);
  }

  lost(path: Path): void {
    const state = this.#states.get(keyOf(path));
    if (!state) return;
    state.lanes = Math.max(0, state.lanes - 1);
    // Lanes that die together are one loss.
    state.next = Math.max(state.next, this.#clock.now() + FIRST_BACKOFF_MS);
  }

  /** The path works, but its lanes come up too often. */
  rest(path: Path): void {
    const state = this.#states.get(keyOf(path));
    if (state) state.next = this.#clock.now() + MAX_BACKOFF_MS;
  }

  cancel(kind: string): void {
    for (const state of this.#states.values()) if (state.path.kind === kind) cancel(state);
  }

  close(): void {
    for (const state of this.#states.values()) cancel(state);
    this.#states.clear();
  }

  #dial(state: State, calm: boolean): void {
    const { path } = state;
    const control = new AbortController();
    if (state.dialling.size === 0) state.begun = this.#clock.now();
    state.dialling.add(control);
    path.open(control.signal).then(
      (pipe) => {
        state.dialling.delete(control);
        if (control.signal.aborted || !this.has(path)) pipe.destroy();
        else this.#opened(pipe, path);
      },
      (error: unknown) => {
        state.dialling.delete(control);
        if (control.signal.aborted) return;
        state.idle = calm;
        state.next = this.#clock.now() + state.backoff;
        state.backoff = Math.min(calm ? IDLE_BACKOFF_MS : MAX_BACKOFF_MS, state.backoff * 2);
        this.#failed(path, error);
      },
    );
  }
}

function keyOf({ kind, name }: Path): string {
  return `${kind} ${name}`;
}

function cancel(state: State): void {
  for (const control of state.dialling) control.abort();
  state.dialling.clear();
  state.twin = false;
}
