/**
 * Who shows itself at which address, without sockets or timers. Only who is seen sees. Each of a group hears the whole list at each change,
 * unless it changes again and again: then at the next sweep. What others of a group say of themselves proves nothing, and no address is told.
 */
import { TokenBucket } from '../base/bucket.ts';
import { type BeelineError, fault } from '../base/errors.ts';
import { MAX_NEAR, type NearDevice, type NearMessage } from '../wire/near.ts';
import { RENDEZVOUS_VERSION } from '../wire/rendezvous.ts';
import type { NearElsewhere } from './elsewhere.ts';
import type { Limits } from './limits.ts';
import { keyOf } from './places.ts';
import { Steady } from './steady.ts';

/** Calls of one page, their ends included; what is beyond is lost. */
const CALLS = 8;
const CALLS_PER_S = 0.2;
/** Calls that one page hears of all others together. */
const HEARD = 16;
const HEARD_PER_S = 0.5;
/** Of one address in a group of many addresses: a whole one, since all of a network have the same /64. */
const MOST_OF_ADDRESS = 4;
/** Hex digits of an id. */
const ID_DIGITS = 16;

/** A connection that shows itself. */
export interface Presence {
  /** The address key that it counts under. */
  readonly key: string;
  readonly address: string;
  nearby(message: NearMessage): void;
  /** The same page has come by another connection. */
  replaced(): void;
}

/** What is said to other instances. */
interface Others {
  post(instance: string, message: NearElsewhere): boolean;
  broadcast(message: NearElsewhere): void;
}

interface Shown {
  readonly presence: Presence;
  readonly device: NearDevice;
  readonly group: string;
  readonly calls: TokenBucket;
  readonly heard: TokenBucket;
}

interface Group {
  readonly here: Map<string, Shown>;
  /** By the instance where they are. */
  readonly elsewhere: Map<string, readonly NearDevice[]>;
}

export class Nearby {
  readonly #limits: Readonly<Limits>;
  readonly #clock: { now(): number };
  readonly #others: Others;
  readonly #groups = new Map<string, Group>();
  readonly #shown = new Map<Presence, Shown>();
  readonly #lists: Steady<Shown>;

  constructor(limits: Readonly<Limits>, clock: { now(): number }, others: Others) {
    this.#limits = limits;
    this.#clock = clock;
    this.#others = others;
    this.#lists = new Steady(clock, (shown) => this.#tell(shown));
  }

  get size(): number {
    return this.#shown.size;
  }

  /** Why one more may not show itself, if so. @param token of its visit: a page that comes back takes the place of itself */
  refusal(presence: Presence, group: string, token: string): BeelineError | undefined {
    const { near, nearPerAddress } = this.#limits;
    if (this.#shown.size >= near)
      return fault('SERVER_BUSY', { what: `This server is full (${near} devices that show themselves).` });
    const found = this.#groups.get(group);
    if (!found || found.here.has(idOf(token))) return undefined;
    const most = Math.min(nearPerAddress, MAX_NEAR);
    if (listOf(found).length >= most) return fault('NEAR_FULL', { most });
    const { key, address } = presence;
    const own = [...found.here.values()].filter((shown) => shown.presence.address === address).length;
    return key !== group && own >= MOST_OF_ADDRESS
      ? fault('NEAR_FULL', { most: MOST_OF_ADDRESS })
      : undefined;
  }

  /** From now on it is seen, and sees. @param token of its visit */
  show(presence: Presence, group: string, token: string, name: string): void {
    const device = { id: idOf(token), name };
    const first = !this.#groups.has(group);
    const found: Group = this.#groups.get(group) ?? { here: new Map(), elsewhere: new Map() };
    const before = found.here.get(device.id);
    if (before) this.#forget(before);
    const shown: Shown = {
      ...{ presence, device, group },
      calls: new TokenBucket(CALLS_PER_S, CALLS, this.#clock),
      heard: new TokenBucket(HEARD_PER_S, HEARD, this.#clock),
    };
    this.#groups.set(group, found);
    found.here.set(device.id, shown);
    this.#shown.set(presence, shown);
    this.#changed(found);
    this.#say(group, first);
    before?.presence.replaced();
  }

  leave(presence: Presence): void {
    const shown = this.#shown.get(presence);
    if (!shown) return;
    this.#forget(shown);
    const group = this.#groups.get(shown.group)!;
    this.#say(shown.group, false);
    if (group.here.size === 0) this.#groups.delete(shown.group);
    else this.#changed(group);
  }

  #forget(shown: Shown): void {
    this.#shown.delete(shown.presence);
    this.#lists.forget(shown);
    this.#groups.get(shown.group)!.here.delete(shown.device.id);
  }

  /** To one of its own group; to anybody else it is lost, and nothing says so. @param nameplate absent: the call is over */
  call(presence: Presence, to: string, nameplate: string | undefined): void {
    const caller = this.#shown.get(presence);
    if (!caller?.calls.take()) return;
    const { group, device } = caller;
    if (this.#ring(group, to, device, nameplate)) return;
    for (const [instance, devices] of this.#groups.get(group)!.elsewhere)
      if (devices.some(({ id }) => id === to))
        return void this.#others.post(instance, { t: 'called', group, to, from: device, nameplate });
  }

  #ring(group: string, to: string, from: NearDevice, nameplate: string | undefined): boolean {
    const called = this.#groups.get(group)?.here.get(to);
    if (!called) return false;
    if (from.id !== to && called.heard.take()) called.presence.nearby({ t: 'called', from, nameplate });
    return true;
  }

  /** Another instance tells who is there, or passes a call on. */
  told(instance: string, news: NearElsewhere): void {
    const group = this.#groups.get(news.group);
    if (news.t === 'called') {
      const known = group?.elsewhere.get(instance)?.find(({ id }) => id === news.from.id);
      if (known) this.#ring(news.group, news.to, known, news.nameplate);
      return;
    }
    // Of a group without anybody here nothing is kept: who comes first asks.
    if (!group) return;
    if (news.devices.length > 0) group.elsewhere.set(instance, news.devices);
    else group.elsewhere.delete(instance);
    if (news.asks) this.#others.post(instance, this.#here(news.group, false));
    this.#changed(group);
  }

  /** Another instance has died, or has left. */
  gone(instance: string): void {
    for (const group of this.#groups.values()) if (group.elsewhere.delete(instance)) this.#changed(group);
  }

  /** To the others this is another instance from now on, and what they said meanwhile was lost. */
  back(): void {
    for (const [name, group] of this.#groups) {
      group.elsewhere.clear();
      this.#changed(group);
      this.#say(name, true);
    }
  }

  /** Tells what was held back. Called every few seconds. */
  sweep(): void {
    this.#lists.sweep();
  }

  #say(group: string, asks: boolean): void {
    this.#others.broadcast(this.#here(group, asks));
  }

  #here(group: string, asks: boolean): NearElsewhere {
    const here = this.#groups.get(group)?.here.values() ?? [];
    const devices = Array.from(here, ({ device }) => device).slice(0, MAX_NEAR);
    return { t: 'near', group, devices, asks };
  }

  #changed({ here }: Group): void {
    for (const shown of here.values()) this.#lists.changed(shown);
  }

  #tell(shown: Shown): void {
    const all = listOf(this.#groups.get(shown.group)!);
    const devices = all.filter(({ id }) => id !== shown.device.id).slice(0, MAX_NEAR);
    shown.presence.nearby({ t: 'nearby', v: RENDEZVOUS_VERSION, devices });
  }
}

/** Each once, though it may be at two instances for a moment. */
function listOf({ here, elsewhere }: Group): NearDevice[] {
  const all = new Map([...elsewhere.values()].flat().map((device) => [device.id, device]));
  for (const { device } of here.values()) all.set(device.id, device);
  return [...all.values()];
}

const idOf = (token: string): string => keyOf(`near ${token}`).slice(0, ID_DIGITS);
