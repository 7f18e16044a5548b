/**
 * What a STUN server answers: Binding requests, and nothing else. Sources of datagrams can be forged, so an answer is
 * at most MAX_GROWTH bytes longer than its request: of no use to who wants to flood somebody.
 */
import type { Address } from '../../wire/candidate.ts';
import { errorCode, plainAddress, xorAddress } from './attributes.ts';
import { CHANGE_HOST, CHANGE_PORT } from './binding.ts';
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

export interface Question {
  from: Address;
  /** The server's other port, if it has one; the host may be unspecified. */
  other?: Address;
  /** It can answer from there: not over TCP. */
  canChange: boolean;
}

export interface Answer {
  bytes: Uint8Array;
  /** To be sent from the other port. */
  changePort: boolean;
}

/** Attributes that one must understand, and we do: here those of credentials mean nothing, and are not checked. */
const KNOWN = new Set<number>(Object.values(ATTRIBUTE));
/** RFC 8489, 14.13: the number of unknown ones that are told is ours to bound. */
const MAX_UNKNOWN = 2;

/** Undefined: no Binding request, so no answer: two servers made to answer each other would never end. */
export function answerBinding(request: Uint8Array, question: Question): Answer | undefined {
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
