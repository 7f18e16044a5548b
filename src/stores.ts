/**
 * `@beeline-transfer/beeline/stores`: the types for a store of your own. Give a `Source` to `send` as `{ store }`, and to `receive` a
 * function `store` that makes a `Sink`. If a `Sink` has no `held`, a later run cannot go on with it.
 * @module
 */

export type { HashName } from './offer/hashing.ts';
export type { Entry } from './offer/manifest.ts';
export type { ChunkHash } from './offer/merkle.ts';
export type { ByteSpace, Extent } from './offer/space.ts';
export type { Comparing, End, Resuming, Sink, Source, Store } from './sync/ports.ts';
