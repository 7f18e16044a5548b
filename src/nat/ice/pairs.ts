/** The ways between this side's sockets and the peer's addresses (RFC 8445, 6.1.2), and which of them is best. */

import { TokenBucket } from '../../base/bucket.ts';
import { MAX_ADDRESSES } from '../../base/limits.ts';
import type { Address } from '../../wire/candidate.ts';
import { isNear, usable } from './address.ts';
import { keyOf, type PairStream, type UdpPort } from './checks.ts';

/** Addresses that the peer never named, but asked from: a NAT's mapping, as a rule (RFC 8445, 7.3.1.3). */
const MAX_PEER_REFLEXIVE = 16;
/** The way changes only if the round trip is shorter by this factor, and by so many milliseconds. */
const WORTH_FACTOR = 0.5;
const WORTH_TIME = 10;

export interface Pair {
  readonly socket: UdpPort;
  readonly remote: Address;
  /** On a network of ours: no router's mapping in between. */
  readonly near: boolean;
  /** The peer named it. */
  named: boolean;
  /** A request of ours was answered there. */
  working: boolean;
  /** Requests since the last answer, or since checks began. */
  asked: number;
  /** `performance.now()` of the next request, and of the one before. */
  due: number;
  last: number;
  /** Milliseconds since the last answer, as far as this process ran; in use, since that began at most. */
  silent: number;
  /** It was, when it was last looked at. */
  inUse: boolean;
  /** Smoothed, in milliseconds. */
  roundTrip: number;
  readonly streams: Set<PairStream>;
  /** How often the peer may be told of streams that have ended. */
  readonly mayTell: TokenBucket;
}

export class Pairs {
  readonly #all = new Map<string, Pair>();

  [Symbol.iterator](): Iterator<Pair> {
    return [...this.#all.values()][Symbol.iterator]();
  }

  get working(): Pair[] {
    return [...this.#all.values()].filter((pair) => pair.working);
  }

  find(socket: UdpPort, remote: Address): Pair | undefined {
    return this.#all.get(idOf(socket, remote));
  }

  /** Takes the addresses that the peer names now. Others that do not work are forgotten. */
  name(socket: UdpPort, candidates: readonly Address[]): void {
    for (const pair of this) pair.named = false;
    const addresses = candidates.slice(0, MAX_ADDRESSES).map(usable);
    for (const remote of addresses.filter((each) => each !== undefined)) {
      const known = this.find(socket, remote) ?? this.#add(socket, remote);
      known.named = true;
    }
    for (const pair of this) if (!pair.named && !pair.working) this.remove(pair);
  }

  /** A way that the peer showed by using it; undefined when there are too many, or nothing leads there. */
  learn(socket: UdpPort, from: Address): Pair | undefined {
    const remote = usable(from);
    if (!remote) return undefined;
    const known = this.find(socket, remote);
    if (known) return known;
    const learnt = [...this.#all.values()].filter((pair) => !pair.named);
    if (learnt.length >= MAX_PEER_REFLEXIVE) {
      const oldest = learnt.find((pair) => !pair.working);
      if (!oldest) return undefined;
      this.remove(oldest);
    }
    return this.#add(socket, remote);
  }

  remove(pair: Pair): void {
    this.#all.delete(idOf(pair.socket, pair.remote));
  }

  /** @param now the one in use, which stays unless another is worth the change */
  best(now: Pair | undefined): Pair | undefined {
    const [first] = this.working.sort((a, b) => Number(b.near) - Number(a.near) || a.roundTrip - b.roundTrip);
    if (!now?.working || !first || first.near !== now.near) return first;
    const gain = now.roundTrip - first.roundTrip;
    return first.roundTrip < now.roundTrip * WORTH_FACTOR && gain > WORTH_TIME ? first : now;
  }

  #add(socket: UdpPort, remote: Address): Pair {
    const pair: Pair = {
      socket,
      remote,
      near: isNear(remote.host),
      named: false,
      working: false,
      asked: 0,
      due: performance.now(),
      last: -Infinity,
      silent: 0,
      inUse: false,
      roundTrip: 0,
      streams: new Set(),
      mayTell: new TokenBucket(8, 32),
    };
    this.#all.set(idOf(socket, remote), pair);
    return pair;
  }
}

function idOf(socket: UdpPort, remote: Address): string {
  return `${socket.port}|${keyOf(remote)}`;
}
