/** What a page gives the engine: a clock, buffers, and SHA-256 off the main thread. It hashes with nothing else. */
import { realClock } from '../base/clock.ts';
import { fault } from '../base/errors.ts';
import { COMMON_HASH } from '../offer/hashing.ts';
import type { Platform } from '../session/ports.ts';
import { thisBrowser } from './agent.ts';

export const platform: Platform = {
  digest(hash) {
    if (hash !== COMMON_HASH) throw fault('PEER_MISBEHAVES', { what: 'hashes in a way that no page can' });
    return async (data) =>
      new Uint8Array(await crypto.subtle.digest('SHA-256', data as Uint8Array<ArrayBuffer>));
  },
  hashes: () => [COMMON_HASH],
  computes: [COMMON_HASH],
  allocate: (bytes) => new Uint8Array(bytes),
  clock: realClock,
  random: Math.random,
  agent: `beeline/0.1.0 (${thisBrowser(globalThis.navigator?.userAgent ?? '')})`,
};

/** @throws BeelineError USAGE where browsers give a page no cryptography: over plain HTTP, but for this very machine. */
export function requireSecureContext(): void {
  if (isSecureContext && crypto.subtle) return;
  throw fault('PAGE_INSECURE');
}
