/** NAT-PMP (RFC 6886): Apple's routers and the many that imitate them. */
import { fault } from '../../base/errors.ts';
import { type Gateway, type Mapper, type Mapping, type Transport, worldAddress } from './mapper.ts';
import { PMP_PORT, PmpSocket } from './pmp-socket.ts';

const PUBLIC_ADDRESS = 0;
const OPCODE: Record<Transport, number> = { udp: 1, tcp: 2 };
const ANSWER = 128;
/** RFC 6886, 3.5, from 1 on. */
const RESULTS = [
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

  async map(transport: Transport, port: number, lifetime: number): Promise<Mapping> {
    const [host, mapped] = await Promise.all([this.#publicHost(), this.#request(transport, port, lifetime)]);
    const address = worldAddress(host, mapped.port);
    if (!address) throw fault('ROUTER_NO_ADDRESS', { protocol: 'NAT-PMP' });
    return { address, lifetime: mapped.lifetime };
  }

  async unmap(transport: Transport, port: number): Promise<void> {
    await this.#request(transport, port, 0);
  }

  close(): void {
    this.#socket.close();
  }

  #request(
    transport: Transport,
    port: number,
    lifetime: number,
  ): Promise<{ port: number; lifetime: number }> {
    const opcode = OPCODE[transport];
    return this.#socket.ask(natPmpRequest(opcode, port, lifetime), (bytes) => {
      if (!isAnswer(bytes, opcode, 16) || bytes.readUInt16BE(8) !== port) return undefined;
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
  if (bytes.length < 4 || bytes[0] !== 0 || bytes[1] !== opcode + ANSWER) return false;
  const result = bytes.readUInt16BE(2);
  if (result === 0) return bytes.length >= length;
  throw fault('ROUTER_REFUSED', { what: RESULTS[result - 1] ?? result, protocol: 'NAT-PMP' });
}
