/**
 * STUN requests over one TCP or TLS connection to a TURN server: transactions with deadlines, authenticated by the
 * long-term credential. Goal: a nonce may go stale at any time and nobody above notices.
 */
import type { Socket } from 'node:net';
import { BeelineError, fault } from '../../base/errors.ts';
import { readErrorCode } from '../../nat/stun/attributes.ts';
import {
  decodeStun,
  encodeStun,
  hasIntegrity,
  newTransaction,
  type StunAttribute,
  type StunMessage,
} from '../../nat/stun/message.ts';
import type { Credential } from './credential.ts';
import { readStun, type StunReader } from './framing.ts';
import { refusal } from './refusals.ts';

/** What a request says; addresses in it are masked by its transaction. */
export type Attributes = (transaction: Uint8Array) => StunAttribute[];

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
 * Challenges are not proven by anything, so that somebody on the path could go on with them for ever.
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
  async request(method: number, attributes: Attributes, last = false): Promise<StunMessage> {
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

  async #exchange(method: number, attributes: Attributes, last: boolean): Promise<StunMessage> {
    if (this.#over) throw this.#over;
    const { credential, name, answer } = this.#options;
    const transaction = newTransaction();
    const id = idOf(transaction);
    const { key } = credential;
    const all = [...attributes(transaction), ...credential.attributes()];
    const bytes = encodeStun({ class: 'request', method, transaction, attributes: all }, key ? { key } : {});
    return new Promise<StunMessage>((resolve, reject) => {
      const settled = () => {
        clearTimeout(timer);
        this.#waiting.delete(id);
      };
      const timer = setTimeout(() => {
        settled();
        reject(fault('TURN_LATE', { name }));
      }, answer);
      this.#waiting.set(id, {
        key,
        last,
        resolve: (message) => {
          settled();
          resolve(message);
        },
        reject: (error) => {
          settled();
          reject(error);
        },
      });
      this.#socket.write(bytes);
    });
  }

  #message(bytes: Uint8Array): void {
    const message = decodeStun(bytes);
    if (!message) return this.#broken('answers with malformed STUN');
    if (message.class === 'indication') return this.#options.indication?.(message);
    const waiting = this.#waiting.get(idOf(message.transaction));
    if (!waiting) return;
    // Errors are taken unproven: 401 and 438 cannot be proven, and who could forge others could cut the connection too.
    if (message.class === 'success' && waiting.key && !hasIntegrity(bytes, waiting.key)) {
      const text = `An answer of the TURN server ${this.#options.name} is not proven to be its own.`;
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

function idOf(transaction: Uint8Array): string {
  return Buffer.from(transaction).toString('hex');
}
