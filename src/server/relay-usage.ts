/** What the relay's limits count: pairs by guest, bytes by mailbox, both by address, and in all. */

import { TokenBucket } from '../base/bucket.ts';
import { formatBytes } from '../session/format.ts';
import { Holdings, Windowed } from './counts.ts';
import { type Limits, REMEMBERED_ADDRESSES } from './limits.ts';

/** Bytes that may pass at once, in seconds of the rate. */
const BURST_S = 0.1;

const DAY = 86_400_000;

/** By the address key. */
interface Counted {
  readonly key: string;
}

interface MeetingUsage {
  /** By the guest's number. */
  pairs: Map<number, number>;
  bytes: number;
  /** When a pair of it began or ended last. */
  touched: number;
}

export class RelayUsage {
  readonly #limits: Readonly<Limits>;
  readonly #clock: () => number;
  /**
   * By the mailbox that the two met at, which may live in another instance; those touched longest ago come first. A pair outlives its
   * mailbox if need be; its count goes when both have.
   */
  readonly #meetings = new Map<string, MeetingUsage>();
  readonly #pairs = new Holdings();
  readonly #bytes = new Windowed(DAY);
  /** Readers share it: each is told how long to stop, so that all together keep to it. */
  readonly #rate: TokenBucket | undefined;
  /** Since the start. */
  bytes = 0;
  pairs = 0;

  constructor(limits: Readonly<Limits>, clock: () => number) {
    this.#limits = limits;
    this.#clock = clock;
    const { relayRate } = limits;
    this.#rate =
      relayRate === 0 ? undefined : new TokenBucket(relayRate, relayRate * BURST_S, { now: clock });
  }

  sweep(now: number): void {
    this.#bytes.sweep(now);
    for (const [meeting, { pairs, touched }] of this.#meetings) {
      const old = now - touched > this.#limits.mailboxAge || this.#meetings.size > REMEMBERED_ADDRESSES;
      if (!old) break;
      if (pairs.size === 0) this.#meetings.delete(meeting);
    }
  }

  /** Counts a pair, or says which limit forbids it. */
  open(meeting: string, guest: number, ends: readonly Counted[]): string | undefined {
    const { relayPairsPerGuest, relayPairsPerAddress } = this.#limits;
    const usage = this.#touch(meeting);
    const keys = keysOf(ends);
    const pairs = usage.pairs.get(guest) ?? 0;
    if (pairs >= relayPairsPerGuest)
      return `These two have ${pairs} relayed connections; this server allows no more.`;
    if (keys.some((key) => this.#pairs.of(key) >= relayPairsPerAddress))
      return `One side's address has ${relayPairsPerAddress} relayed connections; this server allows no more.`;
    const spent = this.#spent(usage, keys, 1);
    if (spent) return spent;
    this.pairs++;
    usage.pairs.set(guest, pairs + 1);
    for (const key of keys) this.#pairs.add(key);
    return undefined;
  }

  close(meeting: string, guest: number, ends: readonly Counted[]): void {
    this.pairs--;
    const { pairs } = this.#touch(meeting);
    const left = pairs.get(guest)! - 1;
    if (left > 0) pairs.set(guest, left);
    else pairs.delete(guest);
    for (const key of keysOf(ends)) this.#pairs.remove(key);
  }

  /** What one pair is counted and held back by. */
  meter(meeting: string, ends: readonly Counted[]) {
    const usage = this.#touch(meeting);
    const keys = keysOf(ends);
    return {
      /** Counts bytes that came. Returns the sentence of the limit that they break, if any; even then they count. */
      count: (bytes: number): string | undefined => {
        this.bytes += bytes;
        usage.bytes += bytes;
        for (const key of keys) this.#bytes.hit(key, this.#clock(), bytes);
        return this.#spent(usage, keys, 0);
      },
      /** Milliseconds until a reader of so many bytes may read on. */
      pace: (bytes: number): number => this.#rate?.owe(bytes) ?? 0,
    };
  }

  /** The sentence of the limit that so many more bytes would break. */
  #spent(usage: MeetingUsage, keys: readonly string[], bytes: number): string | undefined {
    const { relayMailboxBytes, relayAddressBytes } = this.#limits;
    const now = this.#clock();
    if (usage.bytes + bytes > relayMailboxBytes)
      return `This server's relay carries at most ${formatBytes(relayMailboxBytes)} for one meeting.`;
    if (keys.some((key) => this.#bytes.of(key, now) + bytes > relayAddressBytes))
      return `This server's relay carries at most ${formatBytes(relayAddressBytes)} a day for one address.`;
    return undefined;
  }

  #touch(meeting: string): MeetingUsage {
    const usage = this.#meetings.get(meeting) ?? { pairs: new Map(), bytes: 0, touched: 0 };
    usage.touched = this.#clock();
    this.#meetings.delete(meeting);
    this.#meetings.set(meeting, usage);
    return usage;
  }
}

/** Two sides behind one address are one address. */
function keysOf(ends: readonly Counted[]): string[] {
  return [...new Set(ends.map(({ key }) => key))];
}
