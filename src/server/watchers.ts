/** Who waits for hosts of which nameplates, without sockets or timers. */
import { MAX_WATCHED, type WatcherMessage } from '../wire/watch.ts';
import { Holdings } from './counts.ts';
import type { Limits } from './limits.ts';
import { Steady } from './steady.ts';

/** Pages that are merely open watch too: they have at most this part of each limit, so that inboxes find room. */
const PAGES_PART = 0.5;

/** A connection that watches. */
export interface Watcher {
  /** The address key that it counts under. */
  readonly key: string;
  readonly ofPage: boolean;
  notify(message: WatcherMessage): void;
}

interface Watched {
  readonly watcher: Watcher;
  readonly nameplate: string;
  /** What the watcher has heard; undefined until its watch has begun. */
  told: boolean | undefined;
  /** Whether there is a host, as far as this instance has heard; undefined: it has not. */
  now: boolean | undefined;
}

export class Watchers {
  readonly #limits: Readonly<Limits>;
  readonly #news: Steady<Watched>;
  readonly #lists = new Map<Watcher, Map<string, Watched>>();
  readonly #byNameplate = new Map<string, Set<Watcher>>();
  readonly #all = new Share();
  /** What of it pages have. */
  readonly #pages = new Share();
  readonly #asking = new Set<Set<string>>();

  constructor(limits: Readonly<Limits>, clock: { now(): number }) {
    this.#limits = limits;
    this.#news = new Steady(clock, (watched) => this.#tell(watched));
  }

  get size(): number {
    return this.#lists.size;
  }

  /** Nameplates of all watchers together. */
  get watched(): number {
    return this.#all.nameplates;
  }

  /** Why these may not be watched, if so: in words. What the same watcher has watched so far does not count. */
  refusal(watcher: Watcher, nameplates: readonly string[]): string | undefined {
    const own = this.#lists.get(watcher)?.size;
    const more = {
      key: watcher.key,
      watchers: own === undefined ? 1 : 0,
      nameplates: nameplates.length - (own ?? 0),
    };
    const { connectionsPerAddress, ...limits } = this.#limits;
    const all = this.#all.refusal(more, limits, '');
    if (all || !watcher.ofPage) return all;
    const part = (limit: number) => Math.ceil(limit * PAGES_PART);
    const { watchers, watched, watchedPerAddress } = limits;
    return this.#pages.refusal(
      more,
      {
        watchers: part(watchers),
        watchersPerAddress: part(connectionsPerAddress),
        watched: part(watched),
        watchedPerAddress: part(watchedPerAddress),
      },
      ' of pages',
    );
  }

  /** Instead of what it has watched so far. It hears nothing until `begin`. */
  watch(watcher: Watcher, nameplates: readonly string[]): void {
    this.leave(watcher);
    const list = new Map<string, Watched>();
    for (const nameplate of new Set(nameplates)) {
      list.set(nameplate, { watcher, nameplate, told: undefined, now: undefined });
      const all = this.#byNameplate.get(nameplate) ?? new Set();
      this.#byNameplate.set(nameplate, all.add(watcher));
    }
    this.#lists.set(watcher, list);
    for (const share of this.#sharesOf(watcher)) share.add(watcher.key, list.size);
  }

  /** @param hosted those that had a host when it was asked. What has been heard since is newer. @returns those that have one */
  begin(watcher: Watcher, hosted: readonly string[]): string[] {
    const then = new Set(hosted);
    const present: string[] = [];
    for (const [nameplate, watched] of this.#lists.get(watcher) ?? []) {
      watched.now ??= then.has(nameplate);
      watched.told = watched.now;
      if (watched.now) present.push(nameplate);
    }
    return present;
  }

  leave(watcher: Watcher): void {
    const list = this.#lists.get(watcher);
    if (!list) return;
    this.#lists.delete(watcher);
    for (const share of this.#sharesOf(watcher)) share.remove(watcher.key, list.size);
    for (const [nameplate, watched] of list) {
      this.#news.forget(watched);
      const all = this.#byNameplate.get(nameplate)!;
      all.delete(watcher);
      if (all.size === 0) this.#byNameplate.delete(nameplate);
    }
  }

  /** A nameplate has a host now, or has none. */
  changed(nameplate: string, present: boolean): void {
    for (const since of this.#asking) since.add(nameplate);
    for (const watcher of [...(this.#byNameplate.get(nameplate) ?? [])]) {
      const watched = this.#lists.get(watcher)!.get(nameplate)!;
      watched.now = present;
      if (watched.told !== undefined) this.#news.changed(watched);
    }
  }

  /** Changes may have been missed: asks for all that is watched, and tells what is other than it was. */
  async askAgain(hosted: (nameplates: readonly string[]) => Promise<readonly string[]>): Promise<void> {
    const all = [...this.#byNameplate.keys()];
    for (let at = 0; at < all.length; at += MAX_WATCHED) {
      const some = all.slice(at, at + MAX_WATCHED);
      /** What is heard while it is asked is newer than the answer. */
      const since = new Set<string>();
      this.#asking.add(since);
      try {
        const now = new Set(await hosted(some));
        for (const nameplate of some)
          if (!since.has(nameplate) && this.#seems(nameplate) !== now.has(nameplate))
            this.changed(nameplate, now.has(nameplate));
      } finally {
        this.#asking.delete(since);
      }
    }
  }

  /** Whether it has a host, as its watchers have been told. */
  #seems(nameplate: string): boolean | undefined {
    for (const watcher of this.#byNameplate.get(nameplate) ?? []) {
      const { now } = this.#lists.get(watcher)!.get(nameplate)!;
      if (now !== undefined) return now;
    }
    return undefined;
  }

  /** Tells what was held back. Called every few seconds. */
  sweep(): void {
    this.#news.sweep();
  }

  #sharesOf({ ofPage }: Watcher): Share[] {
    return ofPage ? [this.#all, this.#pages] : [this.#all];
  }

  #tell(watched: Watched): void {
    const { watcher, nameplate, told, now: present = false } = watched;
    // One host may have followed another: that it is there is told again.
    if (!present && !told) return;
    watched.told = present;
    watcher.notify({ t: 'hosting', nameplate, present });
  }
}

type ShareLimits = Pick<Limits, 'watchers' | 'watched' | 'watchedPerAddress'> & {
  watchersPerAddress?: number;
};

/** How much some watchers hold together, and those of each address. */
class Share {
  readonly #watchersOf = new Holdings();
  /** Nameplates that are watched from an address, each as often as it is. */
  readonly #nameplatesOf = new Holdings();
  watchers = 0;
  nameplates = 0;

  add(key: string, nameplates: number): void {
    this.watchers++;
    this.nameplates += nameplates;
    this.#watchersOf.add(key);
    this.#nameplatesOf.add(key, nameplates);
  }

  remove(key: string, nameplates: number): void {
    this.watchers--;
    this.nameplates -= nameplates;
    this.#watchersOf.remove(key);
    this.#nameplatesOf.remove(key, nameplates);
  }

  /** Why there may not be so many more, if so. @param whose in words */
  refusal(
    { key, watchers, nameplates }: { key: string; watchers: number; nameplates: number },
    limits: ShareLimits,
    whose: string,
  ): string | undefined {
    const { watchersPerAddress = Number.POSITIVE_INFINITY } = limits;
    if (this.watchers + watchers > limits.watchers)
      return `This server is full (${limits.watchers} watchers${whose}).`;
    if (this.nameplates + nameplates > limits.watched)
      return `This server is full (${limits.watched} watched nameplates${whose}).`;
    if (this.#watchersOf.of(key) + watchers > watchersPerAddress)
      return `Too many watchers${whose} at your address (${watchersPerAddress} is the limit).`;
    if (this.#nameplatesOf.of(key) + nameplates > limits.watchedPerAddress)
      return `Too much is watched${whose} from your address (${limits.watchedPerAddress} nameplates is the limit).`;
    return undefined;
  }
}
