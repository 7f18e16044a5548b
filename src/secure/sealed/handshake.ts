/**
 * Sealed lanes: what TLS is to lanes between two programs, for a page, which has no TLS of its own. Both sides have a secret
 * from their hellos. The receiver, who dials, is the client:
 *
 *     client  be, version, 32 random bytes ->
 *             <- 32 random bytes, a sealed empty record   server
 *     client  a sealed empty record ->
 *
 * Only then is it a pipe, at either end.
 */
import { concat } from '../../base/bytes.ts';
import { asBeelineError, BeelineError, fault } from '../../base/errors.ts';
import { LANE_OPEN_DEADLINE } from '../../base/limits.ts';
import type { Pipe } from '../pipe.ts';
import { type LaneSecret, laneKeys } from './keys.ts';
import { SealedPipe } from './pipe.ts';
import { Wire } from './wire.ts';

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
  return opening(inner, signal, deadline, async (wire) => {
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
  return opening(inner, signal, deadline, async (wire) => {
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

async function opening(
  inner: Pipe,
  signal: AbortSignal,
  deadline: number,
  steps: (wire: Wire) => Promise<Pipe>,
): Promise<Pipe> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let abort = () => {};
  const wire = new Wire(inner);
  const stopped = new Promise<never>((_resolve, reject) => {
    const { kind, remote } = inner;
    const late = fault('LANE_LATE', { remote, kind });
    timer = setTimeout(() => reject(late), deadline);
    abort = () => reject(fault('LANE_OUTPACED'));
    signal.addEventListener('abort', abort);
    if (signal.aborted) abort();
  });
  try {
    return await Promise.race([steps(wire), wire.failed, stopped]);
  } catch (thrown) {
    const error = asBeelineError(thrown, 'AUTHENTICATION');
    inner.destroy(error);
    throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
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
