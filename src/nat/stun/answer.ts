/**
 * What a STUN server answers: Binding requests, and nothing else. Sources of datagrams can be forged, so an answer is
 * at most MAX_GROWTH bytes longer than its request. So it is of no use for a flood.
 */

import type { Socket } from 'node:net';
import { plainHost } from '../../base/addresses.ts';
import { TokenBucket } from '../../base/bucket.ts';
import { Alarm, realClock } from '../../base/clock.ts';
import type { Address } from '../../wire/candidate.ts';
import { CHANGE_HOST, CHANGE_PORT } from './ask.ts';
import { errorCode, plainAddress, xorAddress } from './attributes.ts';
import { StunFrames } from './frames.ts';
import {
  ATTRIBUTE,
  attributeOf,
  decodeStun,
  encodeStun,
  METHOD,
  type StunAttribute,
  type StunMessage,
} from './message.ts';

/** Bytes: two IPv6 addresses. */
export const MAX_GROWTH = 48;

export interface StunQuestion {
  from: Address;
  /** The server's other port, if it has one; the host may be unspecified. */
  other?: Address;
  /** It can answer from there: not over TCP. */
  canChange: boolean;
}

export interface StunAnswer {
  bytes: Uint8Array;
  /** To be sent from the other port. */
  changePort: boolean;
}

/** Attributes that must be understood, and are. Those of credentials mean nothing here, and are not checked. */
const KNOWN = new Set<number>(Object.values(ATTRIBUTE));
/** RFC 8489, 14.13: the number of unknown ones that are told is ours to bound. */
const MAX_UNKNOWN = 2;

/** Undefined: no Binding request, so no answer: two servers made to answer each other would never end. */
export function answerBinding(request: Uint8Array, question: StunQuestion): StunAnswer | undefined {
  const asked = decodeStun(request);
  if (asked?.class !== 'request' || asked.method !== METHOD.binding) return undefined;
  const fingerprint = attributeOf(asked, ATTRIBUTE.fingerprint) !== undefined;
  const { transaction, method } = asked;
  const flags = attributeOf(asked, ATTRIBUTE.changeRequest)?.[3] ?? 0;
  const changePort = (flags & CHANGE_PORT) !== 0;
  // This server has one host; and over TCP an answer goes back the way that the request came.
  const cannot = (flags & CHANGE_HOST) !== 0 || (changePort && !question.canChange);
  const unknown = cannot ? [ATTRIBUTE.changeRequest] : unknownOf(asked);
  if (unknown.length > 0) {
    const attributes = refusal(unknown);
    return { bytes: encodeStun({ class: 'error', method, transaction, attributes }), changePort: false };
  }
  const { from, other } = question;
  const attributes: StunAttribute[] = [
    { type: ATTRIBUTE.xorMappedAddress, value: xorAddress(from, transaction) },
  ];
  if (other) attributes.push({ type: ATTRIBUTE.otherAddress, value: plainAddress(other) });
  const bytes = encodeStun({ class: 'success', method, transaction, attributes }, { fingerprint });
  return { bytes, changePort };
}

function unknownOf({ attributes }: StunMessage): number[] {
  const types = attributes.map(({ type }) => type).filter((type) => type < 0x8000 && !KNOWN.has(type));
  return [...new Set(types)].slice(0, MAX_UNKNOWN);
}

function refusal(unknown: number[]): StunAttribute[] {
  const types = Uint8Array.from(unknown.flatMap((type) => [type >> 8, type & 0xff]));
  return [
    { type: ATTRIBUTE.errorCode, value: errorCode(420, 'Unknown Attribute') },
    { type: ATTRIBUTE.unknownAttributes, value: types },
  ];
}

/** Of one TCP connection: few requests, small answers, and never open for nothing. */
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

  const deadline = new Alarm(realClock);
  const expect = (within: number) => deadline.set(within, () => socket.destroy());
  expect(limits.whole);
  socket.once('close', () => deadline.clear());
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
