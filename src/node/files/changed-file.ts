/** A small file that other processes replace: whether it is another one than it was when it was last looked at. */
import { stat } from 'node:fs/promises';

export class ChangedFile {
  readonly #path: string;
  #version = '';

  constructor(path: string) {
    this.#path = path;
  }

  /** Also the first time, if it is there. */
  async changed(): Promise<boolean> {
    const found = await stat(this.#path).catch(() => undefined);
    const version = found ? `${found.ino} ${found.size} ${found.mtimeMs}` : '';
    if (version === this.#version) return false;
    this.#version = version;
    return true;
  }
}
