/**
 * What a TCP connection of ours does about losses, on Linux. CUBIC, which most systems have, takes each loss for a full queue: on a long path
 * one in a hundred leaves it less than a hundredth of a fast link. BBR measures what the path carries. A connection is given
 * BBR once packets to the same address were lost though no queue was there, and only then: where the queue is what loses them, it stays as fair
 * as it was. If a shorter round trip shows later that there was a queue, it gets back what it had.
 *
 * Node sets no such option, so this goes through `koffi`, an optional package, which is loaded when a long path needs it.
 */
import type { TLSSocket } from 'node:tls';
import { type Clock, realClock } from '../base/clock.ts';

/** Milliseconds of a round trip above which a path is long. On a shorter one, several connections fill the link with CUBIC. */
const LONG_MS = 40;
/** Bytes that it must have sent: the other side's end of the same lane sends next to nothing. */
const LEAST_SENT = 64 * 1024;
/** Milliseconds between two looks at the kernel's counters; and once it has BBR. */
const LOOK_MS = 100;
const LATER_LOOK_MS = 1000;
/** A queue is there if packets take so many times as long as at best, or so many microseconds longer. */
const QUEUED = 1.25;
const JITTER_US = 5_000;
/** For so long after it, and so many round trips, losses may still be the queue's: it drains as soon as CUBIC has backed off. */
const CALM_MS = 1_000;
const CALM_ROUND_TRIPS = 5;
/** A path loses packets without a queue if it lost so many then, and of all this part: less does not keep CUBIC from filling it. */
const LEAST_LOST = 2;
const LEAST_LOSS = 1e-4;

/** Of <netinet/tcp.h>; offsets in `struct tcp_info`, which only grows at its end. */
const IPPROTO_TCP = 6;
const TCP_INFO = 11;
const TCP_CONGESTION = 13;
const INFO_LENGTH = 152;
const RTT = 68;
const TOTAL_RETRANS = 100;
const SEGMENTS = 136;
const MIN_RTT = 148;
/** Bytes of an algorithm's name at most. */
const NAME_LENGTH = 16;

/** The kernel's counters of a connection; times in microseconds. */
export interface Counters {
  rtt: number;
  minRtt: number;
  /** Packets that were sent, and of these again. */
  sent: number;
  retransmitted: number;
}

/** The options of a socket, by its descriptor. */
export interface SocketOptions {
  counters(descriptor: number): Counters | undefined;
  /** The name of what a connection does about losses. */
  algorithm(descriptor: number): string | undefined;
  /** False: the kernel does not have it, or not for this user. */
  use(descriptor: number, algorithm: string): boolean;
}

let options: Promise<SocketOptions | undefined> | undefined;

/** Undefined where the package, or its binary for this machine, is missing, and on other systems. */
export function socketOptions(): Promise<SocketOptions | undefined> {
  options ??= process.platform === 'linux' ? load().catch(() => undefined) : Promise.resolve(undefined);
  return options;
}

async function load(): Promise<SocketOptions> {
  const { default: koffi } = await import('koffi');
  const own = koffi.load(null);
  const set = own.func('int setsockopt(int, int, int, const void *, uint32_t)');
  const get = own.func('int getsockopt(int, int, int, _Out_ uint8_t *, _Inout_ uint32_t *)');
  const info = Buffer.alloc(INFO_LENGTH);
  return {
    counters(descriptor) {
      const length = [INFO_LENGTH];
      if (get(descriptor, IPPROTO_TCP, TCP_INFO, info, length) !== 0 || length[0] !== INFO_LENGTH)
        return undefined;
      return {
        rtt: info.readUInt32LE(RTT),
        minRtt: info.readUInt32LE(MIN_RTT),
        sent: info.readUInt32LE(SEGMENTS),
        retransmitted: info.readUInt32LE(TOTAL_RETRANS),
      };
    },
    algorithm(descriptor) {
      const name = Buffer.alloc(NAME_LENGTH);
      if (get(descriptor, IPPROTO_TCP, TCP_CONGESTION, name, [NAME_LENGTH]) !== 0) return undefined;
      return name.toString('latin1').replace(/\0.*$/s, '');
    },
    use(descriptor, algorithm) {
      const name = Buffer.from(algorithm);
      return set(descriptor, IPPROTO_TCP, TCP_CONGESTION, name, name.length) === 0;
    },
  };
}

/** A TCP connection, as far as it matters here. */
type Connection = Pick<TLSSocket, 'bytesWritten' | 'destroyed' | 'remoteAddress'>;

/** What all connections to an address have shown of the path; microseconds. */
interface Shown {
  /** One that was opened behind a queue that stands has never seen the path without it. */
  minRtt: number;
  /** The clock's time of the last look that saw a queue. */
  queued: number;
  /** Packets that were sent, and those that were lost with no queue about. */
  sent: number;
  lost: number;
  /** It loses packets without a queue: the round trip by which that was judged. The next connections get BBR at once. */
  lossy: number | undefined;
}

const MAX_ADDRESSES = 256;
const addresses = new Map<string, Shown>();

function shownOf(address: string): Shown {
  let shown = addresses.get(address);
  if (!shown) {
    if (addresses.size >= MAX_ADDRESSES) addresses.clear();
    shown = { minRtt: Infinity, queued: -Infinity, sent: 0, lost: 0, lossy: undefined };
    addresses.set(address, shown);
  }
  return shown;
}

/** Watches one connection, from when it sends. */
export class Congestion {
  readonly #connection: Connection;
  readonly #descriptor: () => number;
  readonly #load: () => Promise<SocketOptions | undefined>;
  readonly #clock: Clock;
  #state: 'short' | 'long' | 'watched' = 'short';
  #sent = 0;
  #retransmitted = 0;
  /** What it had before BBR. */
  #before: string | undefined;

  constructor(
    connection: Connection,
    { descriptor = () => descriptorOf(connection), load = socketOptions, clock = realClock } = {},
  ) {
    this.#connection = connection;
    this.#descriptor = descriptor;
    this.#load = load;
    this.#clock = clock;
  }

  /** It has BBR: losses that no queue makes do not slow it down. */
  get bearsLosses(): boolean {
    return this.#before !== undefined;
  }

  /** Its path has been measured. */
  measured(roundTripMs: number): void {
    if (this.#state === 'short' && roundTripMs >= LONG_MS) this.#state = 'long';
    this.sent();
  }

  /** Something has left. */
  sent(): void {
    if (this.#state !== 'long' || this.#connection.bytesWritten < LEAST_SENT) return;
    this.#state = 'watched';
    void this.#load().then((options) => options && this.#look(options));
  }

  #look(options: SocketOptions): void {
    const { destroyed, remoteAddress = '' } = this.#connection;
    const descriptor = destroyed ? -1 : this.#descriptor();
    const seen = descriptor < 0 ? undefined : options.counters(descriptor);
    if (!seen) return;
    const shown = shownOf(remoteAddress);
    this.#note(shown, seen);
    if (shown.lossy !== undefined && this.#before === undefined) {
      const before = options.algorithm(descriptor);
      if (before === undefined || !options.use(descriptor, 'bbr')) return;
      this.#before = before;
    } else if (shown.lossy === undefined && this.#before !== undefined) {
      if (!options.use(descriptor, this.#before)) return;
      this.#before = undefined;
    }
    this.#clock.after(this.#before === undefined ? LOOK_MS : LATER_LOOK_MS, () => this.#look(options));
  }

  #note(shown: Shown, seen: Counters): void {
    const now = this.#clock.now();
    const lost = seen.retransmitted - this.#retransmitted;
    shown.minRtt = Math.min(shown.minRtt, seen.minRtt);
    shown.sent += seen.sent - this.#sent;
    this.#sent = seen.sent;
    this.#retransmitted = seen.retransmitted;
    const least = Math.max(QUEUED * shown.minRtt, shown.minRtt + JITTER_US);
    if (shown.lossy !== undefined) {
      // The path turned out to be shorter: what was lost then was lost at a queue, of somebody else's making.
      if (shown.lossy > least) Object.assign(shown, { lossy: undefined, lost: 0, sent: 0, queued: now });
      return;
    }
    if (seen.rtt > least) shown.queued = now;
    const calm = Math.max(CALM_MS, (CALM_ROUND_TRIPS * shown.minRtt) / 1000);
    if (now - shown.queued > calm) shown.lost += lost;
    const long = shown.minRtt >= LONG_MS * 1000;
    if (long && shown.lost >= Math.max(LEAST_LOST, LEAST_LOSS * shown.sent)) shown.lossy = seen.rtt;
  }
}

/** Of the TCP connection below TLS; -1 if something else is below. Undocumented; a test checks it. */
export function descriptorOf(socket: object): number {
  const { _handle } = socket as { _handle?: { fd?: number } | null };
  return _handle?.fd ?? -1;
}
