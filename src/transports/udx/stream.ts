/** A UDX stream as a node:stream, for TLS to run over: with backpressure both ways, and an end that reaches the other side. */
import { Duplex } from 'node:stream';
import type { UdxRawStream } from 'udx-native';
import { realClock } from '../../base/clock.ts';
import { Credit, decodeGrant, encodeGrant, GRANT_LENGTH } from '../../base/credit.ts';
import { linger } from '../../base/linger.ts';

/** A UDX header: magic, version, type, offset of the data, the receiver's stream id (32 bits, little-endian), and 12 bytes more. */
const HEADER = 20;
const MAGIC = 0xff;
const VERSION = 1;
const ID = 4;

/**
 * The stream id that a packet is for; undefined if it is no packet of UDX. If no stream of ours has this id, the other side has
 * not heard of its end, which was told in one packet.
 */
export function unknownStream(bytes: Uint8Array): number | undefined {
  if (bytes.length < HEADER || bytes[0] !== MAGIC || bytes[1] !== VERSION) return undefined;
  return new DataView(bytes.buffer, bytes.byteOffset, HEADER).getUint32(ID, true);
}

/** A datagram of credit is a grant; one that asks for it again has one byte. */
const QUESTION = Uint8Array.of(0);

export class UdxStream extends Duplex {
  readonly id: number;
  readonly remoteId: number;
  readonly #raw: UdxRawStream;
  readonly #credit: Credit;
  /** Neighbours in one receive buffer, not yet handed on. */
  #gathered: Uint8Array | undefined;
  #received = 0;
  #taken = 0;
  #over = false;
  #abrupt = false;
  #drained: (() => void) | undefined;

  /** @param raw connected */
  constructor(raw: UdxRawStream) {
    super({ emitClose: true, allowHalfOpen: false });
    this.#raw = raw;
    this.id = raw.id;
    this.remoteId = raw.remoteId;
    this.#credit = new Credit((total) => raw.trySend(encodeGrant(total)), {
      clock: realClock,
      ask: () => raw.trySend(QUESTION),
    });
    raw.on('message', (datagram: Uint8Array) => {
      if (datagram.length === QUESTION.length) this.#credit.asked();
      else if (datagram.length === GRANT_LENGTH) this.#credit.hear(decodeGrant(datagram));
    });
    raw.on('data', (bytes: Uint8Array) => this.#gather(bytes));
    raw.on('end', () => this.#ended());
    raw.on('drain', () => this.#flushed());
    // The other side has reset it, or the path takes nothing any more. For TLS that is an end.
    raw.on('error', () => this.#ended());
    raw.on('close', () => {
      this.#ended();
      this.#flushed();
    });
  }

  /** Ends it at once, whatever was under way: its path is dead. */
  kill(): void {
    this.#abrupt = true;
    this.destroy();
    // It may have been lingering.
    this.#raw.destroy();
  }

  override _read(): void {
    const taken = this.#received - this.readableLength;
    this.#credit.took(taken - this.#taken);
    this.#taken = taken;
  }

  override _write(bytes: Uint8Array, _encoding: string, done: () => void): void {
    this.#credit.spend(bytes.length, () => {
      if (this.#raw.destroying) return void done();
      if (this.#raw.write(bytes)) done();
      else this.#drained = done;
    });
  }

  override _final(done: () => void): void {
    this.#raw.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#credit.close();
    this.#gathered = undefined;
    this.#flushed();
    if (this.#abrupt || this.#raw.destroying) this.#raw.destroy();
    else this.#linger();
    done(error);
  }

  /** What was written last still gets there, as over TCP; the other side then ends its direction too. */
  #linger(): void {
    this.#raw.end();
    // Tells the other side, in one packet.
    this.#raw.once(
      'close',
      linger(realClock, () => this.#raw.destroy()),
    );
  }

  /** What came before is read first. */
  #ended(): void {
    this.#hand();
    if (!this.destroyed && !this.#over) this.push(null);
    this.#over = true;
  }

  #flushed(): void {
    const done = this.#drained;
    this.#drained = undefined;
    done?.();
  }

  /** Each packet comes by itself, and what comes in one turn lies side by side: TLS is handed all of it at once. */
  #gather(bytes: Uint8Array): void {
    if (this.destroyed || this.#over) return;
    this.#received += bytes.length;
    try {
      this.#credit.arrived(bytes.length);
    } catch {
      return this.kill();
    }
    const before = this.#gathered;
    if (!before) {
      this.#gathered = bytes;
      setImmediate(() => this.#hand());
    } else if (before.buffer === bytes.buffer && before.byteOffset + before.length === bytes.byteOffset) {
      this.#gathered = Buffer.from(before.buffer, before.byteOffset, before.length + bytes.length);
    } else {
      this.push(before);
      this.#gathered = bytes;
    }
  }

  #hand(): void {
    const bytes = this.#gathered;
    this.#gathered = undefined;
    if (bytes && !this.destroyed) this.push(bytes);
  }
}
