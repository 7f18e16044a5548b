/** The trusted devices as they are now: another command may add one, remove one or change its rules at any time. */
import { join } from 'node:path';
import { every, realClock } from '../../base/clock.ts';
import { asBeelineError, type BeelineError } from '../../base/errors.ts';
import { KnownDevices } from '../../identity/devices.ts';
import { ChangedFile } from '../files/changed-file.ts';

const LOOK_MS = 1000;

export class DevicesFile {
  readonly #configDir: string;
  readonly #file: ChangedFile;
  #stop = () => {};

  constructor(configDir: string) {
    this.#configDir = configDir;
    this.#file = new ChangedFile(join(configDir, 'devices.json'));
  }

  /** @throws BeelineError as `KnownDevices.open` */
  async read(): Promise<KnownDevices> {
    // Looked at first: what changes while it is read is noticed at the next look.
    await this.#file.changed();
    return KnownDevices.open(this.#configDir);
  }

  /** Calls back when it is another file. One that cannot be read is told of once, and what was known still counts. */
  watch(changed: (devices: KnownDevices) => void, failed: (error: BeelineError) => void): void {
    let reading = false;
    this.#stop = every(realClock, LOOK_MS, async () => {
      if (reading) return;
      reading = true;
      try {
        if (await this.#file.changed()) changed(await KnownDevices.open(this.#configDir));
      } catch (thrown) {
        failed(asBeelineError(thrown));
      } finally {
        reading = false;
      }
    });
  }

  close(): void {
    this.#stop();
  }
}
