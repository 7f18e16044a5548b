/** `send --later`: whether the device has come in time, and putting what is to be sent into the outbox if it has not. */
import { resolve } from 'node:path';
import { type BeelineError, type ErrorCode, fault } from '../base/errors.ts';
import { isLocked } from '../identity/lock.ts';
import type { SendOptions, TransferEvent } from '../node/api.ts';
import type { OutboxItem } from '../node/outbox.ts';
import type { Host } from './host.ts';

/** Milliseconds that a device has to come. */
const PATIENCE_MS = 10_000;
/** Ends that say no more than that the two have not met. */
const NOT_MET: ReadonlySet<ErrorCode> = new Set(['NO_PEER', 'NO_PATH', 'SERVER', 'TIMEOUT', 'CROWDED']);

export class Later {
  readonly #stop = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #met = false;
  #bytes: number | undefined;

  constructor(patience = PATIENCE_MS) {
    this.#timer = setTimeout(() => {
      if (!this.#met) this.#stop.abort();
    }, patience);
  }

  /** Aborted when the device has not come in time. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  hear(event: TransferEvent): void {
    if (event.event === 'peer') this.#met = true;
    if (event.event === 'manifest') this.#bytes = event.bytes ?? undefined;
  }

  /** Whether an end means that it is to be sent later. */
  is({ code }: BeelineError): boolean {
    return !this.#met && (this.#stop.signal.aborted || NOT_MET.has(code));
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  /**
   * @param proxied it goes by a proxy only
   * @returns the item, and whether somebody certainly delivers it now @throws BeelineError
   */
  queue(
    host: Host,
    device: string,
    paths: readonly string[],
    options: SendOptions,
    proxied: boolean,
  ): Promise<{ item: OutboxItem; delivered: boolean }> {
    return queue(host, device, paths, options, this.#bytes, proxied);
  }
}

async function queue(
  host: Host,
  device: string,
  paths: readonly string[],
  options: SendOptions,
  bytes: number | undefined,
  proxied: boolean,
): Promise<{ item: OutboxItem; delivered: boolean }> {
  const {
    configDir,
    server,
    lan,
    relay,
    portMap,
    quic,
    lanes,
    limit,
    links,
    onUnreadable,
    exclude,
    include,
    gitignore,
    update,
    sha256,
    receipt,
  } = options;
  const known = (await host.devices(configDir)).find(device);
  if (!known) throw fault('DEVICE_UNKNOWN', { name: device });
  const { OutboxStore } = await host.outbox();
  const store = new OutboxStore();
  const kept = {
    ...(configDir !== undefined && { configDir: resolve(configDir) }),
    ...{ server, lan, relay, portMap, quic, lanes, limit, links, onUnreadable, update, sha256 },
    ...{ exclude, include, gitignore, ...(proxied && { proxied }) },
    receipt: typeof receipt === 'string' ? resolve(receipt) : receipt,
  };
  const item = await store.add({
    ...{ device: known.name, key: known.key, paths: paths.map((path) => resolve(path)), since: Date.now() },
    // What is absent is no member: the file is JSON.
    options: JSON.parse(JSON.stringify(kept)),
    ...(bytes !== undefined && { bytes }),
  });
  return { item, delivered: !proxied && isLocked(`${store.folder}/delivering`) };
}
