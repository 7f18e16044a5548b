/** A sender's several receivers, from its events: each by its number, and all together. Pure: every event makes a new value. */
import { CHOSEN, type Reason, type State, type TransferEvent } from '../../src/browser/light.ts';
import { say } from '../words/index.ts';
import { percentage } from '../words/numbers.ts';
import { longer } from './history.ts';
import { begun, next, percent, STILL, type TransferShown, warned } from './running.ts';

/** How many have it, or 'any': whoever comes. */
export type Wanted = number | 'any';

export interface ReceiverShown {
  readonly peer: number;
  /** As if there were no other. */
  readonly shown: TransferShown;
  readonly ended?: Extract<TransferEvent, { event: 'ended' }>;
}

export interface SeveralShown {
  readonly wanted: Wanted;
  readonly receivers: ReadonlyMap<number, ReceiverShown>;
  /** With those that are forgotten. */
  readonly done: number;
  /** Those who ended without everything by a choice of somebody, who are not waited for again. */
  readonly declined: number;
  /** The person here lets nobody else in, or nobody can come: the code is of no more use. */
  readonly closed: boolean;
  /** Bytes that have gone out, to all together. */
  readonly up: number;
}

/** Receivers that are shown. Of more, those that came first and have ended are forgotten, but counted. */
const MOST_ROWS = 200;
/** With these it is over for all who are not here yet. */
const CLOSING: ReadonlySet<Reason | undefined> = new Set<Reason>([
  'TIME_UP',
  'CODE_GUESSED_OUT',
  'PLACE_LOST',
]);
/** The first of these that some receiver is in is the state of the whole. */
const FURTHEST: readonly State[] = ['transferring', 'paused', 'authenticating', 'connecting'];

export function begunFor(wanted: Wanted): TransferShown {
  const several = { wanted, receivers: new Map(), done: 0, declined: 0, closed: false, up: 0 };
  return { ...begun('send'), several };
}

export function nextOfAll(running: TransferShown, event: TransferEvent): TransferShown {
  const { several } = running;
  if (!several) return next(running, event);
  if (event.event === 'done') return ended(running, event, 'completed');
  if (event.event === 'error')
    return ended(running, event, event.code === 'CANCELLED' ? 'cancelled' : 'failed');
  if (event.event === 'swarm') return { ...running, several: { ...several, up: event.up } };
  const peer = 'peer' in event ? event.peer : undefined;
  const known = peer === undefined ? undefined : several.receivers.get(peer);
  // Who had everything before and comes once more has a row already, unless it turns out to count.
  if (event.event === 'peer' && event.again) return running;
  if (peer === undefined || (!known && event.event !== 'peer' && event.event !== 'ended')) {
    // The first session waits for its receiver, and is nobody's yet. Later this is about one that is forgotten.
    if (peer !== undefined && several.receivers.size > 0) return running;
    const now = next(running, event);
    return event.event === 'warning' && CLOSING.has(event.reason) ? closed(now) : now;
  }
  if (event.event === 'warning') return warned(running, { ...event, receiver: peer });
  const { contents = undefined, total } = running;
  const before = known ?? { peer, shown: { ...begun('send'), contents, total: contents?.bytes ?? total } };
  const receivers = new Map(several.receivers);
  const shown = next(before.shown, event);
  if (event.event === 'ended' && event.again) return running;
  receivers.set(peer, { ...before, shown, ...(event.event === 'ended' && { ended: event }) });
  forget(receivers);
  const now = { ...several, receivers };
  if (event.event === 'ended' && event.ok) now.done++;
  if (event.event === 'ended' && CHOSEN.has(event.code ?? '')) now.declined++;
  return together(running, now);
}

/** Nobody new is let in. */
export function closed(running: TransferShown): TransferShown {
  return running.several ? together(running, { ...running.several, closed: true }) : running;
}

/** More can come: the code is of use. */
export function open({ wanted, receivers, done, declined, closed }: SeveralShown): boolean {
  if (closed || wanted === 'any') return !closed;
  const here = [...receivers.values()].filter(({ ended }) => !ended).length;
  return done + declined + here < wanted;
}

/** Those who have not ended. */
export function underWay({ receivers }: SeveralShown): ReceiverShown[] {
  return [...receivers.values()].filter(({ ended }) => !ended);
}

function forget(receivers: Map<number, ReceiverShown>): void {
  for (const [peer, { ended }] of receivers) {
    if (receivers.size <= MOST_ROWS) return;
    if (ended) receivers.delete(peer);
  }
}

function ended(running: TransferShown, event: TransferEvent, state: State): TransferShown {
  const all = [...running.several!.receivers.values()];
  // If nobody came, or one was cancelled from here, it was the person here.
  const self =
    all.length === 0 || all.some(({ shown }) => shown.state === 'cancelled' && shown.by === 'self');
  return { ...next(running, event), ...STILL, state, by: self ? 'self' : 'peer', reason: undefined };
}

/** All receivers as if they were one. */
function together(running: TransferShown, several: SeveralShown): TransferShown {
  const { wanted, receivers } = several;
  const each = running.contents?.bytes ?? null;
  const now = { bytes: 0, rate: 0, resumed: 0, eta: null as number | null, moving: false, connected: false };
  const byKind: Record<string, number> = {};
  const lanes = new Map<number, { kind: string; relayed: boolean }>();
  const states = new Set<State>();
  let counted = 0;
  for (const { peer, shown, ended } of receivers.values()) {
    now.connected ||= shown.connected;
    now.moving ||= shown.moving;
    // One that failed adds nothing to the sum.
    if (ended && !ended.ok) continue;
    counted++;
    now.bytes += ended ? ended.bytes : shown.bytes;
    if (ended) continue;
    states.add(shown.state);
    now.rate += shown.rate;
    if (shown.eta !== null) now.eta = Math.max(now.eta ?? 0, shown.eta);
    for (const [id, lane] of shown.lanes) lanes.set(peer * 1_000_000 + id, lane);
    for (const [kind, rate] of Object.entries(shown.byKind)) byKind[kind] = (byKind[kind] ?? 0) + rate;
  }
  const many = wanted === 'any' || several.closed ? counted : wanted;
  const state = FURTHEST.find((one) => states.has(one)) ?? 'connecting';
  const history = now.rate > 0 ? longer(running.history, now.rate) : running.history;
  const total = each === null ? null : each * many;
  return { ...running, ...now, state, byKind, lanes, several, history, total };
}

/** A receiver's share of it, as a person reads it. */
export function standing({ shown, ended }: ReceiverShown): string {
  const { state, moving, connected } = shown;
  if (ended) return say(ended.ok ? 'standing.done' : (ENDED[ended.code ?? ''] ?? 'standing.failed'));
  if (state === 'paused') return say('standing.paused');
  if (state !== 'transferring') return say(connected ? 'standing.again' : 'standing.connecting');
  return moving ? percentage(percent(shown) ?? 0) : say('standing.waiting');
}

const ENDED: Readonly<Record<string, 'standing.declined' | 'standing.cancelled' | 'standing.stopped'>> = {
  REFUSED: 'standing.declined',
  CANCELLED: 'standing.cancelled',
  INTERRUPTED: 'standing.stopped',
};

/** '2 of 3 have it.', '1 has it.' */
export function haveIt({ wanted, done }: SeveralShown): string {
  return wanted === 'any' ? say('several.have', { n: done }) : say('several.haveOf', { n: done, wanted });
}
