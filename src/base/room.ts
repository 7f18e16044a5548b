/**
 * Room for connections that others open: so many in all, and so many of one address. One address that takes much makes
 * way for the others, so that a crowd of a few addresses never keeps anybody else out. Keys are those of `addressKey`.
 */

export interface RoomLimits {
  inAll: number;
  /** Undefined: any number, as for a proxy that everybody comes through. */
  ofAddress?: number | undefined;
}

/**
 * Who makes way in a full room. `oldest`: those in it have proved nothing yet and take seconds, so that a newcomer
 * takes the place of the oldest one of the address that holds most. `fair`: those in it do some work, so that one of
 * them goes only where its address holds at least two more than the newcomer's.
 */
export type RoomWay = 'oldest' | 'fair';

export class Room<T> {
  readonly #limits: Readonly<RoomLimits>;
  readonly #way: RoomWay;
  readonly #putOut: (member: T) => void;
  /** Each member with its key, in the order of coming. */
  readonly #keys = new Map<T, string>();
  /** The members of each key, the oldest first. */
  readonly #members = new Map<string, Set<T>>();
  /** The keys that hold so many, those that reached it first before the others. */
  readonly #byCount: Set<string>[] = [];

  /** @param putOut ends a member that has to make way; it is out of the room already, and a later `leave` does nothing. */
  constructor(limits: Readonly<RoomLimits>, way: RoomWay, putOut: (member: T) => void) {
    this.#limits = limits;
    this.#way = way;
    this.#putOut = putOut;
  }

  get size(): number {
    return this.#keys.size;
  }

  /** How many of this address are in. */
  of(key: string): number {
    return this.#members.get(key)?.size ?? 0;
  }

  /** Whoever is in, the first who came before the others. */
  [Symbol.iterator](): IterableIterator<T> {
    return this.#keys.keys();
  }

  has(member: T): boolean {
    return this.#keys.has(member);
  }

  /** Why a newcomer of this address would find no place, if it would: its own address has too many, or all have. */
  refusal(key: string): 'address' | 'all' | undefined {
    const goes = this.#goes(key);
    return goes === 'address' || goes === 'all' ? goes : undefined;
  }

  /** Lets one in, which may put another out. False, and nobody is in or out, where `refusal` gives a reason. */
  enter(key: string, member: T): boolean {
    const goes = this.#goes(key);
    if (goes === 'address' || goes === 'all') return false;
    if (goes !== undefined) {
      const [oldest] = this.#members.get(goes.of)!;
      this.leave(oldest!);
      this.#putOut(oldest!);
    }
    const members = this.#members.get(key) ?? new Set<T>();
    members.add(member);
    this.#members.set(key, members);
    this.#keys.set(member, key);
    this.#recount(key, members.size - 1, members.size);
    return true;
  }

  /** It has ended, or needs no place here any more. */
  leave(member: T): void {
    const key = this.#keys.get(member);
    if (key === undefined) return;
    const members = this.#members.get(key)!;
    members.delete(member);
    if (members.size === 0) this.#members.delete(key);
    this.#keys.delete(member);
    this.#recount(key, members.size + 1, members.size);
  }

  /** Whose oldest must go before one of this address may come; undefined: nobody's. */
  #goes(key: string): { of: string } | 'address' | 'all' | undefined {
    const { inAll, ofAddress = Number.POSITIVE_INFINITY } = this.#limits;
    const own = this.of(key);
    if (own >= ofAddress) return this.#way === 'oldest' && own > 0 ? { of: key } : 'address';
    if (this.size < inAll) return undefined;
    const most = this.#byCount.length - 1;
    if (most < 1 || (this.#way === 'fair' && most < own + 2)) return 'all';
    // Of several that hold as many, the newcomer's own makes way first: it gains nothing by coming again and again.
    const [busiest] = this.#byCount[most]!;
    return { of: own === most ? key : busiest! };
  }

  #recount(key: string, before: number, now: number): void {
    this.#byCount[before]?.delete(key);
    if (now > 0) {
      const keys = this.#byCount[now] ?? new Set();
      this.#byCount[now] = keys.add(key);
    }
    // Counts change by one, so that the highest is found by looking at the end. Index 0 is never filled.
    while (this.#byCount.length > 0 && !this.#byCount.at(-1)?.size) this.#byCount.pop();
  }
}
