/** The trusted devices as they are now: another command may add one, remove one or change its rules at any time. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { every, realClock } from '../../base/clock.ts';
import { asBeelineError, type BeelineError } from '../../base/errors.ts';
import { KnownDevices } from '../../identity/devices.ts';

const LOOK_MS = 1000;

export class DevicesFile {
  readonly #configDir: string;
  #version = '';
  #stop = () => {};

  constructor(configDir: string) {
    this.#configDir = configDir;
  }

  /** @throws BeelineError as `KnownDevices.open` */
  async read(): Promise<KnownDevices> {
    this.#version = await this.#look();
    return KnownDevices.open(this.#configDir);
  }

  /** Calls back when it is another file. One that cannot be read is told of once, and what was known still counts. */
  watch(changed: (devices: KnownDevices) => void, failed: (error: BeelineError) => void): void {
    let reading = false;
    this.#stop = every(realClock, LOOK_MS, async () => {
      if (reading) return;
      reading = true;
      try {
        if ((await this.#look()) !== this.#version) changed(await this.read());
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

  async #look(): Promise<string> {
    const found = await stat(join(this.#configDir, 'devices.json')).catch(() => undefined);
    return found ? `${found.ino} ${found.size} ${found.mtimeMs}` : '';
  }
}
