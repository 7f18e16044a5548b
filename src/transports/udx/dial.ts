/** Opening a lane: the peer is asked, in a keyed check, for a stream under ids of our choice; then TLS. */
import { randomInt } from 'node:crypto';
import type { SecureContext } from 'node:tls';
import { type BeelineError, fault } from '../../base/errors.ts';
import { localAddress } from '../../nat/ice/address.ts';
import { type Checks, streamAttribute } from '../../nat/ice/checks.ts';
import type { Pair } from '../../nat/ice/pairs.ts';
import type { Pipe } from '../../secure/pipe.ts';
import { tlsClient } from '../../secure/tls.ts';
import { formatAddress } from '../../wire/candidate.ts';

/** Milliseconds for the peer to take the stream, and between requests at first and at most. */
const ANSWER_DEADLINE = 5_000;
const FIRST_WAIT = 60;
const LONGEST_WAIT = 1_000;

export interface DialOptions {
  checks: Checks;
  context: SecureContext;
  pin: () => string;
}

/** @throws BeelineError NO_PATH, TIMEOUT, AUTHENTICATION; nothing is left open then. */
export async function dialStream(pair: Pair, options: DialOptions, signal: AbortSignal): Promise<Pipe> {
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
  return new Promise((resolve, reject) => {
    const remote = formatAddress(pair.remote);
    let retry: NodeJS.Timeout | undefined;
    const settle = (error?: BeelineError) => {
      clearTimeout(retry);
      clearTimeout(deadline);
      signal.removeEventListener('abort', abort);
      if (error) reject(error);
      else resolve();
    };
    const abort = () => settle(fault('LANE_OUTPACED'));
    const late = fault('LANE_LATE', { remote, kind: 'udx' });
    const deadline = setTimeout(() => settle(late), ANSWER_DEADLINE);
    const full = fault('UDP_FULL', { remote });
    const ask = (wait: number) => {
      checks.ask(pair.socket, pair.remote, [streamAttribute(...ids)], (answer) =>
        settle(answer.class === 'success' ? undefined : full),
      );
      retry = setTimeout(() => ask(Math.min(LONGEST_WAIT, wait * 2)), wait);
    };
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort);
    ask(Math.max(FIRST_WAIT, 1.5 * pair.roundTrip));
  });
}

function randomId(): number {
  return randomInt(1, 2 ** 31);
}
