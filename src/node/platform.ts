/** What this machine gives the engine: a clock, buffers, and what hashes chunks. */
import { realClock } from '../base/clock.ts';
import { HASH_NAMES } from '../offer/hashing.ts';
import type { Platform } from '../session/ports.ts';
import { digestOf, fastest } from '../threads/digests.ts';

export const platform: Platform = {
  digest: digestOf,
  hashes: fastest,
  computes: HASH_NAMES,
  allocate: (bytes: number): Uint8Array => Buffer.allocUnsafeSlow(bytes),
  clock: realClock,
  random: Math.random,
  agent: 'beeline/0.1.0',
};
