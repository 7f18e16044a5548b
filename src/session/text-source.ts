/** A short text as a Source of one entry; shown at the receiver, never written. */
import { primitives } from '#crypto';
import { toHex, utf8Encode } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { fault } from '../base/errors.ts';
import { MAX_TEXT } from '../base/limits.ts';
import type { Entry } from '../offer/manifest.ts';
import type { Source } from '../sync/ports.ts';

/** @throws BeelineError USAGE if the text is longer than MAX_TEXT bytes of UTF-8. */
export function textSource(text: string, clock: Clock): Source {
  const bytes = utf8Encode(text);
  if (bytes.length > MAX_TEXT) throw fault('TEXT_TOO_LONG', { most: MAX_TEXT });
  const entry: Entry = {
    path: 'text',
    kind: 'file',
    size: bytes.length,
    mode: 0o600,
    mtime: clock.date() * 1000,
    target: '',
    version: '',
  };
  return {
    entries: [entry],
    kind: 'text',
    length: bytes.length,
    async read(_chunk, extents, into) {
      let total = 0;
      for (const { offset, length, at } of extents) {
        into.set(bytes.subarray(offset, offset + length), at);
        total += length;
      }
      return total;
    },
    digests: async () => new Map([[0, toHex(primitives.sha256(bytes))]]),
    close: async () => {},
  };
}
