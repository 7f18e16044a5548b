/**
 * Delivers what is in the outbox: for each device one item at a time, by an ordinary `send` that waits for that device. So what is cut
 * off goes on as any transfer does.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { harmless } from '../base/callback.ts';
import { every, realClock } from '../base/clock.ts';
import { asBeelineError, BeelineError, type ErrorCode, fault, type Reason } from '../base/errors.ts';
import { isLocked, type Lock, takeLock } from '../identity/lock.ts';
import type { Logger, SendOptions, Transfer, TransferEvent } from './api.ts';
import { ChangedFile } from './files/changed-file.ts';
import { checkNames } from './option-names.ts';
import { type OutboxItem, OutboxStore } from './outbox/store.ts';
import { send } from './send.ts';

export { type OutboxItem, type OutboxOptions, OutboxStore } from './outbox/store.ts';

/** How often the outbox, and whoever wants to go first, is looked at. */
const LOOK_MS = 1000;
/** While nobody has come, files are looked at anew so often: what was read of them for days would be another version. */
const ANEW_MS = 600_000;
/** Milliseconds before an item that failed is tried again: at first, and at most. */
const FIRST_RETRY_MS = 2_000;
const LONGEST_RETRY_MS = 300_000;
/** Devices that are waited for at the same time. */
const MOST_AT_ONCE = 64;
/** How often the lock of another delivery is tried. */
const LOCK_MS = 10_000;
/** Ends that would only come again: the item stays, and says why. */
const FINAL: ReadonlySet<ErrorCode> = new Set([
  ...(['USAGE', 'NO_SUCH_PATH', 'UNREADABLE', 'UNSAFE_NAME', 'REFUSED', 'CANCELLED', 'VERSION'] as const),
  ...(['AUTHENTICATION', 'WRONG_CODE', 'BAD_MANIFEST'] as const),
]);

/** `item` is the number in the outbox. Events of one item are those of its `send`, from when its device is proven. */
export type OutboxEvent =
  /** An item waits for its device. */
  | { event: 'waiting'; item: number; device: string; paths: readonly string[] }
  | {
      event: 'sent';
      item: number;
      device: string;
      paths: readonly string[];
      files: number;
      bytes: number;
      seconds: number;
    }
  /** It is tried again later, or with `final` not any more. */
  | {
      event: 'unsent';
      item: number;
      device: string;
      paths: readonly string[];
      final: boolean;
      code: ErrorCode;
      reason?: Reason;
      message: string;
    }
  | (TransferEvent & { item: number; device: string })
  /** About the outbox itself. */
  | { event: 'warning'; device?: string; code: ErrorCode; reason?: Reason; message: string };

export interface DeliverOptions {
  /** Where the outbox is; default: in the folder of this user's state. */
  folder?: string;
  /** Ends when nothing waits any more. Otherwise it waits for more. */
  untilEmpty?: boolean;
  /** If another process delivers already: wait until it does not. Otherwise `done` rejects as LOCKED. */
  patient?: boolean;
  /**
   * Everything is sent with these, whatever it was put in with: for a process that reaches servers by a proxy, and nobody past it. What has
   * no server waits. Absent: what was put in by such a process waits for one.
   */
  only?: Pick<SendOptions, 'transports' | 'relay' | 'lan' | 'dht' | 'portMap'> | undefined;
  signal?: AbortSignal;
  log?: Logger;
}

export interface Delivering {
  /** Calls `listener` with every event as it happens. Returns a function that ends the subscription. */
  subscribe(listener: (event: OutboxEvent) => void): () => void;
  /** Resolves when nothing is open any more. Rejects with a BeelineError if it could not begin: LOCKED, DAMAGED, WRITE_FAILED. */
  readonly done: Promise<void>;
  /** Ends it. What is being sent is interrupted, and goes on with the next delivery. */
  close(): void;
}

/** Begins at once, in a later turn. */
export function deliver(options: DeliverOptions = {}): Delivering {
  const delivery = new OutboxDelivery(options);
  delivery.done.catch(() => {});
  return delivery;
}

/** One item that is being sent, or waits for its device. */
interface Run {
  readonly item: OutboxItem;
  readonly stop: AbortController;
  transfer: Transfer | undefined;
  /** Its device has come. */
  met: boolean;
  /** It is not in the outbox any more. */
  cancelled: boolean;
}

class OutboxDelivery implements Delivering {
  readonly done: Promise<void>;
  readonly #options: DeliverOptions;
  readonly #store: OutboxStore;
  readonly #listeners = new Set<(event: OutboxEvent) => void>();
  readonly #stop = new AbortController();
  /** By device key. */
  readonly #runs = new Map<string, Run>();
  readonly #ends = new Set<Promise<void>>();
  /** Of items that failed: how often, and the time before which they are not tried. */
  readonly #later = new Map<number, { failures: number; notBefore: number }>();
  /** When each device was waited for last: where there are too many, the one that has waited longest comes next. */
  readonly #turns = new Map<string, number>();
  /** Items that are told to wait: once, though the wait begins anew. */
  readonly #told = new Set<number>();
  #items: readonly OutboxItem[] = [];

  constructor(options: DeliverOptions) {
    this.#options = options;
    this.#store = new OutboxStore(options.folder);
    this.done = Promise.resolve().then(() => this.#run());
  }

  subscribe(listener: (event: OutboxEvent) => void): () => void {
    const safe = harmless('a listener of `subscribe`', listener);
    this.#listeners.add(safe);
    return () => void this.#listeners.delete(safe);
  }

  close(): void {
    this.#stop.abort();
  }

  #tell(event: OutboxEvent): void {
    for (const listener of [...this.#listeners]) listener(event);
  }

  async #run(): Promise<void> {
    const { signal } = this.#options;
    checkNames('deliver', this.#options);
    if (signal?.aborted) return;
    const close = () => this.close();
    signal?.addEventListener('abort', close, { once: true });
    let lock: Lock | undefined;
    try {
      lock = await this.#lock();
      if (lock) await this.#rounds();
    } finally {
      for (const run of this.#runs.values()) run.stop.abort();
      await Promise.all(this.#ends);
      lock?.release();
      signal?.removeEventListener('abort', close);
    }
  }

  /** Undefined if it was closed before. @throws BeelineError LOCKED, WRITE_FAILED */
  async #lock(): Promise<Lock | undefined> {
    const folder = join(this.#store.folder, 'delivering');
    for (;;) {
      try {
        return await lockIn(folder);
      } catch (thrown) {
        const error = asBeelineError(thrown);
        if (error.code !== 'LOCKED') throw error;
        if (!this.#options.patient) throw fault('DELIVERS_ALREADY', { path: join(folder, 'lock') });
      }
      if (await this.#pause(LOCK_MS)) return undefined;
    }
  }

  /** @returns whether it is to end */
  #pause(ms: number): Promise<boolean> {
    const { signal } = this.#stop;
    return new Promise((resolve) => {
      if (signal.aborted) return resolve(true);
      const cancel = realClock.after(ms, () => {
        signal.removeEventListener('abort', stopped);
        resolve(false);
      });
      const stopped = () => {
        cancel();
        resolve(true);
      };
      signal.addEventListener('abort', stopped, { once: true });
    });
  }

  async #rounds(): Promise<void> {
    const file = new ChangedFile(this.#store.path);
    do {
      try {
        if (await file.changed()) this.#items = await this.#store.items();
      } catch (thrown) {
        // What is known still counts.
        this.#warn(asBeelineError(thrown));
      }
      this.#cancelled();
      this.#begin();
      const waits = this.#items.some((item) => !item.failed && this.#may(item));
      if (this.#options.untilEmpty && !waits && this.#runs.size === 0) return;
    } while (!(await this.#pause(LOOK_MS)));
  }

  /** What is not in the outbox any more is cancelled on both sides. */
  #cancelled(): void {
    for (const run of this.#runs.values())
      if (!this.#items.some(({ id, failed }) => id === run.item.id && !failed)) {
        run.cancelled = true;
        run.transfer?.cancel();
      }
  }

  #begin(): void {
    const turn = ({ key }: OutboxItem) => this.#turns.get(key) ?? 0;
    for (const item of [...this.#items].sort((a, b) => turn(a) - turn(b) || a.id - b.id)) {
      const now = realClock.now();
      if (item.failed || !this.#may(item) || (this.#later.get(item.id)?.notBefore ?? 0) > now) continue;
      const first = isLocked(this.#store.deviceFolder('first', item.key));
      const running = this.#runs.get(item.key);
      // Somebody sends to that device by hand: what waits there for it makes way.
      if (running && first && !running.met) running.stop.abort();
      if (running || first || this.#runs.size >= MOST_AT_ONCE) continue;
      const run: Run = {
        item,
        stop: new AbortController(),
        transfer: undefined,
        met: false,
        cancelled: false,
      };
      this.#runs.set(item.key, run);
      this.#turns.set(item.key, now);
      const end = this.#send(run).finally(() => {
        this.#runs.delete(item.key);
        this.#ends.delete(end);
      });
      this.#ends.add(end);
    }
  }

  /** Nothing goes past a proxy that was put in to go by one. */
  #may({ options: { proxied, server } }: OutboxItem): boolean {
    return this.#options.only ? server !== undefined : proxied !== true;
  }

  /** One try. Never rejects. */
  async #send(run: Run): Promise<void> {
    const { item, stop } = run;
    const { id, device, key, paths } = item;
    const { proxied: _, ...options } = item.options;
    let lock: Lock | undefined;
    let forget = () => {};
    try {
      lock = await lockIn(this.#store.deviceFolder('hosting', key));
      // Each side has its lock before it looks at the other's: of the two at least one sees the other.
      if (isLocked(this.#store.deviceFolder('first', key)) || run.cancelled) return;
      const transfer = send(paths, {
        ...options,
        ...this.#options.only,
        ...{ device: key, signal: AbortSignal.any([stop.signal, this.#stop.signal]), log: this.#options.log },
      });
      run.transfer = transfer;
      forget = every(realClock, ANEW_MS, () => {
        if (!run.met) stop.abort();
      });
      this.#follow(run, transfer);
      const { files, bytes, seconds } = await transfer.done;
      await this.#store.tried(id, realClock.date(), undefined, false);
      this.#items = this.#items.filter((other) => other.id !== id);
      this.#later.delete(id);
      this.#tell({ event: 'sent', item: id, device, paths, files, bytes, seconds });
    } catch (thrown) {
      await this.#failed(run, asBeelineError(thrown)).catch((error) => this.#warn(asBeelineError(error)));
    } finally {
      forget();
      lock?.release();
    }
  }

  #follow(run: Run, transfer: Transfer): void {
    const { id: item, device, paths } = run.item;
    transfer.subscribe((event) => {
      if (event.event === 'listening' && !this.#told.has(item)) {
        this.#told.add(item);
        this.#tell({ event: 'waiting', item, device, paths });
      }
      if (event.event === 'peer') run.met = true;
      if (run.met) this.#tell({ ...event, item, device });
    });
  }

  async #failed(run: Run, error: BeelineError): Promise<void> {
    const { id, device, paths } = run.item;
    // Cancelled, interrupted, made way, or looked at anew.
    if (run.cancelled || run.stop.signal.aborted || this.#stop.signal.aborted) return;
    const final = FINAL.has(error.code);
    const failures = (this.#later.get(id)?.failures ?? 0) + 1;
    const wait = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(failures - 1, 30));
    this.#later.set(id, { failures, notBefore: realClock.now() + wait });
    const { code, reason, message } = error;
    this.#tell({
      ...{ event: 'unsent', item: id, device, paths, final },
      ...{ code, ...(reason && { reason }), message },
    });
    await this.#store.tried(id, realClock.date(), message, final);
  }

  #warn({ code, reason, message }: BeelineError): void {
    this.#tell({ event: 'warning', code, ...(reason && { reason }), message });
  }
}

/** @throws BeelineError LOCKED, WRITE_FAILED */
async function lockIn(folder: string): Promise<Lock> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return await takeLock(folder);
  } catch (thrown) {
    if (thrown instanceof BeelineError) throw thrown;
    const why = thrown instanceof Error ? thrown.message : String(thrown);
    throw fault('DISK_OTHER', { path: folder, why }, { cause: thrown });
  }
}

/**
 * For somebody who sends to a device by hand while items for it wait: those make way, since two senders cannot wait for one device.
 * @returns lets them go on; undefined if nothing waits for that device
 */
export async function goFirst(
  key: string,
  signal: AbortSignal,
  waits: () => void,
  store: OutboxStore = new OutboxStore(),
): Promise<(() => void) | undefined> {
  const items = await store.items();
  if (!items.some((item) => item.key === key && !item.failed)) return undefined;
  const lock = await lockIn(store.deviceFolder('first', key));
  // What is under way ends first.
  const hosting = store.deviceFolder('hosting', key);
  for (let looks = 0; isLocked(hosting) && !signal.aborted; looks++) {
    if (looks === LOOKS_BEFORE_WORD) waits();
    await new Promise<void>((resolve) => realClock.after(100, resolve));
  }
  return () => lock.release();
}

/** Tenths of a second. */
const LOOKS_BEFORE_WORD = 50;
