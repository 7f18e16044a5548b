/**
 * How this machine hashes chunks. BLAKE3 comes from a native module, which may be missing: then it is computed in JavaScript, which
 * is slow, and this side does not ask for it.
 */
import { createHash, webcrypto } from 'node:crypto';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { COMMON_HASH, type HashName } from '../offer/hashing.ts';
import type { Digest } from '../sync/ports.ts';

type Direct = (data: Uint8Array) => Uint8Array;

/** Bytes of a sample, which fit every processor's second cache, and how often each function gets it. */
const SAMPLE_BYTES = 64 * 1024;
const ROUNDS = 8;
/** So many bytes are hashed sooner than it is found out with what. */
const SMALL_BYTES = 32 * 1024 * 1024;
/** So much faster SHA-256 has to be. Where both are about equal, one run must not choose other than the next. */
const CLEARLY = 1.2;

const sha256: Direct = (data) => createHash('sha256').update(data).digest();

/**
 * On the event loop it costs no copy and no hand-over, which is best where both cores are busy anyway (measured:
 * 1.7 against 1.1 GB/s); with more cores than that, hashing beside the loop is worth a copy. Web Crypto takes no shared memory: that is
 * hashed in threads (threads.ts).
 */
const sha256Digest: Digest =
  availableParallelism() > 2
    ? async (data) =>
        data.buffer instanceof ArrayBuffer
          ? new Uint8Array(await webcrypto.subtle.digest('SHA-256', data as Uint8Array<ArrayBuffer>))
          : sha256(data)
    : sha256;

/** Loaded when somebody first wants it; null: there is none. */
let native: Direct | null | undefined;

function nativeBlake3(): Direct | null {
  native ??= loadBlake3();
  return native;
}

/**
 * On Linux the package's binary is taken without its loader. That one tells the C library by a report of the whole process, for which
 * Node asks a name server for every address that the process is connected to, and waits for each answer.
 */
function loadBlake3(): Direct | null {
  const name = '@napi-rs/blake-hash';
  const { platform, arch } = process;
  const binaries = ['gnu', 'musl', 'gnueabihf'].map((library) => `${name}-linux-${arch}-${library}`);
  const require = createRequire(import.meta.url);
  for (const one of platform === 'linux' ? binaries : [name])
    try {
      // From where the package is: a package manager may hide its dependencies from others.
      return createRequire(require.resolve(name))(one).blake3 as Direct;
    } catch {
      // Not installed, or for another C library.
    }
  return null;
}

const slowBlake3: Digest = async (data) => (await import('@noble/hashes/blake3.js')).blake3(data);

/** In this thread. */
export function digestOf(hash: HashName): Digest {
  return hash === 'sha256' ? sha256Digest : (nativeBlake3() ?? slowBlake3);
}

let order: readonly HashName[] | undefined;

/** With what this machine hashes fast, the fastest first. Loads and measures when it is first asked. @param bytes to be hashed */
export function fastest(bytes?: number): readonly HashName[] {
  if (bytes !== undefined && bytes < SMALL_BYTES) return [COMMON_HASH];
  order ??= measured(nativeBlake3());
  return order;
}

function measured(blake3: Direct | null): readonly HashName[] {
  if (!blake3) return [COMMON_HASH];
  const sample = new Uint8Array(SAMPLE_BYTES);
  const faster = CLEARLY * timeOf(sha256, sample) < timeOf(blake3, sample);
  return faster ? ['sha256', 'blake3'] : ['blake3', 'sha256'];
}

/** Milliseconds, of the round that was disturbed least. */
function timeOf(hash: Direct, sample: Uint8Array): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const began = performance.now();
    hash(sample);
    best = Math.min(best, performance.now() - began);
  }
  return best;
}
