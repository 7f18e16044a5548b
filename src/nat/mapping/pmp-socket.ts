/** Questions to a router's UDP port 5351, repeated until it answers. Only the router's own datagrams are seen. */
import { createSocket, type Socket } from 'node:dgram';
import { asBeelineError, type BeelineError, fault } from '../../base/errors.ts';

export const PMP_PORT = 5351;
/** Milliseconds until the first repetition (RFC 6886, 3.1), doubled each time; and for the answer. */
const FIRST_REPEAT = 250;
const ANSWER_DEADLINE = 1_000;

export class PmpSocket {
  readonly #gateway: string;
  readonly #port: number;
  readonly #asked = new Set<{ read(answer: Buffer): void; fail(error: Error): void }>();
  #socket: Promise<Socket> | undefined;
  #closed = false;

  constructor(gateway: string, port = PMP_PORT) {
    this.#gateway = gateway;
    this.#port = port;
  }

  /**
   * @param read undefined: not the answer to this; what it throws is the answer
   * @throws BeelineError TIMEOUT, NO_PATH, or what `read` throws
   */
  async ask<T>(request: Uint8Array, read: (answer: Buffer) => T | undefined): Promise<T> {
    const socket = await this.#open();
    return new Promise((resolve, reject) => {
      let repeat: NodeJS.Timeout | undefined;
      const settle = (then: () => void) => {
        clearTimeout(repeat);
        clearTimeout(end);
        this.#asked.delete(asked);
        then();
      };
      const asked = {
        fail: (error: Error) => settle(() => reject(error)),
        read(answer: Buffer) {
          try {
            const result = read(answer);
            if (result !== undefined) settle(() => resolve(result));
          } catch (thrown) {
            asked.fail(asBeelineError(thrown));
          }
        },
      };
      const end = setTimeout(() => asked.fail(this.#silent()), ANSWER_DEADLINE);
      const send = (wait: number) => {
        // What is lost is asked again, what is refused comes as the socket's error.
        socket.send(request, () => {});
        repeat = setTimeout(() => send(2 * wait), wait);
      };
      if (this.#closed) return asked.fail(this.#silent());
      this.#asked.add(asked);
      send(FIRST_REPEAT);
    });
  }

  /** What is still asked fails. */
  close(): void {
    this.#closed = true;
    for (const { fail } of [...this.#asked]) fail(this.#silent());
    this.#socket?.then((socket) => socket.close()).catch(() => {});
  }

  /** Connected, so that the kernel drops what others send. */
  #open(): Promise<Socket> {
    if (this.#closed) return Promise.reject(this.#silent());
    this.#socket ??= new Promise((resolve, reject) => {
      const socket = createSocket('udp4');
      // "Connection refused", too: nothing at the router listens there.
      socket.on('error', (cause) => {
        const error = fault('ROUTER_UNREACHABLE', { router: this.#gateway }, { cause });
        for (const { fail } of [...this.#asked]) fail(error);
        reject(error);
      });
      socket.on('message', (answer) => {
        for (const { read } of [...this.#asked]) read(answer);
      });
      socket.connect(this.#port, this.#gateway, () => resolve(socket));
      socket.unref();
    });
    return this.#socket;
  }

  #silent(): BeelineError {
    return fault('ROUTER_LATE', { router: this.#gateway, how: ` on UDP port ${this.#port}` });
  }
}
