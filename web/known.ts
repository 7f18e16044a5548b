/** The devices that this browser trusts, and which of them have something for this page. */
import {
  changePageDevice,
  forgetPageDevice,
  type OwnPair,
  type PageDevice,
  pageDevices,
} from '../src/browser/light.ts';
import { arrived, engine } from './engine.ts';
import { distinct } from './model/names.ts';

/** Other tabs of this page are told by it that the devices are others. */
const CHANNEL = 'beeline-devices';

export class KnownHere {
  /** The one that was met last comes first. */
  list: readonly PageDevice[] = [];
  readonly #changed: () => void;
  readonly #tabs = new BroadcastChannel(CHANNEL);
  readonly #calling = new Set<string>();
  #watched = '';
  #stop = () => {};

  /** @param changed called after each change */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** They are looked for from now on, here and at the server. */
  begin(): void {
    this.#tabs.onmessage = () => this.#load();
    void this.#load();
  }

  /** Those that wait for this page. */
  get calling(): readonly PageDevice[] {
    return this.list.filter(({ id }) => this.#calling.has(id));
  }

  async remember(pair: OwnPair, what: Pick<PageDevice, 'name' | 'kind' | 'key'>): Promise<void> {
    const { remember } = await engine();
    await remember(pair, { ...what, name: this.#free(what.name) });
    await this.#all();
  }

  async rename({ id }: PageDevice, name: string): Promise<void> {
    await changePageDevice(id, { name: this.#free(name, id) });
    await this.#all();
  }

  /** Something was sent to it, or came from it. */
  async met({ id }: PageDevice): Promise<void> {
    await changePageDevice(id, { at: Date.now() });
    await this.#all();
  }

  async forget({ id }: PageDevice): Promise<void> {
    await forgetPageDevice(id);
    await this.#all();
  }

  /** The name, or a like one: two of one name could not be told apart. @param own whose it is to be */
  #free(name: string, own?: string): string {
    const others = this.list.flatMap((other) => (other.id === own ? [] : [other.name]));
    return distinct([...others, name]).at(-1)!;
  }

  /** What it has is being looked at: it calls anew with the next thing. */
  answered({ id }: PageDevice): void {
    this.#calling.delete(id);
  }

  async #all(): Promise<void> {
    this.#tabs.postMessage('');
    await this.#load();
  }

  async #load(): Promise<void> {
    this.list = await pageDevices();
    this.#changed();
    void arrived.then(() => this.#watch());
  }

  /** Anew if others are to be waited for. */
  async #watch(): Promise<void> {
    const ids = this.list.map(({ id }) => id).sort();
    if (ids.join() === this.#watched) return;
    this.#watched = ids.join();
    const { watchDevices } = await engine();
    this.#stop();
    this.#calling.clear();
    this.#stop = watchDevices(location.origin, this.list, (id, calls) => {
      if (calls === this.#calling.has(id)) return;
      if (calls) this.#calling.add(id);
      else this.#calling.delete(id);
      this.#changed();
    });
  }
}
