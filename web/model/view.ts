/** What the page can show: one value, and what follows from it. Pure. */
import type { Item, Kept, NearDevice, OfferSummary, OwnPair, PageDevice } from '../../src/browser/light.ts';
import type { TransferShown } from './running.ts';
import { underWay } from './several.ts';

/** How something kept was saved, or what became of it. */
export interface ViewNote {
  kind: 'done' | 'error';
  text: string;
  /** What the engine says of it besides, where that is not the page's language. */
  english?: string;
}

export interface Home {
  at: 'home';
  /** What the field holds at first: the code of the link that was opened. */
  code: string;
  /** A text that another program shared, for the field. */
  draft?: string;
  note?: ViewNote;
}

/** What was chosen, to be looked through before it is offered. */
export interface ViewStaging {
  at: 'staging';
  items: readonly Item[];
  note?: ViewNote;
}

/** What is sent from here, as the person chose it. */
export type Sent = readonly Item[] | { text: string };

/** Folders are being read, which for many files takes a while. */
export interface Gathering {
  at: 'gathering';
  /** What had been chosen before. */
  items: readonly Item[];
}

export interface Transferring {
  at: 'transfer';
  running: TransferShown;
  sent?: Sent;
  /** The trusted device that it is with, without a code. */
  device?: PageDevice;
  /** The device nearby that it is meant for, or that called; its name proves nothing. */
  near?: NearDevice;
  /** By which the other side can be remembered. */
  pair?: OwnPair;
  /** What is received under, until nobody can use it any more. */
  code?: string;
  /** What the receiver is asked about. */
  offer?: OfferSummary;
  /** What the person said yes to. */
  accepted?: OfferSummary;
  /** What has arrived and is in this browser's storage. */
  kept?: Kept;
  /** The browser's own download took it. */
  streamed?: boolean;
  /** It was saved at least once. */
  saved?: boolean;
  /** All is here, and goes on to others who receive the same. */
  serving?: boolean;
  note?: ViewNote;
}

export interface ViewSaving {
  at: 'saving';
  kept: Kept;
  /** Bytes; undefined where the browser's downloads show how far they are. */
  written?: number;
  before: Home | Transferring;
}

export type View = Home | ViewStaging | Gathering | Transferring | ViewSaving;

const isFinal = (state: string): boolean =>
  state === 'completed' || state === 'failed' || state === 'cancelled';

/** `data-state` of the page. */
export function stateOf(view: View): string {
  switch (view.at) {
    case 'home':
    case 'staging':
    case 'saving':
      return view.at;
    case 'gathering':
      return 'connecting';
    case 'transfer': {
      const { running, offer } = view;
      if (offer) return 'offer';
      if (running.state === 'idle') return 'connecting';
      return isWaiting(running) ? 'waiting' : running.state;
    }
  }
}

/** The sender has a code to tell, and nobody has come with it yet, or nobody is there any more. */
export function isWaiting({ role, state, code, connected, several }: TransferShown): boolean {
  if (several) return code !== undefined && !isFinal(state) && underWay(several).length === 0;
  return role === 'send' && code !== undefined && !connected && (state === 'connecting' || state === 'idle');
}

/** Views of one screen share a name; when it changes, so does the heading that has the focus. */
export function screenOf(view: View): string {
  const state = stateOf(view);
  if (view.at !== 'transfer') return view.at;
  // Rows stay while more can come.
  const { several } = view.running;
  if (several && several.receivers.size > 0 && !isFinal(view.running.state)) return 'running';
  if (state === 'transferring' || state === 'paused') return 'running';
  if (state === 'connecting' || state === 'authenticating')
    return view.running.connected ? 'running' : 'meeting';
  return state;
}

/** To leave now would stop something that the person wants. */
export function mustStay(view: View): boolean {
  const state = stateOf(view);
  if (view.at === 'saving') return true;
  if (view.at !== 'transfer') return false;
  return !isFinal(state);
}

/** The screen should not go dark, since phones then stop what runs. */
export function mustWake(view: View): boolean {
  return mustStay(view) && stateOf(view) !== 'paused';
}
