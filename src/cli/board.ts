/** What is known of each of several receivers, from their sender's events: for the display, the sentences and the metrics. */
import type { State, TransferEvent } from '../node/api.ts';
import { CHOSEN } from '../session/meaning.ts';
import { groups } from './format.ts';
import { type Swarm, Tracker } from './tracker.ts';

export type Standing = 'connecting' | 'asked' | 'receiving' | 'paused' | 'away' | 'done' | 'failed';

export const STANDINGS: readonly Standing[] = [
  ...(['connecting', 'asked', 'receiving', 'paused', 'away', 'done', 'failed'] as const),
];
/** Receivers that are remembered. Of more, those that came first and have ended are forgotten, but counted. */
const MOST_ROWS = 1000;
/** With these it is over for all who are not here yet. */
const CLOSING: ReadonlySet<string | undefined> = new Set(['TIME_UP', 'CODE_GUESSED_OUT', 'PLACE_LOST']);
/** The first of these that some receiver is in is the state of the whole. */
const FURTHEST: readonly State[] = ['transferring', 'paused', 'authenticating', 'connecting'];

/** A receiver for people: a trusted device's name, or so much of the fingerprint as they compare. */
export function labelOf({ name, fingerprint }: { name?: string | undefined; fingerprint: string }): string {
  return name ?? groups(fingerprint);
}

/** One receiver. */
export class Row {
  readonly peer: number;
  readonly view = new Tracker();
  fingerprint = '';
  name: string | undefined;
  ended: { ok: boolean; seconds: number; message: string } | undefined;
  #wasConnected = false;

  constructor(peer: number) {
    this.peer = peer;
  }

  apply(event: TransferEvent): void {
    this.view.apply(event);
    if (event.event === 'state' && event.to === 'transferring') this.#wasConnected = true;
    if (event.event !== 'peer' && event.event !== 'ended') return;
    this.fingerprint = event.fingerprint;
    this.name = event.name ?? this.name;
    if (event.event !== 'ended') return;
    const { ok, seconds, bytes, message = '' } = event;
    this.ended = { ok, seconds, message };
    this.view.bytes = bytes;
    this.view.rate = 0;
    this.view.lanes.clear();
  }

  get label(): string {
    return labelOf(this);
  }

  get standing(): Standing {
    if (this.ended) return this.ended.ok ? 'done' : 'failed';
    const { state, bytes } = this.view;
    if (state === 'paused') return 'paused';
    if (state === 'transferring') return bytes > 0 ? 'receiving' : 'asked';
    return this.#wasConnected ? 'away' : 'connecting';
  }
}

export class Board {
  readonly wanted: number | 'any';
  /** By the number of the receiver. */
  readonly rows = new Map<number, Row>();
  done = 0;
  /** Their persons did not want it: nobody else comes in their place. */
  declined = 0;
  /** Nobody new can come. */
  closed = false;
  #failed = 0;
  #swarm: Swarm | undefined;
  #manifest: TransferEvent | undefined;

  constructor(wanted: number | 'any') {
    this.wanted = wanted;
  }

  apply(event: TransferEvent): void {
    if (event.event === 'manifest') this.#manifest = event;
    if (event.event === 'swarm') this.#swarm = event;
    if (event.event === 'warning' && CLOSING.has(event.reason)) this.closed = true;
    if (!('peer' in event) || event.peer === undefined) return;
    const known = this.rows.get(event.peer);
    // One that has had everything before has a row already. Only if it counts after all, it gets another.
    if ((event.event === 'peer' || event.event === 'ended') && event.again) return;
    // The first session waits for its receiver, and is nobody's yet.
    if (!known && event.event !== 'peer' && event.event !== 'ended') return;
    const row = known ?? this.#begin(event.peer);
    row.apply(event);
    if (event.event !== 'ended') return;
    if (event.ok) this.done++;
    else this.#failed++;
    if (CHOSEN.has(event.code ?? '')) this.declined++;
  }

  /** Bytes of the offer that have gone out, to all together. */
  get out(): number {
    return this.#swarm?.up ?? 0;
  }

  #begin(peer: number): Row {
    const row = new Row(peer);
    if (this.#manifest) row.apply(this.#manifest);
    this.rows.set(peer, row);
    for (const [old, { ended }] of this.rows) {
      if (this.rows.size <= MOST_ROWS) break;
      if (ended) this.rows.delete(old);
    }
    return row;
  }

  /** How many receivers have each standing, with those that are forgotten. */
  get counts(): Readonly<Record<Standing, number>> {
    const counts = Object.fromEntries(STANDINGS.map((name) => [name, 0])) as Record<Standing, number>;
    for (const row of this.rows.values()) counts[row.standing]++;
    return { ...counts, done: this.done, failed: this.#failed };
  }

  /** All receivers as if they were one: bytes, rates and lanes are sums. */
  get whole(): Tracker {
    const whole = new Tracker();
    if (this.#manifest) whole.apply(this.#manifest);
    const each = whole.total;
    const states = new Set<State>();
    const by: Record<string, number> = {};
    for (const { peer, view, standing } of this.rows.values()) {
      // A receiver that failed adds nothing to the sum.
      if (standing === 'failed') continue;
      whole.bytes += view.bytes;
      whole.resumed += view.resumed;
      whole.rate += view.rate;
      whole.files += view.files;
      if (standing !== 'done') states.add(view.state);
      for (const [id, lane] of view.lanes) whole.lanes.set(peer * 1_000 + id, lane);
      for (const [kind, rate] of Object.entries(view.by)) by[kind] = (by[kind] ?? 0) + rate;
    }
    whole.by = by;
    whole.swarm = this.#swarm;
    const many =
      this.wanted === 'any' || this.closed
        ? this.rows.size - this.counts.failed
        : this.wanted - this.declined;
    whole.total = each === undefined ? undefined : each * many;
    whole.fileCount = whole.fileCount === undefined ? undefined : whole.fileCount * many;
    const going = FURTHEST.find((state) => states.has(state));
    const finished = this.wanted !== 'any' && this.done >= this.wanted;
    whole.state = going ?? (finished ? 'completed' : 'connecting');
    return whole;
  }
}
