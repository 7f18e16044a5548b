/**
 * What a TCP connection of ours does about losses, on Linux. CUBIC, which most systems have, takes each loss for a full queue: on a long path
 * one in a hundred leaves it less than a hundredth of a fast link. BBR measures what the path carries. A connection is given
 * BBR once it has lost packets though no queue was there, and only then: where the queue is what loses them, it stays as fair
 * as it was.
 *
 * Node sets no such option, so this goes through `koffi`, an optional package, which is loaded when a long path needs it.
 */
import type { TLSSocket } from 'node:tls';
import { type Clock, realClock } from '../base/clock.ts';

/** Milliseconds of a round trip above which a path is long. On a shorter one, several connections fill the link with CUBIC. */
const LONG_MS = 40;
/** Bytes that it must have sent: the other side's end of the same lane sends next to nothing. */
const LEAST_SENT = 64 * 1024;
/** Milliseconds between two looks at the kernel's counters. */
const LOOK_MS = 100;
/** A queue is there if packets take so many times as long as at best, or so many microseconds longer. */
const QUEUED = 1.25;
const JITTER_US = 5_000;

/** Of <netinet/tcp.h>; offsets in `struct tcp_info`, which only grows at its end. */
const IPPROTO_TCP = 6;
const TCP_INFO = 11;
const TCP_CONGESTION = 13;
const INFO_LENGTH = 152;
const RTT = 68;
const TOTAL_RETRANS = 100;
const MIN_RTT = 148;
const BBR = Buffer.from('bbr');

/** The kernel's counters of a connection; times in microseconds. */
export interface Counters {
  rtt: number;
  minRtt: number;
  /** Packets that were sent again. */
  retransmitted: number;
}

/** The options of a socket, by its descriptor. */
export interface SocketOptions {
  counters(descriptor: number): Counters | undefined;
  /** False: the kernel has no BBR, or not for this user. */
  useBbr(descriptor: number): boolean;
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
        retransmitted: info.readUInt32LE(TOTAL_RETRANS),
      };
    },
    useBbr: (descriptor) => set(descriptor, IPPROTO_TCP, TCP_CONGESTION, BBR, BBR.length) === 0,
  };
}

/** A TCP connection, as far as it matters here. */
type Connection = Pick<TLSSocket, 'bytesWritten' | 'destroyed' | 'remoteAddress'>;

/** Addresses to which a connection was given BBR: the next ones get it at once. */
const MAX_LOSSY = 256;
const lossy = new Set<string>();

/** Watches one connection, while it sends, until it has BBR or cannot have it. */
export class Congestion {
  readonly #connection: Connection;
  readonly #descriptor: () => number;
  readonly #load: () => Promise<SocketOptions | undefined>;
  readonly #clock: Clock;
  #state: 'short' | 'long' | 'over' = 'short';
  #retransmitted = 0;

  constructor(
    connection: Connection,
    { descriptor = () => descriptorOf(connection), load = socketOptions, clock = realClock } = {},
  ) {
    this.#connection = connection;
    this.#descriptor = descriptor;
    this.#load = load;
    this.#clock = clock;
  }

  /** Its path has been measured. */
  measured(roundTripMs: number): void {
    if (this.#state === 'short' && roundTripMs >= LONG_MS) this.#state = 'long';
    this.sent();
  }

  /** Something has left. */
  sent(): void {
    if (this.#state !== 'long' || this.#connection.bytesWritten < LEAST_SENT) return;
    this.#state = 'over';
    void this.#load().then((options) => options && this.#look(options));
  }

  #look(options: SocketOptions): void {
    const { destroyed, remoteAddress = '' } = this.#connection;
    const descriptor = destroyed ? -1 : this.#descriptor();
    const seen = descriptor < 0 ? undefined : options.counters(descriptor);
    if (!seen) return;
    const again = seen.retransmitted > this.#retransmitted;
    this.#retransmitted = seen.retransmitted;
    const queued = seen.rtt > Math.max(QUEUED * seen.minRtt, seen.minRtt + JITTER_US);
    if (lossy.has(remoteAddress) || (again && !queued)) {
      if (!options.useBbr(descriptor)) return;
      if (lossy.size >= MAX_LOSSY) lossy.clear();
      lossy.add(remoteAddress);
      return;
    }
    this.#clock.after(LOOK_MS, () => this.#look(options));
  }
}

/** Of the TCP connection below TLS; -1 if something else is below. Undocumented; a test checks it. */
export function descriptorOf(socket: object): number {
  const { _handle } = socket as { _handle?: { fd?: number } | null };
  return _handle?.fd ?? -1;
}
