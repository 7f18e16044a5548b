/**
 * An inbox that stays: it waits for all trusted devices at once, and starts an ordinary `receive` for each arrival. So what an arrival
 * survives, where it goes on and what it checks is what `receive` does.
 */
import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { harmless } from '../base/callback.ts';
import { realClock } from '../base/clock.ts';
import { asBeelineError, BeelineError, type ErrorCode, fault, type Reason } from '../base/errors.ts';
import { escapingLog } from '../base/log-fields.ts';
import { defaultConfigDir } from '../identity/config-folder.ts';
import type { Device, KnownDevices } from '../identity/devices.ts';
import { type Lock, takeLock } from '../identity/lock.ts';
import type { CommonOptions, OfferSummary, ReceiveOptions, Transfer, TransferEvent } from './api.ts';
import { Destination } from './files/destination.ts';
import { DevicesFile } from './inbox/devices-file.ts';
import { ReceivedBytes } from './inbox/received.ts';
import { judge } from './inbox/rules.ts';
import { type TurnOutcome, Turns } from './inbox/turns.ts';
import { openUploads, type UploadEvent, type UploadOptions } from './inbox/uploads.ts';
import { atServer, onLan, type Way } from './inbox/ways.ts';
import { checkListen } from './options.ts';
import { type DeliverOptions, deliver, type OutboxEvent } from './outbox.ts';
import { receive } from './receive.ts';

/** Seconds that one receive waits for a sender that it lost. A later one goes on: it begins when the sender is there again. */
const WAIT_S = 120;
/** Ends that say who the other side is not, or that this side or a rule for it cannot deal with it: worth a word, though nothing has arrived. */
const TOLD: ReadonlySet<ErrorCode> = new Set(['WRONG_CODE', 'AUTHENTICATION', 'VERSION', 'USAGE']);
/** Ends that the sender or its person chose, or that would only come again. */
const FINAL: ReadonlySet<ErrorCode> = new Set([
  'REFUSED',
  'CANCELLED',
  'EXISTS',
  'UNSAFE_NAME',
  'BAD_MANIFEST',
  'USAGE',
]);

export interface ListenOptions
  extends Omit<CommonOptions, 'at' | 'code' | 'psk' | 'port' | 'wait'>,
    Pick<ReceiveOptions, 'links' | 'share' | 'within'> {
  /** The folder that everything arrives in, unless a device has one of its own. It is made if it is missing. */
  to: string;
  /** What to do with a file that exists; default 'rename'. A device may have a rule of its own. */
  overwrite?: 'skip' | 'rename' | 'replace' | 'update';
  /** Ends after the first arrival that is whole. */
  once?: boolean;
  /** True: also delivers what is in the outbox (`deliver`), if no other process does. */
  outbox?: boolean;
  /** As `only` of `deliver`. */
  deliverWith?: DeliverOptions['only'];
  /** Takes uploads over HTTP too, from whoever has its link or password. Then no device needs to be trusted. */
  http?: UploadOptions;
  /** Decides about offers of devices whose rule is to ask. Absent: they are declined. */
  ask?: (offer: OfferSummary, device: Device) => boolean | Promise<boolean>;
}

/** `arrival` numbers the arrivals from 1. Events of one arrival are those of its `receive`, from when its sender is proven. */
export type InboxEvent =
  /** It waits for so many devices. It comes again when they, or their rules, are others. */
  | { event: 'watching'; devices: number; server?: string; lan: boolean }
  /** The server cannot be reached, and is tried again; then, that it is there again. */
  | { event: 'server'; reachable: boolean; message?: string }
  /** A device is there and proven. */
  | { event: 'arrival'; arrival: number; device: string; way: 'server' | 'lan'; to: string }
  /** What it offers, and whether that is taken. If not, `message` says why. It comes after `manifest`. */
  | ({ event: 'offer'; arrival: number; device: string; accepted: boolean; message?: string } & Omit<
      OfferSummary,
      'peer'
    >)
  | (TransferEvent & { arrival: number; device: string })
  | OutboxEvent
  | UploadEvent
  /** Something about the inbox itself, or about a device of which nothing has arrived. */
  | { event: 'warning'; device?: string; code: ErrorCode; reason?: Reason; message: string };

export interface Inbox {
  /** Calls `listener` with every event as it happens. Returns a function that ends the subscription. */
  subscribe(listener: (event: InboxEvent) => void): () => void;
  /**
   * Resolves when nothing is open any more: after `close`, the signal or, with `once`, the first whole arrival. Rejects with the
   * BeelineError that keeps it from waiting at all: USAGE, LOCKED, VERSION, WRITE_FAILED.
   */
  readonly done: Promise<void>;
  /** Ends it. What is arriving is interrupted, and goes on when the device is met again. */
  close(): void;
}

/** Begins at once, in a later turn. */
export function listen(options: ListenOptions): Inbox {
  const inbox = new Listening(options);
  inbox.done.catch(() => {});
  return inbox;
}

class Listening implements Inbox {
  readonly done: Promise<void>;
  readonly #options: ListenOptions;
  readonly #listeners = new Set<(event: InboxEvent) => void>();
  readonly #stop = new AbortController();
  readonly #received = new ReceivedBytes();
  readonly #ways = new Map<'server' | 'lan', Way>();
  /** Those that are waited for, by nameplate. */
  #devices: ReadonlyMap<string, Device> = new Map();
  #count = 0;
  readonly #turns = new Turns({
    clock: realClock,
    receive: (slot, signal) => this.#receive(slot, signal),
    absent: (slot) => {
      const [way, nameplate] = parts(slot);
      this.#ways.get(way)?.absent(nameplate);
    },
  });

  constructor(options: ListenOptions) {
    this.#options = { ...options, log: options.log && escapingLog(options.log) };
    this.done = Promise.resolve().then(() => this.#run());
  }

  subscribe(listener: (event: InboxEvent) => void): () => void {
    const safe = harmless('a listener of `subscribe`', listener);
    this.#listeners.add(safe);
    return () => void this.#listeners.delete(safe);
  }

  close(): void {
    this.#stop.abort();
  }

  #tell(event: InboxEvent): void {
    for (const listener of [...this.#listeners]) listener(event);
  }

  async #run(): Promise<void> {
    const { server, lan = true, to, http, configDir = defaultConfigDir(), signal } = this.#options;
    if (server === undefined && !lan && !http) throw fault('NO_MEETING_PLACE');
    if (signal?.aborted) return;
    const close = () => this.close();
    signal?.addEventListener('abort', close, { once: true });
    checkListen(this.#options);
    new Destination(to).check();
    const locks: Lock[] = [];
    let uploads: { close(): Promise<void> } | undefined;
    const file = new DevicesFile(configDir);
    let delivering: Promise<void> | undefined;
    try {
      const devices = await file.read();
      if (devices.list().length === 0 && !http) throw fault('NO_DEVICES');
      if (lan) locks.push(await lockFor(configDir, 'lan', 'on the local network'));
      if (server !== undefined) locks.push(await lockFor(configDir, server, 'at that server'));
      if (http) uploads = await this.#openUploads(http, configDir);
      this.#waitFor(devices);
      this.#open();
      delivering = this.#options.outbox ? this.#deliver() : undefined;
      file.watch(
        (changed) => this.#waitFor(changed),
        (error) => this.#warn(error),
      );
      await this.#stopped();
    } finally {
      file.close();
      for (const way of this.#ways.values()) way.close();
      await Promise.all([this.#turns.close(), delivering, uploads?.close()]);
      for (const lock of locks) lock.release();
      signal?.removeEventListener('abort', close);
    }
  }

  #openUploads(http: UploadOptions, configDir: string): Promise<{ close(): Promise<void> }> {
    const { to, overwrite = 'rename', limit, log, once } = this.#options;
    return openUploads(http, {
      ...{ to, overwrite, limit, configDir, log },
      warn: (error) => this.#warn(error),
      tell: (event) => {
        this.#tell(event);
        if (once && event.event === 'upload' && event.status === 'arrived') this.close();
      },
    });
  }

  /** @throws BeelineError what `fail` was called with */
  #stopped(): Promise<void> {
    const { signal } = this.#stop;
    return new Promise((resolve, reject) => {
      const end = () => (signal.reason instanceof BeelineError ? reject(signal.reason) : resolve());
      if (signal.aborted) end();
      else signal.addEventListener('abort', end, { once: true });
    });
  }

  /** Ends with the inbox. Never rejects. */
  #deliver(): Promise<void> {
    const { log, deliverWith: only } = this.#options;
    const delivering = deliver({ patient: true, only, signal: this.#stop.signal, log });
    delivering.subscribe((event) => this.#tell(event));
    return delivering.done.catch((error) => this.#warn(asBeelineError(error)));
  }

  #open(): void {
    const { server, lan = true } = this.#options;
    const nameplates = [...this.#devices.keys()];
    const events = (way: 'server' | 'lan') => ({
      came: (nameplate: string) => this.#turns.came(`${way} ${nameplate}`),
      gone: (nameplate: string) => this.#turns.gone(`${way} ${nameplate}`),
    });
    if (server !== undefined) {
      let away = false;
      const reached = (error: BeelineError | undefined) => {
        if (!error && !away) return;
        away = error !== undefined;
        this.#tell({ event: 'server', reachable: !error, ...(error && { message: error.message }) });
      };
      const failed = (error: BeelineError) => {
        this.#ways.delete('server');
        if (this.#ways.size === 0) this.#stop.abort(error);
        else this.#warn(error);
      };
      this.#ways.set(
        'server',
        atServer(server, nameplates, { ...events('server'), server: reached, failed }),
      );
    }
    if (lan) this.#ways.set('lan', onLan(nameplates, events('lan')));
  }

  /** For the first time, or because the list of trusted devices or a rule has changed. */
  #waitFor(devices: KnownDevices): void {
    const before = this.#devices;
    this.#devices = new Map(
      devices
        .list()
        .filter(({ inbox }) => !inbox?.refuse)
        .map((device) => [devices.secretFor(device.key, 'receiver').nameplate, device]),
    );
    const nameplates = [...this.#devices.keys()];
    const gone = [...before.keys()].filter((nameplate) => !this.#devices.has(nameplate));
    for (const nameplate of gone)
      for (const way of ['server', 'lan'] as const) this.#turns.forget(`${way} ${nameplate}`);
    if (gone.length > 0 || nameplates.length !== before.size)
      for (const way of this.#ways.values()) way.change(nameplates);
    const { server, lan = true } = this.#options;
    this.#tell({
      ...{ event: 'watching', devices: nameplates.length },
      ...{ ...(server !== undefined && { server }), lan },
    });
  }

  #warn(error: BeelineError, device?: string): void {
    const { code, reason, message } = error;
    this.#tell({
      ...{ event: 'warning', ...(device !== undefined && { device }) },
      ...{ code, ...(reason && { reason }), message },
    });
  }

  async #receive(slot: string, signal: AbortSignal): Promise<TurnOutcome> {
    const [way, nameplate] = parts(slot);
    const device = this.#devices.get(nameplate);
    if (!device || this.#stop.signal.aborted) return 'nobody';
    const { to, within, overwrite = 'rename', server, once, ...others } = this.#options;
    const { ask: _ask, outbox: _outbox, deliverWith: _with, http: _http, ...common } = others;
    const rules = device.inbox ?? {};
    const folder = rules.to ?? to;
    let release = () => {};
    const transfer = receive({
      ...common,
      ...{ device: device.key, to: resolve(folder), overwrite: rules.overwrite ?? overwrite, wait: WAIT_S },
      within: rules.to === undefined ? within : rules.within,
      ...(way === 'server' ? { server, lan: false } : { lan: true }),
      signal: AbortSignal.any([signal, this.#stop.signal]),
      accept: async (offer) => {
        const { peer: _peer, ...summary } = offer;
        const told = { event: 'offer' as const, arrival: arrival() ?? 0, device: device.name, ...summary };
        try {
          release = await this.#accept(offer, nameplate);
        } catch (thrown) {
          this.#tell({ ...told, accepted: false, message: asBeelineError(thrown).message });
          throw thrown;
        }
        this.#tell({ ...told, accepted: true });
        return true;
      },
    });
    const arrival = this.#follow(transfer, device, way, folder);
    try {
      const result = await transfer.done;
      await this.#received.add(device, result.bytes).catch((error) => this.#warn(asBeelineError(error)));
      if (once) this.close();
      return 'done';
    } catch (thrown) {
      const error = asBeelineError(thrown);
      this.#options.log?.debug({ device: device.name, way, code: error.code }, 'no arrival');
      const told = arrival() !== undefined;
      if (!told && TOLD.has(error.code)) this.#warn(error, device.name);
      if (error.code === 'NO_PEER' && !told) return 'nobody';
      if (error.code === 'LOCKED') return 'busy';
      return FINAL.has(error.code) ? 'declined' : 'failed';
    } finally {
      release();
    }
  }

  /** @returns takes back what it reserved @throws BeelineError REFUSED */
  async #accept(offer: OfferSummary, nameplate: string): Promise<() => void> {
    // The rules may have changed since it began.
    const device = this.#devices.get(nameplate);
    if (!device) throw fault('DECLINED_HERE');
    const verdict = judge(device, offer, await this.#received.of(device));
    if (verdict instanceof BeelineError) throw verdict;
    const release = device.inbox?.quota ? this.#received.reserve(device, offer.bytes ?? 0) : () => {};
    try {
      if (verdict === 'accept') return release;
      const { ask } = this.#options;
      if (!ask) throw fault('NOBODY_TO_ASK', { device: device.name });
      if ((await ask(offer, device)) !== true) throw fault('DECLINED_HERE');
      return release;
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Tells of a transfer from when its sender is proven. @returns the number of the arrival, once it is one */
  #follow(transfer: Transfer, device: Device, way: 'server' | 'lan', to: string): () => number | undefined {
    let arrival: number | undefined;
    transfer.subscribe((event) => {
      if (arrival === undefined && event.event === 'peer') {
        arrival = ++this.#count;
        this.#tell({ event: 'arrival', arrival, device: device.name, way, to: resolve(to) });
      }
      if (arrival !== undefined) this.#tell({ ...event, arrival, device: device.name });
    });
    return () => arrival;
  }
}

function parts(slot: string): ['server' | 'lan', string] {
  const [way, nameplate] = slot.split(' ') as ['server' | 'lan', string];
  return [way, nameplate];
}

/** @throws BeelineError LOCKED if another process waits there with the same devices */
async function lockFor(configDir: string, place: string, where: string): Promise<Lock> {
  const tag = createHash('sha256').update(place).digest('hex').slice(0, 16);
  const folder = join(configDir, 'listening', tag);
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return await takeLock(folder);
  } catch (thrown) {
    if (thrown instanceof BeelineError) throw fault('LISTENS_ALREADY', { where, path: join(folder, 'lock') });
    const why = thrown instanceof Error ? thrown.message : String(thrown);
    throw fault('DISK_OTHER', { path: folder, why }, { cause: thrown });
  }
}
