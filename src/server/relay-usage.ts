/** What the relay's limits count: pairs by guest, bytes by mailbox, both by address, and in all. */

import { TokenBucket } from '../base/bucket.ts';
import { Holdings, Windowed } from './counts.ts';
import type { Limits } from './limits.ts';
import type { SharedMailbox } from './mailbox.ts';

/** Bytes that may pass at once, in seconds of the rate. */
const BURST_S = 0.1;

const DAY = 86_400_000;

/** By the address key. */
interface Counted {
  readonly key: string;
}

interface MailboxUsage {
  /** By the guest's number. */
  pairs: Map<number, number>;
  bytes: number;
}

export class RelayUsage {
  readonly #limits: Readonly<Limits>;
  readonly #clock: () => number;
  // A pair outlives its mailbox if need be; its count goes when both have.
  readonly #mailboxes = new WeakMap<SharedMailbox, MailboxUsage>();
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
  }

  /** Counts a pair, or says which limit forbids it. */
  open(mailbox: SharedMailbox, guest: number, ends: readonly Counted[]): string | undefined {
    const { relayPairsPerGuest, relayPairsPerAddress } = this.#limits;
    const usage = this.#of(mailbox);
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

  close(mailbox: SharedMailbox, guest: number, ends: readonly Counted[]): void {
    this.pairs--;
    const { pairs } = this.#of(mailbox);
    const left = pairs.get(guest)! - 1;
    if (left > 0) pairs.set(guest, left);
    else pairs.delete(guest);
    for (const key of keysOf(ends)) this.#pairs.remove(key);
  }

  /** What one pair is counted and held back by. */
  meter(mailbox: SharedMailbox, ends: readonly Counted[]) {
    const usage = this.#of(mailbox);
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
  #spent(usage: MailboxUsage, keys: readonly string[], bytes: number): string | undefined {
    const { relayMailboxBytes, relayAddressBytes } = this.#limits;
    const now = this.#clock();
    if (usage.bytes + bytes > relayMailboxBytes)
      return `This server's relay carries at most ${relayMailboxBytes} bytes for one meeting.`;
    if (keys.some((key) => this.#bytes.of(key, now) + bytes > relayAddressBytes))
      return `This server's relay carries at most ${relayAddressBytes} bytes a day for one address.`;
    return undefined;
  }

  #of(mailbox: SharedMailbox): MailboxUsage {
    let usage = this.#mailboxes.get(mailbox);
    if (!usage) {
      usage = { pairs: new Map(), bytes: 0 };
      this.#mailboxes.set(mailbox, usage);
    }
    return usage;
  }
}

/** Two sides behind one address are one address. */
function keysOf(ends: readonly Counted[]): string[] {
  return [...new Set(ends.map(({ key }) => key))];
}
