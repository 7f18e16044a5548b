/**
 * Asking STUN servers: Binding requests and what their answers say (RFC 8489, 7; RFC 5780 for the other port), over a UDP socket that
 * somebody else owns and shares with other traffic, or over TCP.
 */

import { connect, isIPv6, type Socket } from 'node:net';
import { plainHost } from '../../base/addresses.ts';
import { toHex } from '../../base/bytes.ts';
import { doubling, realClock, withDeadline } from '../../base/clock.ts';
import { asBeelineError, BeelineError, fault, faultFrom } from '../../base/errors.ts';
import { type Address, formatAddress } from '../../wire/candidate.ts';
import { readErrorCode, readPlainAddress, readXorAddress } from './attributes.ts';
import { StunFrames } from './frames.ts';
import {
  ATTRIBUTE,
  attributeOf,
  decodeStun,
  encodeStun,
  METHOD,
  newTransaction,
  type StunAttribute,
  type StunMessage,
} from './message.ts';

export interface Binding {
  /** What the server saw of this side: its own address, or its NAT's. */
  mapped: Address;
  /** The server's other port (OTHER-ADDRESS), if it has one. */
  other?: Address;
}

/** Milliseconds for one question, all its repetitions included. */
export const ASK_DEADLINE = 3_000;

/** CHANGE-REQUEST's flags (RFC 5780, 7.2). */
export const CHANGE_HOST = 4;
export const CHANGE_PORT = 2;

export function bindingRequest(transaction: Uint8Array, changePort = false): Uint8Array {
  const change: StunAttribute = { type: ATTRIBUTE.changeRequest, value: Uint8Array.of(0, 0, 0, CHANGE_PORT) };
  const attributes = changePort ? [change] : [];
  return encodeStun(
    { class: 'request', method: METHOD.binding, transaction, attributes },
    { fingerprint: true },
  );
}

/** @throws BeelineError SERVER if the server refused, or did not say an address. */
function readBinding(answer: StunMessage, server: Address): Binding {
  const name = formatAddress(server);
  if (answer.class === 'error') {
    const { code, reason } = readErrorCode(answer) ?? { code: 0, reason: 'no reason given' };
    throw fault('STUN_REFUSED', { server: name, what: `refused: ${reason} (${code})` });
  }
  const mapped = readXorAddress(attributeOf(answer, ATTRIBUTE.xorMappedAddress), answer.transaction);
  if (!mapped) throw fault('STUN_REFUSED', { server: name, what: 'does not say which address it sees' });
  const other = readPlainAddress(attributeOf(answer, ATTRIBUTE.otherAddress));
  if (!other) return { mapped };
  // A server that listens on every address does not know which of them it was asked at, and says so.
  const anywhere = other.host === '0.0.0.0' || other.host === '::';
  return { mapped, other: anywhere ? { host: server.host, port: other.port } : other };
}

export function silent(server: Address): BeelineError {
  return fault('STUN_LATE', { server: formatAddress(server) });
}

export function cancelled(): BeelineError {
  return new BeelineError('CANCELLED', 'Nobody waits for the STUN server any more.');
}

/**
 * RFC 8489, 6.2.1 starts at 500 ms for paths of which nothing is known. A session begins with this question, and a
 * lost datagram should not cost it half of the second in which its first byte is to arrive. On paths longer than
 * 250 ms that costs one or two datagrams of 28 bytes. Doubled each time, as there.
 */
const FIRST_RTO_MS = 250;

interface AskOptions {
  /** Ask for the answer from the server's other port (RFC 5780). */
  changePort?: boolean;
  /** Milliseconds; default ASK_DEADLINE. */
  deadline?: number;
  signal?: AbortSignal;
}

export interface UdpBinding extends Binding {
  /** Where the answer came from: another port, if that was asked for and honoured. */
  from: Address;
  /** Milliseconds from the first request; repetitions make it longer. */
  roundTrip: number;
}

interface Asked {
  answered(answer: StunMessage, from: Address): void;
  failed(error: BeelineError): void;
}

export class StunAsker {
  readonly #send: (bytes: Uint8Array, to: Address) => void;
  readonly #asked = new Map<string, Asked>();
  #closed = false;

  /** @param send sends one datagram; what it throws fails the question. */
  constructor(send: (bytes: Uint8Array, to: Address) => void) {
    this.#send = send;
  }

  /** @throws BeelineError TIMEOUT, SERVER (it refused), NO_PATH (`send` threw) or CANCELLED. */
  ask(server: Address, options: AskOptions = {}): Promise<UdpBinding> {
    const { changePort = false, deadline = ASK_DEADLINE, signal } = options;
    const transaction = newTransaction();
    const key = toHex(transaction);
    const request = bindingRequest(transaction, changePort);
    const began = performance.now();
    let stop = () => {};
    const answer = () =>
      new Promise<UdpBinding>((resolve, reject) => {
        const answered = (answer: StunMessage, from: Address) => {
          try {
            resolve({ ...readBinding(answer, server), from, roundTrip: performance.now() - began });
          } catch (thrown) {
            reject(asBeelineError(thrown));
          }
        };
        if (this.#closed) return reject(cancelled());
        this.#asked.set(key, { answered, failed: reject });
        stop = doubling(realClock, FIRST_RTO_MS, Infinity, () => {
          try {
            this.#send(request, server);
          } catch (thrown) {
            reject(faultFrom(thrown, 'STUN_UNSENT', { server: formatAddress(server) }));
          }
        });
      });
    return withDeadline(realClock, signal, deadline, () => silent(server), answer, cancelled).finally(() => {
      stop();
      this.#asked.delete(key);
    });
  }

  /**
   * True if it is the answer to one of our questions. Its 96 random bits prove that: nobody who did not see the
   * question can make one. Answers to repetitions, later, are not told from strangers' and give false.
   */
  receive(bytes: Uint8Array, from: Address): boolean {
    if (this.#asked.size === 0) return false;
    const message = decodeStun(bytes);
    if (!message || (message.class !== 'success' && message.class !== 'error')) return false;
    const asked = this.#asked.get(toHex(message.transaction));
    asked?.answered(message, from);
    return asked !== undefined;
  }

  /** Every question still open fails with CANCELLED. */
  close(): void {
    this.#closed = true;
    for (const { failed } of [...this.#asked.values()]) failed(cancelled());
  }
}

/** A server closes a connection that is silent for a minute; asked again so often, it stays, and the mapping with it. */
const KEEP_ALIVE_MS = 20_000;

interface TcpAsk {
  /**
   * 0 or undefined: any. libuv sets SO_REUSEADDR, so that connections to different servers may share one (not on
   * Windows), also with those that are dialled from it later.
   */
  localPort?: number;
  /** The local address; undefined: as the route says. */
  localHost?: string;
  /** Milliseconds for connecting and the answer; default ASK_DEADLINE. */
  deadline?: number;
  signal?: AbortSignal;
}

interface TcpBinding extends Binding {
  local: Address;
  /** Kept open by requests now and then; whoever asked destroys it. It fails silently: listen to `close`. */
  socket: Socket;
  /** Milliseconds from the request to the answer, without connecting. */
  roundTrip: number;
}

/** @throws BeelineError NO_PATH, TIMEOUT, SERVER, PROTOCOL or CANCELLED; nothing is left open then. */
export async function askTcp(server: Address, options: TcpAsk = {}): Promise<TcpBinding> {
  const { localPort, localHost, deadline = ASK_DEADLINE, signal } = options;
  if (signal?.aborted) throw cancelled();
  const transaction = newTransaction();
  const frames = new StunFrames();
  const socket = connect({
    host: server.host,
    port: server.port,
    localPort,
    // Bound even if any address will do: only a bound port can be shared, not one that connecting picked.
    localAddress: localHost ?? (isIPv6(server.host) ? '::' : '0.0.0.0'),
    noDelay: true,
  });
  let asked = 0;
  let take: (bytes: Uint8Array) => void = () => {};
  const answered = () =>
    new Promise<TcpBinding>((resolve, reject) => {
      take = (bytes) => {
        try {
          const answer = answerOf(frames, bytes, transaction);
          if (!answer) return;
          const binding = readBinding(answer, server);
          const local = { host: plainHost(socket.localAddress ?? ''), port: socket.localPort ?? 0 };
          // Later answers say the same.
          take = () => {};
          keepAlive(socket);
          resolve({ ...binding, local, socket, roundTrip: performance.now() - asked });
        } catch (thrown) {
          reject(asBeelineError(thrown));
        }
      };
      socket.on('data', (bytes) => take(bytes));
      // Stays: a connection that breaks while its mapping is in use only closes.
      socket.on('error', (cause) => {
        reject(unreachable(server, cause));
        socket.destroy();
      });
      socket.once('close', () => reject(unreachable(server)));
      socket.once('connect', () => {
        asked = performance.now();
        socket.write(bindingRequest(transaction));
      });
    });
  try {
    return await withDeadline(realClock, signal, deadline, () => silent(server), answered, cancelled);
  } catch (thrown) {
    socket.destroy();
    throw thrown;
  }
}

/** The answer, once it is whole. @throws BeelineError PROTOCOL if something else came. */
function answerOf(frames: StunFrames, bytes: Uint8Array, transaction: Uint8Array): StunMessage | undefined {
  frames.push(bytes);
  const whole = frames.next();
  if (!whole) return undefined;
  const message = decodeStun(whole);
  const ours = message?.transaction.every((byte, i) => byte === transaction[i]);
  if (!message || !ours || message.method !== METHOD.binding || !['success', 'error'].includes(message.class))
    throw fault('STUN_MALFORMED');
  return message;
}

function keepAlive(socket: Socket): void {
  const timer = setInterval(() => socket.write(bindingRequest(newTransaction())), KEEP_ALIVE_MS);
  timer.unref();
  socket.once('close', () => clearInterval(timer));
}

function unreachable(server: Address, cause?: Error): BeelineError {
  const what = cause === undefined ? 'it closed the connection' : cause.message;
  return fault('STUN_TCP_FAILED', { server: formatAddress(server), what }, { cause });
}
