/**
 * STUN requests over one TCP or TLS connection to a TURN server: transactions with deadlines, authenticated by the
 * long-term credential. Goal: a nonce may go stale at any time and nobody above notices.
 */

import { isIP, type LookupFunction, connect as plainConnect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as tlsConnect } from 'node:tls';
import { toHex } from '../../base/bytes.ts';
import { realClock, withDeadline } from '../../base/clock.ts';
import { BeelineError, fault } from '../../base/errors.ts';
import { readErrorCode } from '../../nat/stun/attributes.ts';
import {
  ATTRIBUTE,
  attributeOf,
  decodeStun,
  encodeStun,
  hasIntegrity,
  longTermKey,
  looksLikeStun,
  MAX_STUN,
  newTransaction,
  STUN_HEADER,
  type StunAttribute,
  type StunMessage,
} from '../../nat/stun/message.ts';
import { formatAddress } from '../../wire/candidate.ts';
import type { TurnServer } from '../../wire/rendezvous.ts';
import type { TurnTarget } from './server.ts';

/** Who is most often the cause, and what to do about it. */
const ADVICE: Readonly<Record<number, string>> = {
  401: 'It does not accept the username and credential: its secret must be the one that the rendezvous server has, and both clocks right.',
  403: 'It forbids that address; its owner may allow it.',
  437: 'It knows nothing of the allocation any more.',
  438: 'It calls every nonce stale that it has just given out.',
  442: 'It does not relay TCP: its owner must allow TCP allocations (RFC 6062).',
  486: 'This user has as many allocations there as its owner allows: try again later.',
  508: 'It is full: try again later.',
};

/**
 * What a TURN server's error answers mean, for a person (RFC 8656, 19; RFC 6062, 6.3).
 * @param name the server. @param reason as the server words it, fit for a terminal
 */
function refusal(name: string, code: number, reason: string): BeelineError {
  const advice = ADVICE[code] ?? 'Its owner can tell why from its log.';
  return fault('TURN_REFUSED', { name, what: `${code}${reason && ` (${reason})`}`, advice });
}

/** Bytes of 127 characters (RFC 8489, 14.9 and 14.10). */
const MAX_TEXT = 763;

/** The long-term credential (RFC 8489, 9.2): what proves each request, and how the server's challenges change it. */
export class Credential {
  readonly #server: Pick<TurnServer, 'username' | 'credential'>;
  #realm: Uint8Array | undefined;
  #nonce: Uint8Array | undefined;
  #key: Uint8Array | undefined;

  constructor(server: Pick<TurnServer, 'username' | 'credential'>) {
    this.#server = server;
  }

  /** For MESSAGE-INTEGRITY; undefined until the server has told its realm and a nonce. */
  get key(): Uint8Array | undefined {
    return this.#key;
  }

  /** What a request carries besides; nothing until there is a key. */
  attributes(): StunAttribute[] {
    if (!this.#key || !this.#realm || !this.#nonce) return [];
    return [
      { type: ATTRIBUTE.username, value: new TextEncoder().encode(this.#server.username) },
      { type: ATTRIBUTE.realm, value: this.#realm },
      { type: ATTRIBUTE.nonce, value: this.#nonce },
    ];
  }

  /** Takes the realm and nonce of a 401 or 438. False if there is nothing in it to try again with. */
  learn(challenge: StunMessage): boolean {
    const realm = attributeOf(challenge, ATTRIBUTE.realm) ?? this.#realm;
    const nonce = attributeOf(challenge, ATTRIBUTE.nonce);
    if (!realm || !nonce || realm.length > MAX_TEXT || nonce.length > MAX_TEXT) return false;
    this.#realm = realm.slice();
    this.#nonce = nonce.slice();
    const { username, credential } = this.#server;
    this.#key = longTermKey(username, new TextDecoder().decode(realm), credential);
    return true;
  }

  /** A copy of its present state: what one connection learns may not hold on another. */
  copy(): Credential {
    const copy = new Credential(this.#server);
    [copy.#realm, copy.#nonce, copy.#key] = [this.#realm, this.#nonce, this.#key];
    return copy;
  }
}

interface StunReader {
  /** The message given out now was the last; the stream is paused. */
  stop(): void;
}

/**
 * STUN messages out of a byte stream (RFC 8489, 6.2.2: each tells its own length). It never reads a byte beyond the message at
 * hand, so what follows the last one is left in the stream for whoever it is meant for.
 * @param broken what comes is not STUN, or longer than MAX_STUN; called once, and nothing is read any more
 */
export function readStun(
  stream: Duplex,
  message: (bytes: Uint8Array) => void,
  broken: () => void,
): StunReader {
  let header: Buffer | undefined;
  let stopped = false;
  const stop = () => {
    stopped = true;
    stream.removeListener('readable', readable);
  };
  /** Undefined: not all bytes are there yet. At its end a stream gives fewer than asked for, which is no message. */
  const take = (length: number): Buffer | undefined => {
    if (length === 0) return Buffer.alloc(0);
    const bytes: Buffer | null = stream.read(length);
    return bytes?.length === length ? bytes : undefined;
  };
  const readable = () => {
    while (!stopped) {
      header ??= take(STUN_HEADER);
      if (!header) return;
      const length = header.readUInt16BE(2);
      if (!looksLikeStun(header) || STUN_HEADER + length > MAX_STUN) {
        stop();
        return broken();
      }
      const body = take(length);
      if (!body) return;
      const bytes = Buffer.concat([header, body]);
      header = undefined;
      message(bytes);
    }
  };
  stream.on('readable', readable);
  return { stop };
}

/**
 * Seconds of silence after which the operating system asks whether the server is still there: it notices a dead path,
 * and home routers forget quiet connections.
 */
const KEEPALIVE_S = 20;

/**
 * A TCP or TLS connection to a TURN server.
 * @param address the IP address to go to instead of looking up the host: a later connection must reach the same server
 * @param lookup finds the host's addresses, where there is no `address`
 * @param deadline milliseconds
 * @throws BeelineError NO_PATH, TIMEOUT; nothing is left open then.
 */
export async function connectTurn(
  target: TurnTarget,
  {
    address,
    lookup,
    deadline,
    signal,
  }: { address?: string; lookup?: LookupFunction; deadline: number; signal: AbortSignal },
): Promise<Socket> {
  const { host, port, secure } = target;
  const name = formatAddress(target);
  const to = { host: address ?? host, port, ...(lookup && { lookup }) };
  const socket = secure
    ? // The name on the certificate must be the host's, wherever the host was found.
      tlsConnect({ ...to, ...(isIP(host) === 0 && { servername: host }) })
    : plainConnect(to);
  const connected = new Promise<Socket>((resolve, reject) => {
    // Kept for the socket's whole life: an error that nobody listens for would end the process.
    socket.on('error', (cause) => reject(fault('TURN_UNREACHABLE', { name, why: cause.message }, { cause })));
    socket.once(secure ? 'secureConnect' : 'connect', () => resolve(socket));
  });
  connected.catch(() => {});
  const late = () => fault('TURN_LATE', { name });
  const stopped = () => fault('TURN_NOT_NEEDED', { name });
  try {
    await withDeadline(realClock, signal, deadline, late, () => connected, stopped);
  } catch (thrown) {
    socket.destroy();
    throw thrown;
  }
  socket.setNoDelay(true);
  socket.setKeepAlive(true, KEEPALIVE_S * 1000);
  return socket;
}

/** What a request says; addresses in it are masked by its transaction. */
export type TurnAttributes = (transaction: Uint8Array) => StunAttribute[];

export interface ControlOptions {
  /** The server, for people. */
  name: string;
  credential: Credential;
  /** Milliseconds that the server may take for one answer. */
  answer: number;
  indication?: (message: StunMessage) => void;
  /** Once, unless this side ended or released it. */
  closed?: (error: BeelineError) => void;
}

interface Waiting {
  /** Of the request; an answer must be proven by the same. */
  key: Uint8Array | undefined;
  /** Reading stops with the success: what follows is not STUN. */
  last: boolean;
  resolve: (answer: StunMessage) => void;
  reject: (error: BeelineError) => void;
}

/**
 * A challenge may be answered so often for one request: once without a nonce, and a nonce may go stale in between.
 * Nothing proves a challenge, so somebody on the path could send them for ever.
 */
const MAX_CHALLENGES = 3;

export class ControlConnection {
  readonly #socket: Socket;
  readonly #options: ControlOptions;
  readonly #reader: StunReader;
  readonly #waiting = new Map<string, Waiting>();
  #over: BeelineError | undefined;

  /** @param socket connected, with a listener for its errors */
  constructor(socket: Socket, options: ControlOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#reader = readStun(
      socket,
      (bytes) => this.#message(bytes),
      () => this.#broken('answers with something that is not STUN'),
    );
    socket.once('close', this.#closed);
    if (socket.destroyed) this.#closed();
  }

  /**
   * Resolves with the success answer.
   * @param last what follows the success is not STUN: `release` the socket then.
   * @throws BeelineError SERVER (refused), TIMEOUT, NO_PATH, AUTHENTICATION, PROTOCOL
   */
  async request(method: number, attributes: TurnAttributes, last = false): Promise<StunMessage> {
    const { credential, name } = this.#options;
    for (let challenges = 0; ; challenges++) {
      const proven = credential.key !== undefined;
      const answer = await this.#exchange(method, attributes, last);
      if (answer.class === 'success') return answer;
      const { code, reason } = readErrorCode(answer) ?? { code: 500, reason: 'no reason given' };
      // RFC 8489, 9.2.5: a 401 to a request with credentials means that they are wrong; trying again would not help.
      const challenged = code === 438 || (code === 401 && !proven);
      if (!challenged || challenges === MAX_CHALLENGES || !credential.learn(answer))
        throw refusal(name, code, reason);
    }
  }

  /** The socket, paused, from the byte after the last message on; its listener for errors stays. */
  release(): Socket {
    this.#end(new BeelineError('INTERNAL', 'The connection was given away.'));
    return this.#socket;
  }

  destroy(): void {
    this.#end(fault('TURN_NOT_NEEDED', { name: this.#options.name }));
    this.#socket.destroy();
  }

  async #exchange(method: number, attributes: TurnAttributes, last: boolean): Promise<StunMessage> {
    if (this.#over) throw this.#over;
    const { credential, name, answer } = this.#options;
    const transaction = newTransaction();
    const id = toHex(transaction);
    const { key } = credential;
    const all = [...attributes(transaction), ...credential.attributes()];
    const bytes = encodeStun({ class: 'request', method, transaction, attributes: all }, key ? { key } : {});
    const late = () => fault('TURN_LATE', { name });
    const asked = () =>
      new Promise<StunMessage>((resolve, reject) => {
        this.#waiting.set(id, { key, last, resolve, reject });
        this.#socket.write(bytes);
      });
    return withDeadline(realClock, undefined, answer, late, asked).finally(() => this.#waiting.delete(id));
  }

  #message(bytes: Uint8Array): void {
    const message = decodeStun(bytes);
    if (!message) return this.#broken('answers with malformed STUN');
    if (message.class === 'indication') return this.#options.indication?.(message);
    const waiting = this.#waiting.get(toHex(message.transaction));
    if (!waiting) return;
    // Errors are taken unproven: 401 and 438 cannot be proven, and who could forge others could cut the connection too.
    if (message.class === 'success' && waiting.key && !hasIntegrity(bytes, waiting.key)) {
      return waiting.reject(fault('TURN_UNPROVEN', { name: this.#options.name }));
    }
    if (message.class === 'request') return;
    if (message.class === 'success' && waiting.last) this.#reader.stop();
    waiting.resolve(message);
  }

  readonly #closed = () => this.#fail(fault('TURN_CLOSED', { name: this.#options.name }));

  #broken(what: string): void {
    this.#fail(fault('TURN_MALFORMED', { name: this.#options.name, what }));
  }

  #fail(error: BeelineError): void {
    if (this.#over) return;
    this.#end(error);
    this.#socket.destroy();
    this.#options.closed?.(error);
  }

  #end(error: BeelineError): void {
    this.#over ??= error;
    this.#reader.stop();
    this.#socket.removeListener('close', this.#closed);
    for (const waiting of [...this.#waiting.values()]) waiting.reject(error);
  }
}
