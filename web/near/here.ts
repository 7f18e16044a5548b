/** Devices near this page: who shows itself at the same address, while this one does; and who of them wants to send something here. */
import { type BeelineError, type NearDevice, parseCode } from '../../src/browser/light.ts';
import { engine, type PageEngine } from '../engine.ts';
import type { TransferShown } from '../model/running.ts';
import { isWaiting } from '../model/view.ts';
import * as preferences from '../preferences.ts';

/** Who says no so often is shown no more. */
const MOST_REFUSALS = 3;
/** Of the tabs of one browser one shows it: the one that was looked at last. */
const LOCK = 'beeline-near';

/** `elsewhere`: another tab shows this device. `full`: there is no room at this address. `unknown`: the server does not say who is near. */
export type NearState = 'off' | 'looking' | 'seen' | 'elsewhere' | 'full' | 'unknown';

export interface NearCall {
  from: NearDevice;
  nameplate: string;
}

export class NearHere {
  state: NearState = 'off';
  devices: readonly NearDevice[] = [];
  /** That others see. */
  name: string;
  readonly #engine: PageEngine;
  readonly #changed: () => void;
  readonly #calls = new Map<string, NearCall>();
  /** Those that the person does not want to hear of in this visit. */
  readonly #hushed = new Set<string>();
  #link: ReturnType<PageEngine['showNear']> | undefined;
  /** Lasts while another tab shows this device: nothing would call again. */
  #calling: { id: string; nameplate: string } | undefined;
  /** Counts the times that this tab has begun to show it. */
  #round = 0;

  /** @param changed called after each change */
  constructor(loaded: PageEngine, changed: () => void) {
    this.#engine = loaded;
    this.#changed = changed;
    const { shown, name } = preferences.near();
    this.name = loaded.nearName(name ?? '') || loaded.ownNearName();
    if (shown) this.#begin();
    const look = () => {
      const waits = this.state === 'elsewhere' || this.state === 'full';
      if (waits && document.visibilityState === 'visible') this.#begin();
    };
    document.addEventListener('visibilitychange', look);
    addEventListener('focus', look);
  }

  static async load(changed: () => void): Promise<NearHere> {
    return new NearHere(await engine(), changed);
  }

  get on(): boolean {
    return this.state !== 'off';
  }

  /** The one that is asked about. */
  get call(): NearCall | undefined {
    return [...this.#calls.values()].find(({ from }) => !this.#hushed.has(from.id));
  }

  /** From now on, as long as this visit lasts. @param text the name that the person wants to have */
  show(text: string): void {
    this.name = this.#engine.nearName(text) || this.#engine.ownNearName();
    this.#hushed.clear();
    preferences.setNear({ shown: true, name: this.name });
    this.#begin();
  }

  hide(): void {
    preferences.setNear({ shown: false, name: this.name });
    this.#calling = undefined;
    this.#end('off');
  }

  /** Calls the device for as long as the transfer waits for somebody to come with its code. */
  follow({ id }: NearDevice, running: TransferShown): void {
    const { code } = running;
    if (!isWaiting(running) || code === undefined) return this.over();
    if (this.#calling?.id === id) return;
    this.#calling = { id, nameplate: parseCode(code).nameplate };
    this.#callAgain();
  }

  /** Nobody is called any more. */
  over(): void {
    if (this.#calling) this.#link?.call(this.#calling.id, undefined);
    this.#calling = undefined;
  }

  #callAgain(): void {
    if (this.#calling) this.#link?.call(this.#calling.id, this.#calling.nameplate);
  }

  /** What it has is being looked at. */
  answered({ from }: NearCall): void {
    this.#calls.delete(from.id);
  }

  notNow({ from }: NearCall): void {
    this.#calls.delete(from.id);
    this.#hushed.add(from.id);
    if (this.#hushed.size >= MOST_REFUSALS) this.hide();
    else this.#changed();
  }

  #begin(): void {
    this.#end('looking');
    const round = this.#round;
    const { locks } = navigator;
    if (!locks) return this.#dial(round);
    const held = () =>
      new Promise<void>((release) => {
        this.#release = release;
        this.#dial(round);
      });
    // Another tab takes it away by rejecting it.
    const taken = () => round === this.#round && this.#end('elsewhere');
    locks.request(LOCK, { steal: true }, held).catch(taken);
  }

  #release = () => {};

  #dial(round: number): void {
    if (round !== this.#round) return this.#release();
    this.#link = this.#engine.showNear(location.origin, this.name, {
      nearby: (devices) => {
        this.state = devices ? 'seen' : 'looking';
        this.devices = devices ?? [];
        const there = new Set(this.devices.map(({ id }) => id));
        for (const id of this.#calls.keys()) if (!there.has(id)) this.#calls.delete(id);
        this.#changed();
      },
      called: (from, nameplate) => {
        if (nameplate === undefined) this.#calls.delete(from.id);
        else this.#calls.set(from.id, { from, nameplate });
        this.#changed();
      },
      refused: ({ code }: BeelineError) => this.#end(code === 'CROWDED' ? 'full' : 'unknown'),
    });
    this.#callAgain();
  }

  #end(state: NearState): void {
    this.#round++;
    this.#link?.close();
    this.#link = undefined;
    this.#release();
    this.#release = () => {};
    this.#calls.clear();
    this.devices = [];
    this.state = state;
    this.#changed();
  }
}
