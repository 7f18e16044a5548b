/** The Port Control Protocol's MAP request (RFC 6887, 11): newer routers, and many carriers' gateways. */
import { randomBytes } from 'node:crypto';
import { type BeelineError, fault } from '../../base/errors.ts';
import { type Gateway, type Mapper, type Mapping, type Transport, worldAddress } from './mapper.ts';
import { PMP_PORT, PmpSocket } from './pmp-socket.ts';

const VERSION = 2;
const MAP = 1;
const ANSWER = 0x80;
/** Header, and MAP's part, of a request and of an answer. */
const HEADER = 24;
const LENGTH = HEADER + 36;
const NONCE_LENGTH = 12;
/** IANA protocol numbers. */
const PROTOCOL: Record<Transport, number> = { tcp: 6, udp: 17 };
/** RFC 6887, 7.4, from 1 on. */
const RESULTS =
  'UNSUPP_VERSION NOT_AUTHORIZED MALFORMED_REQUEST UNSUPP_OPCODE UNSUPP_OPTION MALFORMED_OPTION NETWORK_FAILURE NO_RESOURCES UNSUPP_PROTOCOL USER_EX_QUOTA CANNOT_PROVIDE_EXTERNAL ADDRESS_MISMATCH EXCESSIVE_REMOTE_PEERS'.split(
    ' ',
  );

export class Pcp implements Mapper {
  readonly protocol = 'PCP';
  readonly #gateway: Gateway;
  readonly #socket: PmpSocket;
  /** What proves that a mapping is ours: the same for its renewals and its end (RFC 6887, 11.1). */
  readonly #nonces: Record<Transport, Uint8Array> = {
    tcp: new Uint8Array(randomBytes(NONCE_LENGTH)),
    udp: new Uint8Array(randomBytes(NONCE_LENGTH)),
  };

  constructor(gateway: Gateway, port = PMP_PORT) {
    this.#gateway = gateway;
    this.#socket = new PmpSocket(gateway.gateway, port);
  }

  async map(transport: Transport, port: number, lifetime: number): Promise<Mapping> {
    const nonce = this.#nonces[transport];
    const wish = { local: this.#gateway.local, nonce, protocol: PROTOCOL[transport], port, lifetime };
    const answer = await this.#socket.ask(pcpRequest(wish), (bytes) => readPcpAnswer(bytes, wish));
    const address = worldAddress(answer.host, answer.port);
    if (!address) throw fault('ROUTER_NO_ADDRESS', { protocol: 'PCP' });
    return { address, lifetime: answer.lifetime };
  }

  async unmap(transport: Transport, port: number): Promise<void> {
    const nonce = this.#nonces[transport];
    const wish = { local: this.#gateway.local, nonce, protocol: PROTOCOL[transport], port, lifetime: 0 };
    await this.#socket.ask(pcpRequest(wish), (bytes) => readPcpAnswer(bytes, wish));
  }

  close(): void {
    this.#socket.close();
  }
}

export interface PcpWish {
  /** This machine's IPv4 address, as the router sees it. */
  local: string;
  nonce: Uint8Array;
  protocol: number;
  port: number;
  /** Seconds; 0 ends the mapping. */
  lifetime: number;
}

export function pcpRequest({ local, nonce, protocol, port, lifetime }: PcpWish): Uint8Array {
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
  return fault('ROUTER_REFUSED', { what: RESULTS[result - 1] ?? result, protocol: 'PCP' });
}
