/**
 * `beeline/stores`: what a program needs for a place of its own to send from or to receive into, which it then gives to `send` as
 * `{ store }` and to `receive` as `store`. A `Sink` without `held` cannot be gone on with by a later run.
 * @module
 */

export type { Entry } from './offer/manifest.ts';
export type { ChunkHash } from './offer/merkle.ts';
export type { ByteSpace, Extent } from './offer/space.ts';
export type { Comparing, End, Resuming, Sink, Source, Store } from './sync/ports.ts';
