/** How many bytes have come from each device that has a quota: kept in the folder of this user's state, so that a restart forgets none. */
import { join } from 'node:path';
import * as v from 'valibot';
import { count, list, only, text, tryJson } from '../../base/json.ts';
import { readPrivate, userFolder, whileLocked, writePrivate } from '../../identity/config-folder.ts';
import type { Device } from '../../identity/devices.ts';

const FILE_RULES = { max: 1024 * 1024, forbidden: 0o077 };
/** More than can be trusted: the oldest are forgotten. */
const MOST = 2000;
const NUMBER = count(Number.MAX_SAFE_INTEGER);
const RECEIVED = only({
  version: v.literal(1),
  received: list(only({ key: text(128), since: NUMBER, bytes: NUMBER }), MOST),
});
type Received = v.InferOutput<typeof RECEIVED>['received'];

export class ReceivedBytes {
  readonly #folder: string;
  /** What has been accepted and not ended yet, by device key: several offers at once must not share one rest. */
  readonly #pending = new Map<string, number>();

  constructor(folder: string = join(userFolder('STATE'), 'inbox')) {
    this.#folder = folder;
  }

  /** Since the quota of this device began; 0 without one. @throws BeelineError as `readPrivate` */
  async of({ key, inbox }: Device): Promise<number> {
    const since = inbox?.quota?.since;
    if (since === undefined) return 0;
    const known = (await this.#read()).find((each) => each.key === key && each.since === since);
    return (known?.bytes ?? 0) + (this.#pending.get(key) ?? 0);
  }

  /** That many are on their way from it. @returns says that they are not any more */
  reserve({ key }: Device, bytes: number): () => void {
    const change = (by: number) => {
      const left = (this.#pending.get(key) ?? 0) + by;
      if (left > 0) this.#pending.set(key, left);
      else this.#pending.delete(key);
    };
    change(bytes);
    return () => change(-bytes);
  }

  /** That many have come. @throws BeelineError WRITE_FAILED, TIMEOUT, USAGE */
  async add({ key, inbox }: Device, bytes: number): Promise<void> {
    const since = inbox?.quota?.since;
    if (since === undefined) return;
    await whileLocked(this.#folder, async () => {
      const all = await this.#read();
      const before = all.find((each) => each.key === key && each.since === since)?.bytes ?? 0;
      const others = all.filter((each) => each.key !== key);
      const received = [...others, { key, since, bytes: before + bytes }].slice(-MOST);
      await writePrivate(this.#path, `${JSON.stringify({ version: 1, received })}\n`);
    });
  }

  get #path(): string {
    return join(this.#folder, 'received.json');
  }

  /** A damaged one counts for nothing: it is no reason to take nothing any more. */
  async #read(): Promise<Received> {
    const json = await readPrivate(this.#path, FILE_RULES);
    return (json === undefined ? undefined : tryJson(RECEIVED, json)?.received) ?? [];
  }
}
