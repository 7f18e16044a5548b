/**
 * Stands in for src/browser in a build of the page, so that a test can bring about every state: `globalThis.mock` plays the
 * other side. Typed by the real thing, so that it cannot drift from it. Never shipped.
 */
import type * as real from '../../src/browser/index.ts';

export { forgetAccepted, isAccepted, rememberAccepted } from '../../src/browser/accepted.ts';
export { completionOf } from '../../src/identity/completion.ts';
export { describeDoubt, doubtAbout, lacksNumber } from '../../src/identity/doubt.ts';
export * from './mock-light.ts';

import { BeelineError, type ErrorCode } from '../../src/base/errors.ts';

type Event = real.TransferEvent;

class MockTransfer implements real.Reception {
  state: real.State = 'idle';
  readonly done: Promise<real.Result>;
  readonly closed: Promise<void>;
  readonly kept: Promise<real.Kept | undefined>;
  #listeners = new Set<(event: Event) => void>();
  #settle!: { resolve: (result: real.Result) => void; reject: (error: BeelineError) => void };
  #keep!: (kept: real.Kept | undefined) => void;

  constructor() {
    this.done = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.closed = this.done.then(
      () => mock.served,
      () => {},
    );
    this.kept = new Promise((resolve) => {
      this.#keep = resolve;
    });
  }

  emit(...events: Event[]): void {
    for (const event of events) {
      if (event.event === 'state') this.state = event.to;
      for (const listener of this.#listeners) listener(event);
    }
  }

  move(to: real.State, by?: 'self' | 'peer', reason?: string): void {
    this.emit({ event: 'state', from: this.state, to, ...(by && { by }), ...(reason && { reason }) });
  }

  finish(done: Extract<Event, { event: 'done' }>, kept?: real.Kept): void {
    this.move('completed');
    this.emit(done);
    this.#settle.resolve({ ...done, peer: '', skipped: [] });
    this.#keep(kept);
  }

  fail(code: ErrorCode, message: string, by: 'self' | 'peer' = 'self'): void {
    this.move(code === 'CANCELLED' ? 'cancelled' : 'failed', by, message);
    this.emit({ event: 'error', code, message });
    this.#settle.reject(new BeelineError(code, message));
    this.#keep(undefined);
  }

  subscribe(listener: (event: Event) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  pause(): void {
    this.move('paused', 'self');
  }

  resume(): void {
    this.move('transferring', 'self');
  }

  cancel(): void {
    this.fail('CANCELLED', 'Cancelled here.');
  }

  admitNoMore(): void {
    mock.closed = true;
  }

  [Symbol.asyncIterator](): AsyncIterator<Event> {
    throw new Error('The page subscribes.');
  }
}

const mock = {
  abilities: { secure: true, opfs: true, folder: true, stream: true, webrtc: true },
  transfer: undefined as MockTransfer | undefined,
  /** The page's question to the person, and what became of it. */
  accept: undefined as real.BrowserReceiveOptions['accept'] | undefined,
  answer: undefined as Promise<real.ReceiveInto | false> | undefined,
  /** What `send` or `receive` was called with, and how often one was. */
  given: undefined as unknown,
  begun: 0,
  options: undefined as real.BrowserSendOptions | undefined,
  /** Until it resolves, others fetch what has arrived. */
  share: undefined as boolean | undefined,
  served: undefined as Promise<void> | undefined,
  /** Nobody new is let in. */
  closed: false,
  /** Aborted, it ends what runs. */
  signal: undefined as AbortSignal | undefined,
  devices: [] as real.PageDevice[],
  /** Why a device is not remembered. */
  unknowable: undefined as { code: ErrorCode; message: string } | undefined,
  /** Says that a device has something for this page, or not any more. */
  call: (_id: string, _calls: boolean): void => {},
  /** As if another tab had made the devices others. */
  know(...devices: Partial<real.PageDevice>[]): void {
    mock.devices = devices.map((given, index) => ({
      ...{ id: String(index), name: `Device ${index}`, kind: 'computer', key: `bl1${index}` },
      ...{ own: {} as CryptoKey, at: Date.now() },
      ...given,
    }));
    new BroadcastChannel('beeline-devices').postMessage('');
  },
  /** What the page has said to those near it: its name, then each call. */
  nearSaid: [] as string[],
  /** As the server tells it; undefined while the page does not show itself. */
  near: undefined as Parameters<typeof real.showNear>[2] | undefined,
  kept: [] as real.Kept[],
  removed: [] as string[],
  /** What the reading of dropped folders waits for. */
  dropped: undefined as Promise<void> | undefined,
  /** Downloads that were begun. */
  downloads: 0,
  /** Ends a `saveToFolder` or `saveAsDownloads` that is under way. */
  saved: undefined as
    | { resolve(): void; reject(error: Error): void; progress?(bytes: number): void }
    | undefined,

  /** Something that arrived. */
  keep(name: string, sizes: readonly number[], have?: number): real.Kept {
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    const files = sizes.map((size, index) => ({
      ...{ path: sizes.length === 1 ? name : `${name}/${index}`, size, mtime: 0, mode: 0o644 },
      blob: async () => new Blob([]),
    }));
    const id = String(mock.kept.length);
    const kept: real.Kept = {
      ...{ id, name, files, folders: sizes.length === 1 ? [] : [name], bytes },
      ...{ have: have ?? bytes, complete: have === undefined },
      at: Date.UTC(2026, 0, 2, 3, 4),
      async remove() {
        mock.removed.push(name);
        mock.kept = mock.kept.filter((one) => one !== kept);
      },
    };
    mock.kept.push(kept);
    return kept;
  },
};
Object.assign(globalThis, { mock });

function begin(given: unknown): MockTransfer {
  mock.given = given;
  mock.begun++;
  mock.transfer = new MockTransfer();
  return mock.transfer;
}

export const send: typeof real.send = (what, options) => {
  mock.options = options;
  return begin(what);
};

export const receive: typeof real.receive = ({ code, device, accept, signal, share }) => {
  mock.signal = signal;
  mock.share = share;
  mock.accept = (offer) => {
    mock.answer = accept(offer);
    return mock.answer;
  };
  return begin(device === undefined ? { code } : { device });
};

export const keptTransfers: typeof real.keptTransfers = async () => mock.kept;
export const abilities: typeof real.abilities = async () => mock.abilities;
export const useWorkers: typeof real.useWorkers = () => {};

const saving = (progress?: (bytes: number) => void, signal?: AbortSignal) =>
  new Promise<void>((resolve, reject) => {
    mock.saved = { resolve, reject, ...(progress && { progress }) };
    signal?.addEventListener('abort', () => reject(new BeelineError('INTERRUPTED', 'Stopped.')));
  });
export const saveToFolder: typeof real.saveToFolder = (_kept, _folder, progress, signal) =>
  saving(progress, signal);
export const saveAsDownloads: typeof real.saveAsDownloads = (_kept, signal) => {
  mock.downloads++;
  return saving(undefined, signal);
};
export const newPair: typeof real.newPair = async () => ({ id: '00', own: {} as CryptoKey });
export const remember: typeof real.remember = async ({ id, own }, what) => {
  if (mock.unknowable) throw new BeelineError(mock.unknowable.code, mock.unknowable.message);
  mock.devices.push({ ...what, id, own, at: Date.now() });
};
export const watchDevices: typeof real.watchDevices = (_server, _devices, changed) => {
  mock.call = changed;
  return () => {};
};
export { nearName, ownNearName } from '../../src/browser/people/near.ts';
export const showNear: typeof real.showNear = (_server, name, events) => {
  mock.near = events;
  mock.nearSaid.push(name);
  return {
    call: (to, nameplate) => void mock.nearSaid.push(`${to} ${nameplate ?? 'no more'}`),
    close: () => {
      mock.near = undefined;
    },
  };
};
