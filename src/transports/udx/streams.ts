/**
 * Streams for lanes. The receiver asks the peer, in a keyed check, for a stream under ids of its choice; the sender takes it; then
 * TLS proves who is there.
 */
import { randomInt } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import type { SecureContext } from 'node:tls';
import { doubling, realClock } from '../../base/clock.ts';
import { fault } from '../../base/errors.ts';
import { MAX_LANES } from '../../base/limits.ts';
import { localAddress } from '../../nat/ice/address.ts';
import { type Checks, type PairStream, streamAttribute } from '../../nat/ice/checks.ts';
import type { Pair } from '../../nat/ice/pairs.ts';
import { opening, type Pipe } from '../../secure/pipe.ts';
import { tlsClient, tlsServer } from '../../secure/tls.ts';
import { formatAddress } from '../../wire/candidate.ts';

/** For the peer to take the stream, and between requests at first and at most. */
const ANSWER_DEADLINE_MS = 5_000;
const FIRST_WAIT_MS = 60;
const LONGEST_WAIT_MS = 1_000;

export interface UdxDialOptions {
  checks: Checks;
  context: SecureContext;
  pin: () => string;
}

/** @throws BeelineError NO_PATH, TIMEOUT, AUTHENTICATION; nothing is left open then. */
export async function dialStream(pair: Pair, options: UdxDialOptions, signal: AbortSignal): Promise<Pipe> {
  const remote = formatAddress(pair.remote);
  const [ours, theirs] = [randomId(), randomId()];
  const stream = pair.socket.stream(ours, theirs, pair.remote);
  pair.streams.add(stream);
  stream.once('close', () => pair.streams.delete(stream));
  try {
    const [local] = await Promise.all([
      localAddress(pair.remote, pair.socket.port),
      announce(pair, [ours, theirs], options.checks, signal),
    ]);
    const over = { kind: 'udx' as const, local, remote, context: options.context, signal };
    return await tlsClient(stream, over, options.pin());
  } catch (thrown) {
    stream.kill();
    throw thrown;
  }
}

/** Asks until the peer has taken the stream. */
function announce(
  pair: Pair,
  ids: readonly [number, number],
  checks: Checks,
  signal: AbortSignal,
): Promise<void> {
  const remote = formatAddress(pair.remote);
  const attributes = [streamAttribute(...ids)];
  let stop = () => {};
  const asked = () =>
    new Promise<void>((resolve, reject) => {
      stop = doubling(realClock, Math.max(FIRST_WAIT_MS, 1.5 * pair.roundTrip), LONGEST_WAIT_MS, () => {
        checks.ask(pair.socket, pair.remote, attributes, (answer) =>
          answer.class === 'success' ? resolve() : reject(fault('UDP_FULL', { remote })),
        );
      });
    });
  return opening({ kind: 'udx', remote }, signal, asked, ANSWER_DEADLINE_MS).finally(() => stop());
}

function randomId(): number {
  return randomInt(1, 2 ** 31);
}

/** Streams that have not yet finished TLS, which has LANE_OPEN_DEADLINE. */
const MAX_UNPROVEN = 16;
/** Ids of past streams, so that a repeated or replayed request opens none. */
const MAX_REMEMBERED = 4096;

interface AcceptOptions {
  context: SecureContext;
  onPipe: (pipe: Pipe, fingerprint: string) => void;
  /** Nothing came of one. */
  onFailure: (remote: string, error: unknown) => void;
}

/** The sender's end. */
export class Acceptor {
  readonly #options: AcceptOptions;
  readonly #streams = new Map<string, PairStream>();
  readonly #remembered = new Set<string>();
  readonly #end = new AbortController();
  #unproven = 0;

  constructor(options: AcceptOptions) {
    this.#options = options;
    // One for each stream in TLS, more than Node finds usual.
    setMaxListeners(MAX_UNPROVEN, this.#end.signal);
  }

  /** @returns whether the stream is there; undefined: say nothing. */
  offer(pair: Pair, theirs: number, ours: number): 'taken' | 'full' | undefined {
    // An address that has not answered us may be anybody's. The check under way decides that before the peer asks again.
    if (!pair.working || this.#end.signal.aborted) return undefined;
    const name = `${ours}|${theirs}`;
    if (this.#streams.has(name)) return 'taken';
    if (this.#remembered.has(name) || this.#taken(ours)) return undefined;
    if (this.#streams.size >= MAX_LANES || this.#unproven >= MAX_UNPROVEN) return 'full';
    this.#remember(name);
    const stream = pair.socket.stream(ours, theirs, pair.remote);
    this.#streams.set(name, stream);
    pair.streams.add(stream);
    stream.once('close', () => {
      this.#streams.delete(name);
      pair.streams.delete(stream);
    });
    void this.#prove(pair, stream);
    return 'taken';
  }

  close(): void {
    this.#end.abort();
  }

  async #prove(pair: Pair, stream: PairStream): Promise<void> {
    const remote = formatAddress(pair.remote);
    this.#unproven++;
    try {
      const ends = { kind: 'udx' as const, local: '', remote };
      const local = localAddress(pair.remote, pair.socket.port);
      const { context, onPipe } = this.#options;
      const { pipe, fingerprint } = await tlsServer(stream, { ...ends, context, signal: this.#end.signal });
      onPipe({ ...pipe, local: await local }, fingerprint);
    } catch (thrown) {
      stream.kill();
      this.#options.onFailure(remote, thrown);
    } finally {
      this.#unproven--;
    }
  }

  /** UDX knows a stream by the id on our side alone. */
  #taken(ours: number): boolean {
    return [...this.#streams.values()].some(({ id }) => id === ours);
  }

  #remember(name: string): void {
    if (this.#remembered.size >= MAX_REMEMBERED)
      this.#remembered.delete(this.#remembered.values().next().value!);
    this.#remembered.add(name);
  }
}
