/** One TCP connection to a STUN server: few requests, small answers, and never open for nothing. */
import type { Socket } from 'node:net';
import { plainHost } from '../../base/addresses.ts';
import { TokenBucket } from '../../base/bucket.ts';
import type { Address } from '../../wire/candidate.ts';
import { answerBinding } from './answer.ts';
import { StunFrames } from './frames.ts';

export interface ConnectionLimits {
  /** Milliseconds between requests: a mapping lives as long as its connection. */
  idle: number;
  /** Milliseconds for a request, from its first byte, or from the connection's beginning. */
  whole: number;
  requests: number;
  /** A second; and so many at once. */
  rate: number;
  burst: number;
}

export const CONNECTION_LIMITS: Readonly<ConnectionLimits> = {
  idle: 60_000,
  whole: 5_000,
  requests: 256,
  rate: 1,
  burst: 8,
};

/**
 * Answers until the client ends or is over a limit; the socket is destroyed then. `other` has this server's other port.
 * @param asked before the first answer; false: there is no room for one that goes on
 */
export function serveConnection(
  socket: Socket,
  other: number,
  limits = CONNECTION_LIMITS,
  asked: () => boolean = () => true,
): void {
  const { remoteAddress, remotePort, localAddress } = socket;
  socket.on('error', () => socket.destroy());
  // Gone already.
  if (!remoteAddress || !remotePort || !localAddress) return void socket.destroy();
  const from: Address = { host: plainHost(remoteAddress), port: remotePort };
  const question = { from, other: { host: localAddress, port: other }, canChange: false };
  const frames = new StunFrames();
  const rate = new TokenBucket(limits.rate, limits.burst);
  let left = limits.requests;
  let known = false;

  let timer: NodeJS.Timeout;
  const expect = (within: number) => {
    clearTimeout(timer);
    timer = setTimeout(() => socket.destroy(), within);
  };
  expect(limits.whole);
  socket.once('close', () => clearTimeout(timer));
  // Also where the listener allows connections to be half open.
  socket.once('end', () => socket.end());

  socket.on('data', (bytes: Uint8Array) => {
    // Bytes that trickle in move no deadline: only a request's first does, and its end.
    const began = frames.partial > 0;
    try {
      frames.push(bytes);
      let answered = false;
      for (let request = frames.next(); request; request = frames.next()) {
        const answer = rate.take() && left-- > 0 ? answerBinding(request, question) : undefined;
        known = answer !== undefined && (known || asked());
        if (!answer || !known) return void socket.destroy();
        socket.write(answer.bytes);
        answered = true;
      }
      if (frames.partial > 0 && (answered || !began)) expect(limits.whole);
      else if (answered) expect(limits.idle);
    } catch {
      socket.destroy();
    }
  });
  // It may have been paused, or read from, by whoever looked at its first byte.
  socket.resume();
}
