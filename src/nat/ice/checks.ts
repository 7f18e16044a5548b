/**
 * Binding requests and their answers (RFC 8489), on the very sockets that carry the streams. Between peers each is keyed
 * with the password of whoever is asked. No USERNAME: there is one peer a session and one password a side, so it would
 * tell nothing. What is not keyed right is not answered, and changes nothing.
 */
import { randomInt } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { toHex } from '../../base/bytes.ts';
import type { Address } from '../../wire/candidate.ts';
import { decodeDhtReply, encodeDhtPing } from '../dht-ping.ts';
import { xorAddress } from '../stun/attributes.ts';
import {
  ATTRIBUTE,
  attributeOf,
  decodeStun,
  encodeStun,
  hasIntegrity,
  METHOD,
  newTransaction,
  type StunAttribute,
  type StunMessage,
  shortTermKey,
} from '../stun/message.ts';

/** A UDP port and a stream as this folder sees them; transports/udx implements them. */
export interface UdpPort {
  readonly port: number;
  /** Fire and forget: without a network the packet is just lost. */
  send(bytes: Uint8Array, to: Address): void;
  /** @param id ours, which packets to us carry. @param remoteId the other side's. Both of 31 bits. */
  stream(id: number, remoteId: number, to: Address): PairStream;
  close(): Promise<void>;
}

/** A stream over a pair of addresses, which dies with it. */
export interface PairStream extends Duplex {
  readonly id: number;
  readonly remoteId: number;
  /** Ends it at once, whatever was under way: its path is dead. */
  kill(): void;
}

/** Requests that wait for an answer; beyond that the oldest is forgotten. */
const MAX_TRANSACTIONS = 4096;
/** Pings of nodes of the DHT that wait for an answer. */
const MAX_PINGS = 256;
/** Milliseconds after which an answer is too old to count. */
const STALE = 10_000;
/** "Allocation Quota Reached" (RFC 8656, 19), here of streams. */
export const TOO_MANY = 486;

export type Answered = (answer: StunMessage, roundTrip: number) => void;

export interface CheckAsked {
  /** A request of the peer, from whatever address. @returns what to answer, undefined: nothing. */
  request(message: StunMessage, from: Address, socket: UdpPort): CheckAnswer | undefined;
  /** An indication of the peer, which wants no answer. */
  indication(message: StunMessage): void;
}

export type CheckAnswer = { class: 'success' | 'error'; attributes: StunAttribute[] };

interface Transaction {
  socket: UdpPort;
  to: string;
  sent: number;
  key: Uint8Array | undefined;
  answered: Answered;
}

export class Checks {
  readonly #ours: Uint8Array;
  readonly #asked: CheckAsked;
  readonly #transactions = new Map<string, Transaction>();
  /** Of nodes of the DHT, by their numbers. */
  readonly #pings = new Map<number, { socket: UdpPort; to: string; seen: (mapped: Address) => void }>();
  #theirs: Uint8Array | undefined;

  /** @param password ours, which the peer keys its requests with */
  constructor(password: string, asked: CheckAsked) {
    this.#ours = shortTermKey(password);
    this.#asked = asked;
  }

  /** @param password the peer's. What was asked of another one is forgotten. */
  peer(password: string): void {
    this.#theirs = shortTermKey(password);
    this.#transactions.clear();
  }

  /** Asks the peer; nothing happens while its password is unknown. */
  ask(socket: UdpPort, to: Address, attributes: StunAttribute[], answered: Answered): void {
    if (this.#theirs) this.#send(socket, to, attributes, this.#theirs, answered);
  }

  /** Asks a STUN server, which knows no password. */
  askServer(socket: UdpPort, to: Address, answered: Answered): void {
    this.#send(socket, to, [], undefined, answered);
  }

  /** Asks a node of the DHT how it sees the port. */
  askNode(socket: UdpPort, to: Address, seen: (mapped: Address) => void): void {
    const transaction = randomInt(2 ** 16);
    const ping = encodeDhtPing(transaction, to);
    if (!ping) return;
    // A later ping with the same number takes the earlier one's place.
    this.#pings.set(transaction, { socket, to: keyOf(to), seen });
    if (this.#pings.size > MAX_PINGS) this.#pings.delete(this.#pings.keys().next().value!);
    socket.send(ping, to);
  }

  /** Says something to the peer that needs no answer. */
  tell(socket: UdpPort, to: Address, attributes: StunAttribute[]): void {
    const message = { class: 'indication' as const, method: METHOD.binding, transaction: newTransaction() };
    if (this.#theirs)
      socket.send(encodeStun({ ...message, attributes }, { key: this.#theirs, fingerprint: true }), to);
  }

  receive(bytes: Uint8Array, from: Address, socket: UdpPort): void {
    const message = decodeStun(bytes);
    if (!message) return this.#pong(bytes, from, socket);
    if (message.method !== METHOD.binding) return;
    if (message.class === 'success' || message.class === 'error')
      return this.#answer(bytes, message, from, socket);
    if (!hasIntegrity(bytes, this.#ours)) return;
    if (message.class === 'indication') return this.#asked.indication(message);
    const answer = this.#asked.request(message, from, socket);
    if (!answer) return;
    const mapped = { type: ATTRIBUTE.xorMappedAddress, value: xorAddress(from, message.transaction) };
    const reply = {
      class: answer.class,
      method: METHOD.binding,
      transaction: message.transaction,
      attributes: [mapped, ...answer.attributes],
    };
    socket.send(encodeStun(reply, { key: this.#ours, fingerprint: true }), from);
  }

  /** From where the ping was sent to, over the same socket. */
  #pong(bytes: Uint8Array, from: Address, socket: UdpPort): void {
    const reply = decodeDhtReply(bytes);
    const ping = reply && this.#pings.get(reply.transaction);
    if (ping?.socket !== socket || ping.to !== keyOf(from)) return;
    this.#pings.delete(reply!.transaction);
    ping.seen(reply!.mapped);
  }

  #answer(bytes: Uint8Array, message: StunMessage, from: Address, socket: UdpPort): void {
    const id = toHex(message.transaction);
    const transaction = this.#transactions.get(id);
    // From where it was sent to (RFC 8445, 7.2.5.2.1), over the same socket, and keyed as the request was.
    if (transaction?.socket !== socket || transaction.to !== keyOf(from)) return;
    if (transaction.key && !hasIntegrity(bytes, transaction.key)) return;
    this.#transactions.delete(id);
    const roundTrip = performance.now() - transaction.sent;
    if (roundTrip < STALE) transaction.answered(message, roundTrip);
  }

  #send(
    socket: UdpPort,
    to: Address,
    attributes: StunAttribute[],
    key: Uint8Array | undefined,
    answered: Answered,
  ): void {
    const transaction = newTransaction();
    if (this.#transactions.size >= MAX_TRANSACTIONS)
      this.#transactions.delete(this.#transactions.keys().next().value!);
    const sent = performance.now();
    this.#transactions.set(toHex(transaction), { socket, to: keyOf(to), sent, key, answered });
    const message = { class: 'request' as const, method: METHOD.binding, transaction, attributes };
    socket.send(encodeStun(message, { ...(key && { key }), fingerprint: true }), to);
  }
}

/** An address as a key of tables. */
export function keyOf({ host, port }: Address): string {
  return `${host}|${port}`;
}

/** The value of Beeline's own attribute: two stream ids of 31 bits. */
export function streamIds(message: StunMessage): [number, number] | undefined {
  const value = attributeOf(message, ATTRIBUTE.beelineStream);
  if (value?.length !== 8) return undefined;
  const view = new DataView(value.buffer, value.byteOffset, 8);
  const ids: [number, number] = [view.getUint32(0), view.getUint32(4)];
  return ids.every((id) => id > 0 && id < 2 ** 31) ? ids : undefined;
}

export function streamAttribute(first: number, second: number): StunAttribute {
  const value = new Uint8Array(8);
  const view = new DataView(value.buffer);
  view.setUint32(0, first);
  view.setUint32(4, second);
  return { type: ATTRIBUTE.beelineStream, value };
}
