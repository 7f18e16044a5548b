/** Pulls the manifest's pages, a few at a time on any one lane, and decodes them once all are there. */
import { equalBytes } from '../base/bytes.ts';
import { type BeelineError, fault } from '../base/errors.ts';
import { MAX_CHUNKS, MAX_MANIFEST } from '../base/limits.ts';
import type { Steps } from '../base/slices.ts';
import { decodePage, type Entry, type OfferHeader } from '../offer/manifest.ts';
import { ByteSpace } from '../offer/space.ts';
import type { LanePort } from './ports.ts';

/** Pages asked for at a time. */
const AHEAD = 8;

export class ManifestPull {
  header: OfferHeader;
  readonly pages: Uint8Array[] = [];
  #firstMissing = 0;
  #next = 0;
  #bytes = 0;

  constructor(header: OfferHeader) {
    this.header = header;
  }

  get firstMissing(): number {
    return this.#firstMissing;
  }

  /** The offer came again, as it does on every lane. True if it newly says where a stream ends. BAD_MANIFEST. */
  update(header: OfferHeader): boolean {
    const { kind, bytes } = this.header;
    if (!this.#alike(header)) {
      throw fault('OFFER_MALFORMED', { what: 'it has changed' });
    }
    if (kind !== 'stream' || bytes !== undefined || header.bytes === undefined) return false;
    this.header = header;
    return true;
  }

  /** Whether these offers are of the same: what they say besides is how the sender would like it. */
  announcesSame({ header }: ManifestPull): boolean {
    return this.#alike(header) && this.header.bytes === header.bytes;
  }

  /** Whether the manifests, both whole, are the same to the byte. */
  *comparing(other: ManifestPull): Steps<boolean> {
    for (const [page, bytes] of this.pages.entries()) {
      yield;
      if (!equalBytes(bytes, other.pages[page]!)) return false;
    }
    return this.announcesSame(other);
  }

  get complete(): boolean {
    return this.#firstMissing === this.header.pages;
  }

  ask(lane: LanePort): void {
    const limit = Math.min(this.header.pages, this.#firstMissing + AHEAD);
    for (; this.#next < limit; this.#next++) {
      if (!this.pages[this.#next]) lane.send({ type: 'get-page', page: this.#next }).catch(() => {});
    }
  }

  /** A lane died: what was asked for on it will not come. */
  askAnew(): void {
    this.#next = this.#firstMissing;
  }

  /** @throws BeelineError PROTOCOL, BAD_MANIFEST */
  take(page: number, bytes: Uint8Array): void {
    if (page >= this.header.pages) throw fault('PEER_MALFORMED', { what: 'a page that was not asked for' });
    if (this.pages[page]) return;
    this.#bytes += bytes.length;
    if (this.#bytes > MAX_MANIFEST) throw fault('OFFER_TOO_LARGE');
    this.pages[page] = bytes;
    while (this.pages[this.#firstMissing]) this.#firstMissing++;
  }

  /** The entries and their byte space. @throws BeelineError BAD_MANIFEST if they are not what was offered. */
  *decoding(): Steps<{ entries: Entry[]; space: ByteSpace }> {
    const { kind, chunkSize, bytes } = this.header;
    const entries: Entry[] = [];
    for (const page of this.pages) {
      yield;
      for (const entry of decodePage(page)) entries.push(entry);
      // Checked before all of it is in memory: a short page can name many entries.
      if (entries.length > this.header.entries) throw this.#notAsAnnounced();
    }
    yield;
    const sizes = entries.map((entry) => entry.size);
    yield;
    const space = new ByteSpace(sizes, chunkSize, kind === 'stream');
    const single = entries.length === 1 && entries[0]!.kind === 'file';
    const sizeFits = kind === 'stream' ? sizes[0] === 0 : space.bytes === bytes;
    if (entries.length !== this.header.entries || !sizeFits || (kind !== 'files' && !single)) {
      throw this.#notAsAnnounced();
    }
    if (kind !== 'stream' && space.chunks > MAX_CHUNKS) throw fault('OFFER_TOO_LARGE');
    return { entries, space };
  }

  #alike({ kind, entries, pages, chunkSize, hash }: OfferHeader): boolean {
    const { header } = this;
    const sameManifest = kind === header.kind && entries === header.entries && pages === header.pages;
    return sameManifest && chunkSize === header.chunkSize && hash === header.hash;
  }

  #notAsAnnounced(): BeelineError {
    return fault('OFFER_MALFORMED', { what: 'its list of files is not what was announced' });
  }
}
