/** A short text as a Source of one entry; shown at the receiver, never written. */
import { sha256 } from '@noble/hashes/sha2.js';
import { toHex, utf8Encode } from '../protocol/bytes.ts';
import type { Clock } from '../protocol/clock.ts';
import { BeelineError } from '../protocol/errors.ts';
import { MAX_TEXT } from '../protocol/limits.ts';
import type { Entry } from '../protocol/manifest.ts';
import type { Source } from '../transfer/ports.ts';

/** @throws BeelineError USAGE if the text is longer than MAX_TEXT bytes of UTF-8. */
export function textSource(text: string, clock: Clock): Source {
  const bytes = utf8Encode(text);
  if (bytes.length > MAX_TEXT)
    throw new BeelineError('USAGE', `The text is longer than ${MAX_TEXT} bytes. Send it as a file.`);
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
    release() {},
    changed: async () => [],
    digests: async () => new Map([[0, toHex(sha256(bytes))]]),
    close: async () => {},
  };
}
