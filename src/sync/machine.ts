/**
 * The states of a transfer as users know them, in one typed table. No I/O: `step` says what comes next and what to
 * do about it; the peer layer does it. docs/states.md is generated from this table and checked by a test.
 */

export type State =
  | 'idle'
  | 'connecting'
  | 'authenticating'
  | 'transferring'
  | 'paused'
  | 'completed'
  | 'failed'
  | 'cancelled';

export type Event =
  | 'start' // the person or program began
  | 'peer-found' // the other side is at the rendezvous, for the first time or again
  | 'peer-left' // it went away before it was known to be the right one
  | 'lane-up' // the first authenticated lane carries messages
  | 'lanes-lost' // the last lane died
  | 'peer-ended' // the other side's process said that it ends, and may be started again
  | 'pause'
  | 'resume'
  | 'verified' // both roots are equal
  | 'cancel'
  | 'fail';

/** What the peer layer does on a transition. */
export type Effect =
  | 'meet' // be at the rendezvous
  | 'open-lanes' // dial and listen, for as long as the person will wait
  | 'run' // ask for (or serve) chunks
  | 'rest' // stop asking and serving
  | 'tell-peer' // send a status on every lane
  | 'finish' // report done and close
  | 'stop'; // report the error and close

export interface Transition {
  readonly to: State;
  readonly effects: readonly Effect[];
}

type Table = { readonly [S in State]: { readonly [E in Event]?: Transition } };

const to = (state: State, ...effects: Effect[]): Transition => ({ to: state, effects });
const fail = to('failed', 'tell-peer', 'stop');
const cancel = to('cancelled', 'tell-peer', 'stop');

export const TABLE: Table = {
  idle: {
    start: to('connecting', 'meet'),
    cancel: to('cancelled', 'stop'),
    fail: to('failed', 'stop'),
  },
  connecting: {
    'peer-found': to('authenticating'),
    'lane-up': to('transferring', 'run'),
    // Both have everything, and the lane that brought the last word died.
    verified: to('completed', 'finish'),
    fail,
    cancel,
  },
  authenticating: {
    'peer-left': to('connecting', 'meet'),
    // It was proven, and said so before any lane was open.
    'peer-ended': to('connecting', 'meet'),
    'lane-up': to('transferring', 'run'),
    // As when connecting, and somebody has just come to the rendezvous.
    verified: to('completed', 'finish'),
    fail,
    cancel,
  },
  transferring: {
    pause: to('paused', 'rest', 'tell-peer'),
    'lanes-lost': to('connecting', 'open-lanes'),
    'peer-ended': to('connecting', 'open-lanes'),
    verified: to('completed', 'finish'),
    fail,
    cancel,
  },
  paused: {
    resume: to('transferring', 'run', 'tell-peer'),
    'lanes-lost': to('connecting', 'open-lanes'),
    'peer-ended': to('connecting', 'open-lanes'),
    // Paused when nothing was left to move.
    verified: to('completed', 'finish'),
    fail,
    cancel,
  },
  completed: {},
  failed: {},
  cancelled: {},
};

/** The next state and what to do, or undefined where the event means nothing in this state. */
export function step(state: State, event: Event): Transition | undefined {
  return TABLE[state][event];
}

/** True for states that nothing leaves. */
export function isFinal(state: State): boolean {
  return Object.keys(TABLE[state]).length === 0;
}

/** The table as a Mermaid state diagram, for docs/states.md. */
export function diagram(): string {
  const lines = ['stateDiagram-v2', '  [*] --> idle'];
  for (const [state, row] of Object.entries(TABLE)) {
    for (const [event, next] of Object.entries(row)) {
      const effects = next.effects.length > 0 ? ` / ${next.effects.join(', ')}` : '';
      lines.push(`  ${state} --> ${next.to}: ${event}${effects}`);
    }
    if (isFinal(state as State)) lines.push(`  ${state} --> [*]`);
  }
  return lines.join('\n');
}
