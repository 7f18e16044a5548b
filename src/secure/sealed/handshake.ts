/**
 * Sealed lanes do for a page, which has no TLS of its own, what TLS does between two programs. Both sides have a secret
 * from their hellos. The receiver, who dials, is the client:
 *
 *     client  be, version, 32 random bytes ->
 *             <- 32 random bytes, a sealed empty record   server
 *     client  a sealed empty record ->
 *
 * Only then is it a pipe, at either end.
 */
import { concat } from '../../base/bytes.ts';
import { asBeelineError, BeelineError, fault, faultFrom } from '../../base/errors.ts';
import { LANE_OPEN_DEADLINE } from '../../base/limits.ts';
import { opening, type Pipe } from '../pipe.ts';
import { SealedPipe } from './pipe.ts';
import { HEADER_LENGTH, type LaneSecret, laneKeys, TAG_LENGTH } from './records.ts';

/** A client's first byte: no TLS record begins so (RFC 8446, B.1: a handshake record's is 22). */
export const SEALED_FIRST = 0xbe;
const VERSION = 1;
const NONCE_LENGTH = 32;
const SEAL_LENGTH = 32;

/**
 * @param inner ordered and reliable; destroyed if this fails @param deadline milliseconds
 * @throws BeelineError AUTHENTICATION; TIMEOUT; NO_PATH if the pipe below ends first, or the signal says so
 */
export function sealedClient(
  inner: Pipe,
  secret: LaneSecret,
  signal: AbortSignal,
  deadline = LANE_OPEN_DEADLINE,
): Promise<Pipe> {
  return negotiated(inner, signal, deadline, async (wire) => {
    const client = randomNonce();
    await wire.write(concat(Uint8Array.of(SEALED_FIRST, VERSION), client));
    const server = await wire.read(NONCE_LENGTH);
    const keys = await laneKeys(checked(secret), { client, server }, 'client');
    const pipe = new SealedPipe(inner, keys, 'client');
    wire.pass(pipe);
    await pipe.greeted;
    pipe.greet();
    return pipe;
  });
}

/**
 * @param secret asked for when a client is there; undefined if no peer of this side has sealed lanes
 * @throws as `sealedClient`
 */
export function sealedServer(
  inner: Pipe,
  secret: () => LaneSecret | undefined,
  signal: AbortSignal,
  deadline = LANE_OPEN_DEADLINE,
): Promise<Pipe> {
  return negotiated(inner, signal, deadline, async (wire) => {
    const hello = await wire.read(2 + NONCE_LENGTH);
    const shared = secret();
    if (hello[0] !== SEALED_FIRST || hello[1] !== VERSION || !shared) throw unproven();
    const server = randomNonce();
    const keys = await laneKeys(checked(shared), { client: hello.slice(2), server }, 'server');
    await wire.write(server);
    const pipe = new SealedPipe(inner, keys, 'server');
    wire.pass(pipe);
    pipe.greet();
    await pipe.greeted;
    return pipe;
  });
}

async function negotiated(
  inner: Pipe,
  signal: AbortSignal,
  deadline: number,
  steps: (wire: Wire) => Promise<Pipe>,
): Promise<Pipe> {
  const wire = new Wire(inner);
  try {
    return await opening(inner, signal, () => Promise.race([steps(wire), wire.failed]), deadline);
  } catch (thrown) {
    const error = asBeelineError(thrown, 'AUTHENTICATION');
    inner.destroy(error);
    throw error;
  }
}

function randomNonce(): Uint8Array<ArrayBuffer> {
  return globalThis.crypto.getRandomValues(new Uint8Array(NONCE_LENGTH));
}

function checked(secret: LaneSecret): LaneSecret {
  if (secret.own.length !== SEAL_LENGTH || secret.peer.length !== SEAL_LENGTH)
    throw new BeelineError('INTERNAL', 'Both halves of a sealed lane have 32 bytes.');
  return secret;
}

function unproven(): BeelineError {
  return fault('LANE_STRANGER', { what: 'it does not have the key of this session' });
}

/** While keys are made, an honest side sends at most one empty record beyond what was read. */
const MAX_EARLY = HEADER_LENGTH + TAG_LENGTH;

/** The pipe below: its first bytes are read by the handshake, the rest go to the sealed pipe. */
class Wire {
  /** Rejects if the pipe, or what comes on it, ends the handshake before the sealed pipe is there. */
  readonly failed: Promise<never>;
  readonly #inner: Pipe;
  #fail: (error: BeelineError) => void = () => {};
  #bytes = new Uint8Array(0);
  #waiting: { length: number; resolve: (bytes: Uint8Array<ArrayBuffer>) => void } | undefined;
  #pipe: SealedPipe | undefined;

  constructor(inner: Pipe) {
    this.#inner = inner;
    this.failed = new Promise((_resolve, reject) => {
      this.#fail = reject;
    });
    // Nobody awaits it after the handshake.
    this.failed.catch(() => {});
    inner.start(
      (bytes) => this.#fed(bytes),
      (error) => {
        if (this.#pipe) return this.#pipe.cut(error);
        const { kind, remote } = inner;
        this.#fail(error ? faultFrom(error, 'LANE_WRITE_FAILED') : fault('LANE_ENDED', { remote, kind }));
      },
    );
  }

  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#inner.write(bytes, (error) =>
        error ? reject(faultFrom(error, 'LANE_WRITE_FAILED')) : resolve(),
      );
    });
  }

  /** The next so many bytes. One call at a time. */
  read(length: number): Promise<Uint8Array<ArrayBuffer>> {
    return new Promise((resolve) => {
      this.#waiting = { length, resolve };
      this.#serve();
    });
  }

  /** From now on all that comes is the pipe's. */
  pass(pipe: SealedPipe): void {
    this.#pipe = pipe;
    pipe.feed(this.#bytes);
  }

  #fed(bytes: Uint8Array): void {
    if (this.#pipe) return this.#pipe.feed(bytes);
    if (this.#bytes.length + bytes.length > (this.#waiting?.length ?? 0) + MAX_EARLY)
      return this.#fail(fault('LANE_STRANGER', { what: 'it does not speak as the other side would' }));
    this.#bytes = concat(this.#bytes, bytes);
    this.#serve();
  }

  #serve(): void {
    if (!this.#waiting || this.#bytes.length < this.#waiting.length) return;
    const { length, resolve } = this.#waiting;
    this.#waiting = undefined;
    const part = this.#bytes.slice(0, length);
    this.#bytes = this.#bytes.slice(length);
    resolve(part);
  }
}
