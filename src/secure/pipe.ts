/** What a lane needs of a transport: an ordered, authenticated byte pipe with backpressure both ways. Pure. */
import { realClock, withDeadline } from '../base/clock.ts';
import { fault } from '../base/errors.ts';
import { LANE_OPEN_DEADLINE } from '../base/limits.ts';
import type { FrameSink } from '../wire/framing.ts';

export interface Pipe {
  /** The transport's. */
  readonly kind: string;
  /** Its maker knows that it goes through a relay. Absent: it does not. */
  readonly relayed?: boolean;
  /** Addresses for people and logs, `host:port`. */
  readonly local: string;
  readonly remote: string;
  /** Of TCP: milliseconds from this side's first packet until it was secure, as far as its maker knows. */
  readonly openedInMs?: number;
  /**
   * Writes one buffer; calls back when it has left for the network and may be reused. One write at a time. One with `frames` calls
   * back after `destroy` too, since until then the buffer is not free.
   */
  write(bytes: Uint8Array, done: (error?: Error | null) => void): void;
  /** Starts delivery. The bytes belong to the pipe and are valid during the call only. */
  start(data: (bytes: Uint8Array) => void, closed: (error?: Error) => void): void;
  /**
   * Of a pipe whose bytes another thread cuts into messages: where these go instead of `data`. Called before `start`. Returns what ends
   * that.
   * @param came bytes that have come since it was called last
   */
  frames?(sink: FrameSink, came: (bytes: number) => void): { end(): void };
  /** Of such a pipe: so many bytes of blocks are asked for. It takes no others, since it holds them itself until they are whole. */
  asks?(bytes: number): void;
  /** Stops delivery soon: a little more may still come. */
  pause(): void;
  resume(): void;
  destroy(error?: Error): void;
  /** The lane above has measured the path: the shortest round trip so far. */
  measured?(roundTripMs: number): void;
  /** What this side sends is not slowed down by losses that no queue makes. Absent: it is, or nobody knows. */
  bearsLosses?(): boolean;
}

/**
 * Opens a lane, within its deadline and while somebody waits for it.
 * @param ms milliseconds
 * @throws BeelineError TIMEOUT; NO_PATH once the signal is aborted; what `work` throws
 */
export function opening<T>(
  { kind, remote }: Pick<Pipe, 'kind' | 'remote'>,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
  ms = LANE_OPEN_DEADLINE,
): Promise<T> {
  const late = () => fault('LANE_LATE', { remote, kind });
  return withDeadline(realClock, signal, ms, late, work, () => fault('LANE_OUTPACED'));
}
