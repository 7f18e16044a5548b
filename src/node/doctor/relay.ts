/** Sending to ourselves through what relays. */
import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { BeelineError, fault } from '../../base/errors.ts';
import { makeCertificate } from '../../identity/certificate.ts';
import { laneContext } from '../../secure/tls.ts';
import { relayStream } from '../../transports/relay/stream.ts';
import { allocate } from '../../transports/turn/allocation.ts';
import { formatAddress } from '../../wire/candidate.ts';
import type { RelaySeat } from '../../wire/relay.ts';
import type { TurnServer } from '../../wire/rendezvous.ts';
import { type Facts, since } from './diagnosis.ts';
import type { Examination } from './examination.ts';

/** Bytes to measure the rate. On most paths they take a moment, and they cost the relay's owner next to nothing. */
const BULK = 256 * 1024;
const PINGS = 3;
/** Milliseconds: a shorter time cannot be told from the clock's steps. */
const SHORTEST = 1;
/** Milliseconds for each answer of a TURN server. */
const TURN_ANSWER = 4_000;

/** @param seats both places of one mailbox @throws BeelineError */
export async function checkRelay(
  url: string,
  seats: readonly [RelaySeat, RelaySeat],
  signal: AbortSignal,
): Promise<Facts['relay']> {
  const scope = new AbortController();
  const both = AbortSignal.any([signal, scope.signal]);
  const open = async (seat: RelaySeat): Promise<Duplex> => {
    const stream = await relayStream(url, seat, both);
    // An error that nobody listens for would end the process.
    stream.on('error', () => {});
    // Also one that comes when nobody waits any more.
    both.addEventListener('abort', () => stream.destroy(), { once: true });
    if (both.aborted) stream.destroy();
    return stream;
  };
  try {
    const [from, to] = await Promise.all([open(seats[0]), open(seats[1])]);
    let ms = Number.POSITIVE_INFINITY;
    for (let i = 0; i < PINGS; i++) ms = Math.min(ms, await sendThrough(from, to, 1));
    const took = await sendThrough(from, to, BULK);
    return { ms, rate: Math.round((BULK / Math.max(took, SHORTEST)) * 1000) };
  } finally {
    scope.abort(new BeelineError('CANCELLED', 'The check of the relay is over.'));
  }
}

/** Milliseconds until so many bytes have come out at the other end. @throws BeelineError NO_PATH, PROTOCOL */
function sendThrough(from: Duplex, to: Duplex, bytes: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const began = performance.now();
    // Random, because a relay's stream does not hide what it carries from proxies on the way.
    const sent = randomBytes(bytes);
    const parts: Buffer[] = [];
    let length = 0;
    const settle = (act: () => void) => {
      to.off('data', arrived);
      for (const stream of [from, to]) stream.off('close', closed).off('error', failed);
      act();
    };
    const arrived = (data: Buffer) => {
      parts.push(data);
      length += data.length;
      if (length < bytes) return;
      const same = length === bytes && Buffer.concat(parts).equals(sent);
      settle(() => (same ? resolve(since(began)) : reject(fault('RELAY_ALTERED'))));
    };
    const failed = (error: Error) => settle(() => reject(error));
    const closed = () => settle(() => reject(fault('RELAY_CLOSED')));
    to.on('data', arrived);
    for (const stream of [from, to]) stream.on('close', closed).on('error', failed);
    from.write(sent);
  });
}

/** @throws BeelineError as `allocate` */
export async function checkTurn(
  exam: Examination,
  server: TurnServer,
  rendezvous: string,
  signal: AbortSignal,
): Promise<Facts['turn']> {
  const { cert, key } = await makeCertificate();
  const began = performance.now();
  const allocation = await allocate({
    ...{ server, rendezvous },
    context: laneContext(cert, key),
    onPipe: (pipe) => pipe.destroy(),
    onLost: () => {},
    signal,
    timing: { answer: TURN_ANSWER },
  });
  const ms = since(began);
  exam.returning(allocation.close());
  return { ms, relayed: formatAddress(allocation.relayed) };
}
