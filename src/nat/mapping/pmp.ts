/**
 * NAT-PMP (RFC 6886), of Apple's routers and the many that imitate them, and the Port Control Protocol's MAP request (RFC 6887, 11), of
 * newer routers and many carriers' gateways. Both ask the router's UDP port 5351.
 */

import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { doubling, realClock, withDeadline } from '../../base/clock.ts';
import { asBeelineError, type BeelineError, fault } from '../../base/errors.ts';
import { type Gateway, type MappedProtocol, type Mapper, type PortMapping, worldAddress } from './mapper.ts';

const PMP_PORT = 5351;
/** The bit of an opcode that makes it an answer's. */
const ANSWER = 0x80;
/** Until the first repetition (RFC 6886, 3.1), doubled each time; and for the answer. */
const FIRST_REPEAT_MS = 250;
const ANSWER_DEADLINE_MS = 1_000;

interface Asked {
  read(answer: Buffer): void;
  fail(error: Error): void;
}

/** Questions are repeated until the router answers. Only its own datagrams are seen. */
class PmpSocket {
  readonly #gateway: string;
  readonly #port: number;
  readonly #asked = new Set<Asked>();
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
    let stop = () => {};
    let asked: Asked | undefined;
    const answer = () =>
      new Promise<T>((resolve, reject) => {
        if (this.#closed) return reject(this.#silent());
        asked = {
          fail: reject,
          read(answer) {
            try {
              const result = read(answer);
              if (result !== undefined) resolve(result);
            } catch (thrown) {
              reject(asBeelineError(thrown));
            }
          },
        };
        this.#asked.add(asked);
        // What is lost is asked again, what is refused comes as the socket's error.
        stop = doubling(realClock, FIRST_REPEAT_MS, Infinity, () => socket.send(request, () => {}));
      });
    return withDeadline(realClock, undefined, ANSWER_DEADLINE_MS, () => this.#silent(), answer).finally(
      () => {
        stop();
        if (asked) this.#asked.delete(asked);
      },
    );
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

const PUBLIC_ADDRESS = 0;
const OPCODE: Record<MappedProtocol, number> = { udp: 1, tcp: 2 };
/** RFC 6886, 3.5, from 1 on. */
const PMP_RESULTS = [
  'unsupported version',
  'not authorized',
  'network failure',
  'out of resources',
  'unsupported opcode',
];

export class NatPmp implements Mapper {
  readonly protocol = 'NAT-PMP';
  readonly #socket: PmpSocket;

  constructor({ gateway }: Gateway, port = PMP_PORT) {
    this.#socket = new PmpSocket(gateway, port);
  }

  async map(transport: MappedProtocol, port: number, lifetime: number): Promise<PortMapping> {
    const [host, mapped] = await Promise.all([this.#publicHost(), this.#request(transport, port, lifetime)]);
    const address = worldAddress(host, mapped.port);
    if (!address) throw fault('ROUTER_NO_ADDRESS', { protocol: 'NAT-PMP' });
    return { address, lifetime: mapped.lifetime };
  }

  async unmap(transport: MappedProtocol, port: number): Promise<void> {
    await this.#request(transport, port, 0);
  }

  close(): void {
    this.#socket.close();
  }

  #request(
    transport: MappedProtocol,
    port: number,
    lifetime: number,
  ): Promise<{ port: number; lifetime: number }> {
    const opcode = OPCODE[transport];
    return this.#socket.ask(natPmpRequest(opcode, port, lifetime), (bytes) => {
      if (!isAnswer(bytes, opcode, 16) || bytes.readUInt16BE(8) !== port) return undefined;
      // A late answer to a request for the mapping that now ends (RFC 6886, 3.4).
      if (lifetime === 0 && bytes.readUInt32BE(12) !== 0) return undefined;
      return { port: bytes.readUInt16BE(10), lifetime: bytes.readUInt32BE(12) };
    });
  }

  #publicHost(): Promise<string> {
    return this.#socket.ask(Buffer.of(0, PUBLIC_ADDRESS), (bytes) =>
      isAnswer(bytes, PUBLIC_ADDRESS, 12) ? bytes.subarray(8, 12).join('.') : undefined,
    );
  }
}

/** @param lifetime seconds; 0 ends the mapping, and then no outer port is asked for (RFC 6886, 3.4) */
function natPmpRequest(opcode: number, port: number, lifetime: number): Uint8Array {
  const bytes = Buffer.alloc(12);
  bytes[1] = opcode;
  bytes.writeUInt16BE(port, 4);
  bytes.writeUInt16BE(lifetime === 0 ? 0 : port, 6);
  bytes.writeUInt32BE(lifetime, 8);
  return bytes;
}

/** @throws BeelineError NO_PATH if it says that the router refuses */
function isAnswer(bytes: Buffer, opcode: number, length: number): boolean {
  // An error may be as short as its own header.
  if (bytes.length < 4 || bytes[0] !== 0 || bytes[1] !== (opcode | ANSWER)) return false;
  const result = bytes.readUInt16BE(2);
  if (result === 0) return bytes.length >= length;
  throw fault('ROUTER_REFUSED', { what: PMP_RESULTS[result - 1] ?? result, protocol: 'NAT-PMP' });
}

const VERSION = 2;
const MAP = 1;
/** Header, and MAP's part, of a request and of an answer. */
const HEADER = 24;
const LENGTH = HEADER + 36;
const NONCE_LENGTH = 12;
/** IANA protocol numbers. */
const PROTOCOL: Record<MappedProtocol, number> = { tcp: 6, udp: 17 };
/** RFC 6887, 7.4, from 1 on. */
const PCP_RESULTS =
  'UNSUPP_VERSION NOT_AUTHORIZED MALFORMED_REQUEST UNSUPP_OPCODE UNSUPP_OPTION MALFORMED_OPTION NETWORK_FAILURE NO_RESOURCES UNSUPP_PROTOCOL USER_EX_QUOTA CANNOT_PROVIDE_EXTERNAL ADDRESS_MISMATCH EXCESSIVE_REMOTE_PEERS'.split(
    ' ',
  );

export class Pcp implements Mapper {
  readonly protocol = 'PCP';
  readonly #gateway: Gateway;
  readonly #socket: PmpSocket;
  /** What proves that a mapping is ours: the same for its renewals and its end (RFC 6887, 11.1). */
  readonly #nonces: Record<MappedProtocol, Uint8Array> = {
    tcp: new Uint8Array(randomBytes(NONCE_LENGTH)),
    udp: new Uint8Array(randomBytes(NONCE_LENGTH)),
  };

  constructor(gateway: Gateway, port = PMP_PORT) {
    this.#gateway = gateway;
    this.#socket = new PmpSocket(gateway.gateway, port);
  }

  async map(transport: MappedProtocol, port: number, lifetime: number): Promise<PortMapping> {
    const nonce = this.#nonces[transport];
    const wish = { local: this.#gateway.local, nonce, protocol: PROTOCOL[transport], port, lifetime };
    const answer = await this.#socket.ask(pcpRequest(wish), (bytes) => readPcpAnswer(bytes, wish));
    const address = worldAddress(answer.host, answer.port);
    if (!address) throw fault('ROUTER_NO_ADDRESS', { protocol: 'PCP' });
    return { address, lifetime: answer.lifetime };
  }

  async unmap(transport: MappedProtocol, port: number): Promise<void> {
    const nonce = this.#nonces[transport];
    const wish = { local: this.#gateway.local, nonce, protocol: PROTOCOL[transport], port, lifetime: 0 };
    await this.#socket.ask(pcpRequest(wish), (bytes) => readPcpAnswer(bytes, wish));
  }

  close(): void {
    this.#socket.close();
  }
}

interface PcpWish {
  /** This machine's IPv4 address, as the router sees it. */
  local: string;
  nonce: Uint8Array;
  protocol: number;
  port: number;
  /** Seconds; 0 ends the mapping. */
  lifetime: number;
}

function pcpRequest({ local, nonce, protocol, port, lifetime }: PcpWish): Uint8Array {
  const bytes = Buffer.alloc(LENGTH);
  bytes[0] = VERSION;
  bytes[1] = MAP;
  bytes.writeUInt32BE(lifetime, 4);
  mapped(local).copy(bytes, 8);
  bytes.set(nonce, HEADER);
  bytes[HEADER + 12] = protocol;
  bytes.writeUInt16BE(port, HEADER + 16);
  // The same port outside, at whatever IPv4 address, if it can be; to end a mapping both are zero (RFC 6887, 15).
  bytes.writeUInt16BE(lifetime === 0 ? 0 : port, HEADER + 18);
  mapped('0.0.0.0').copy(bytes, HEADER + 20);
  return bytes;
}

/** @throws BeelineError NO_PATH if the router refuses; undefined if it is no answer to this wish */
export function readPcpAnswer(
  bytes: Buffer,
  wish: PcpWish,
): { host: string; port: number; lifetime: number } | undefined {
  // A router that speaks NAT-PMP only answers in its own version (RFC 6886, 3.5).
  if (bytes.length >= 4 && bytes[0] === 0) throw refused(1);
  if (bytes.length < LENGTH || bytes[0] !== VERSION || bytes[1] !== (MAP | ANSWER)) return undefined;
  const nonce = bytes.subarray(HEADER, HEADER + NONCE_LENGTH);
  if (Buffer.compare(nonce, wish.nonce) !== 0 || bytes[HEADER + 12] !== wish.protocol) return undefined;
  if (bytes.readUInt16BE(HEADER + 16) !== wish.port) return undefined;
  if (bytes[3] !== 0) throw refused(bytes[3]!);
  // A late answer to a request for the mapping that now ends, which was repeated: the end's says 0 (RFC 6887, 15).
  if (wish.lifetime === 0 && bytes.readUInt32BE(4) !== 0) return undefined;
  const address = bytes.subarray(HEADER + 20, HEADER + 36);
  const v4 = address.subarray(0, 12).equals(mapped('0.0.0.0').subarray(0, 12));
  return {
    host: v4 ? address.subarray(12).join('.') : '0.0.0.0',
    port: bytes.readUInt16BE(HEADER + 18),
    lifetime: bytes.readUInt32BE(4),
  };
}

/** An IPv4 address in IPv6's form (RFC 4291, 2.5.5.2). */
function mapped(host: string): Buffer {
  return Buffer.concat([Buffer.alloc(10), Buffer.of(0xff, 0xff), Buffer.from(host.split('.').map(Number))]);
}

function refused(result: number): BeelineError {
  return fault('ROUTER_REFUSED', { what: PCP_RESULTS[result - 1] ?? result, protocol: 'PCP' });
}
