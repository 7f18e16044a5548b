/** Asking STUN servers over a UDP socket that somebody else owns and shares with other traffic. */
import { toHex } from '../../base/bytes.ts';
import { asBeelineError, type BeelineError, faultFrom } from '../../base/errors.ts';
import { type Address, formatAddress } from '../../wire/candidate.ts';
import { ASK_DEADLINE, type Binding, bindingRequest, cancelled, readBinding, silent } from './binding.ts';
import { decodeStun, newTransaction, type StunMessage } from './message.ts';

export { askTcp, type TcpAsk, type TcpBinding } from './ask-tcp.ts';

/**
 * RFC 8489, 6.2.1 starts at 500 ms for paths of which nothing is known. A session begins with this question, and a
 * lost datagram should not cost it half of the second in which its first byte is to arrive. On paths longer than
 * 250 ms that costs one or two datagrams of 28 bytes. Doubled each time, as there.
 */
const FIRST_RTO = 250;

export interface AskOptions {
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
    return new Promise((resolve, reject) => {
      let repeat: NodeJS.Timeout | undefined;
      const settle = () => {
        clearTimeout(repeat);
        clearTimeout(end);
        signal?.removeEventListener('abort', abort);
        this.#asked.delete(key);
      };
      const failed = (error: BeelineError) => {
        settle();
        reject(error);
      };
      const answered = (answer: StunMessage, from: Address) => {
        settle();
        try {
          resolve({ ...readBinding(answer, server), from, roundTrip: performance.now() - began });
        } catch (thrown) {
          reject(asBeelineError(thrown));
        }
      };
      const abort = () => failed(cancelled());
      const end = setTimeout(() => failed(silent(server)), deadline);
      if (this.#closed || signal?.aborted) return abort();
      signal?.addEventListener('abort', abort);
      this.#asked.set(key, { answered, failed });
      const transmit = (wait: number) => {
        repeat = setTimeout(() => transmit(2 * wait), wait);
        try {
          this.#send(request, server);
        } catch (thrown) {
          failed(faultFrom(thrown, 'STUN_UNSENT', { server: formatAddress(server) }));
        }
      };
      transmit(FIRST_RTO);
    });
  }

  /**
   * True if it was the answer to one of our questions, which its 96 random bits tell: nobody who did not see the
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
