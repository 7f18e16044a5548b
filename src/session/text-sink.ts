/** A sent text: collected, at most MAX_TEXT, and handed over whole. It is the peer's; escape it before a terminal. */
import { primitives } from '#crypto';
import { toHex, utf8Decode } from '../base/bytes.ts';
import { BeelineError, fault } from '../base/errors.ts';
import { MAX_TEXT } from '../base/limits.ts';
import type { Entry } from '../offer/manifest.ts';
import type { Extent } from '../offer/space.ts';
import type { Sink } from '../sync/ports.ts';

export class TextSink implements Sink {
  readonly window = Number.POSITIVE_INFINITY;
  readonly #onText: (text: string) => void;
  #bytes = new Uint8Array(0);
  #over = false;

  /** @param onText called once, from `finish` */
  constructor(onText: (text: string) => void) {
    this.#onText = onText;
  }

  async open(entries: readonly Entry[]): Promise<void> {
    const [entry, ...more] = entries;
    if (entry?.kind !== 'file' || more.length > 0 || entry.size > MAX_TEXT)
      throw fault('OFFER_MALFORMED', { what: `is a text that is not one text of at most ${MAX_TEXT} bytes` });
    this.#bytes = new Uint8Array(entry.size);
  }

  wants(): boolean {
    return true;
  }

  async write(_chunk: number, extents: readonly Extent[], data: Uint8Array | undefined): Promise<void> {
    for (const { offset, length, at } of extents) {
      if (offset + length > this.#bytes.length || (data && at + length > data.length))
        throw fault('PEER_MISBEHAVES', { what: 'sent a chunk that does not fit the text' });
      // Zeros are there already.
      if (data) this.#bytes.set(data.subarray(at, at + length), offset);
    }
  }

  async drop(): Promise<void> {
    throw fault('PEER_MISBEHAVES', { what: 'took back its text' });
  }

  /** PROTOCOL if it is not UTF-8. */
  async finish(): Promise<void> {
    if (this.#over) throw new BeelineError('CANCELLED', 'Receiving was given up.');
    this.#onText(utf8Decode(this.#bytes));
  }

  async digests(): Promise<Map<number, string>> {
    return new Map([[0, toHex(primitives.sha256(this.#bytes))]]);
  }

  async close(): Promise<void> {
    this.#over = true;
    this.#bytes = new Uint8Array(0);
  }
}
