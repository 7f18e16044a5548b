/**
 * This browser's storage as a Sink: one file holds the whole byte space, written in place by a worker; a journal
 * beside it says what is certainly down, so that a reloaded page, or the next visit, can go on. It is kept until it
 * has been saved somewhere and somebody removes it.
 */
import { realClock } from '../../base/clock.ts';
import { BeelineError, fault } from '../../base/errors.ts';
import { InTurn } from '../../base/in-turn.ts';
import { STREAM_WINDOW } from '../../base/limits.ts';
import { quoted } from '../../base/printable.ts';
import type { Entry } from '../../offer/manifest.ts';
import type { ChunkHash } from '../../offer/merkle.ts';
import { ChunkHashes } from '../../offer/merkle.ts';
import { checkingEntries } from '../../offer/names.ts';
import type { ByteSpace, Extent } from '../../offer/space.ts';
import type { End, Sink } from '../../sync/ports.ts';
import { Committer } from '../../sync/store/commit.ts';
import { Journal } from '../../sync/store/journal.ts';
import { beginning, transferKey } from './beginning.ts';
import { fittedPaths, warnOfMisfits } from './fitted.ts';
import { hashBlob } from './hash-blob.ts';
import { journalIn } from './journal-file.ts';
import { type Kept, readKept } from './kept.ts';
import { keptFolder, removeKept } from './opfs.ts';
import { lengthOf } from './places.ts';
import { PageSlices } from './slices.ts';
import { StorageClient } from './storage-client.ts';
import { noRoom, storageError } from './storage-errors.ts';

export interface KeptOptions {
  /** What a person should know though the transfer goes on: links that a browser cannot make, names that will be others. */
  onWarning?: (warning: BeelineError) => void;
}

/** What one opening works with. */
interface Work {
  client: StorageClient;
  journal: Journal;
  committer: Committer;
}

export class KeptSink implements Sink {
  readonly #options: KeptOptions;
  #entries: readonly Entry[] = [];
  #space: ByteSpace | undefined;
  #key = '';
  #client: StorageClient | undefined;
  #work: Work | undefined;
  /** As found; what is written since is in `#taken`. */
  #found = new ChunkHashes();
  #taken = new Set<number>();
  readonly #lost = new Set<number>();
  /** What lies there under the key is this object's to remove. */
  #mine = false;
  #finished = false;
  #settled = false;
  #over = false;
  /** Beginnings and ends, one after the other. */
  readonly #turns = new InTurn();

  constructor(options: KeptOptions = {}) {
    this.#options = options;
  }

  /** Bounded for a stream, of which the sender keeps only so much. */
  get window(): number {
    return this.#space?.stream ? STREAM_WINDOW : Number.POSITIVE_INFINITY;
  }

  /** What is kept of it, to be saved from. @throws BeelineError WRITE_FAILED if it is not there any more. */
  async kept(): Promise<Kept> {
    const kept = await readKept(this.#key).catch((thrown) => Promise.reject(storageError(thrown)));
    if (!kept) throw fault('KEPT_GONE', { what: 'Nothing' });
    return kept;
  }

  async open(entries: readonly Entry[], space: ByteSpace): Promise<void> {
    await new PageSlices().run(checkingEntries(entries));
    this.#entries = entries;
    this.#space = space;
    this.#key = transferKey(entries, space);
    // Whether the browser may clear it under pressure; some ask the person, and nothing waits for that.
    void navigator.storage?.persist?.().catch(() => {});
    await this.#turns.run(() => this.#begin());
    warnOfMisfits(entries, await fittedPaths(entries), this.#options.onWarning);
  }

  held(): Iterable<ChunkHash> {
    return this.#found;
  }

  wants(): boolean {
    return true;
  }

  async write(
    chunk: number,
    extents: readonly Extent[],
    data: Uint8Array | undefined,
    hash: Uint8Array,
  ): Promise<void> {
    const { client, committer } = this.#opened();
    const { chunkSize, stream } = this.#space!;
    if (this.#taken.has(chunk)) return;
    const length = extents.reduce((sum, extent) => sum + extent.length, 0);
    if (length > chunkSize || (data && data.length < length))
      throw fault('PEER_MALFORMED', { what: 'a chunk of a wrong length' });
    this.#taken.add(chunk);
    try {
      const at = chunk * chunkSize;
      if (data) await client.write(at, data.subarray(0, length), chunkSize);
      else await client.ask('zeros', at, length);
      const { chunks, dirty } = committer.batch;
      if (!stream) chunks.push({ index: chunk, hash });
      for (const { entry } of extents) dirty.add(entry);
      await committer.added(data ? length : 0);
    } catch (thrown) {
      this.#taken.delete(chunk);
      // Until all begins anew nothing is certain but what is in the journal.
      void committer.stop(thrown);
      throw storageError(thrown);
    }
  }

  async read(chunk: number, extents: readonly Extent[], into: Uint8Array): Promise<number> {
    if (!this.#taken.has(chunk)) throw new BeelineError('INTERNAL', `Chunk ${chunk} is not here.`);
    const length = extents.reduce((sum, extent) => sum + extent.length, 0);
    let cause: unknown;
    if (!extents.some(({ entry }) => this.#lost.has(entry) && !this.#whole(entry)))
      try {
        const bytes = await this.#bytes(chunk * this.#space!.chunkSize, length);
        into.set(bytes);
        if (bytes.length === length) return length;
      } catch (thrown) {
        cause = storageError(thrown);
      }
    const paths = extents.map(({ entry }) => this.#entries[entry]!.path);
    throw fault(
      'ARRIVED_UNREADABLE',
      { path: quoted(paths[0]!), why: "this browser's storage does not give it" },
      { cause, paths },
    );
  }

  async drop(entry: number): Promise<void> {
    this.#lost.add(entry);
    if (!this.#finished) await this.#sayLost([entry]);
  }

  async finish(): Promise<void> {
    const { committer, journal } = this.#opened();
    try {
      await committer.flush();
      await journal.append([{ type: 'complete', bytes: this.#space!.bytes! }]);
    } catch (thrown) {
      throw storageError(thrown);
    }
    this.#finished = true;
  }

  /** The files are let go of first: not every browser reads what is locked. */
  async digests(): Promise<Map<number, string>> {
    await this.#turns.run(() => this.#end());
    const digests = new Map<number, string>();
    const { files } = await this.kept();
    const byPath = new Map(files.map((file) => [file.path, file]));
    for (const [index, path] of (await fittedPaths(this.#entries)).entries()) {
      const blob = await byPath.get(path)?.blob();
      if (blob)
        digests.set(index, await hashBlob(blob).catch((thrown) => Promise.reject(storageError(thrown))));
    }
    return digests;
  }

  async ready(): Promise<boolean> {
    const client = this.#client;
    // Where beginning anew is what failed, only another beginning shows.
    if (!client || client.ended) return true;
    const answer = client.ask('try', this.#space!.chunkSize);
    return answer.then(
      () => true,
      () => false,
    );
  }

  async reopen(): Promise<void> {
    await this.#turns.run(async () => {
      await this.#end();
      await this.#begin();
    });
  }

  async close(end: End): Promise<void> {
    if (end === 'keep' && this.#finished && this.#over) return this.#turns.over();
    this.#over = true;
    this.#settled ||= end === 'done';
    await this.#turns.run(async () => {
      if (end === 'keep') await this.#work?.committer.flush().catch(() => {});
      await this.#end();
      const worth = this.#finished || (this.#taken.size > 0 && !this.#space!.stream);
      if (!this.#settled && !(end === 'keep' && worth)) await this.#remove();
    });
  }

  /** From the journal on: the same for a first opening, a later page's, and one after a failure. */
  async #begin(): Promise<void> {
    this.#checkOpen();
    const space = this.#space!;
    const size = lengthOf(space);
    const client = new StorageClient();
    this.#client = client;
    let anew = false;
    try {
      const there = await client.ask('open', this.#key);
      const driver = journalIn(client);
      const state = space.stream ? undefined : await Journal.read(driver);
      anew = !state || there < size;
      this.#checkOpen();
      this.#found = new ChunkHashes();
      // What was lost is wanted again, and whatever else is in its chunks.
      const again = space.touches(state?.lost ?? new Set());
      if (state && !anew)
        for (const { index, hash } of state.chunks)
          if (index < space.chunks && !again(index)) this.#found.set(index, hash);
      const begun = beginning(this.#entries, space, state?.created);
      const journal = await Journal.replace(driver, [...begun, { type: 'chunks', chunks: [...this.#found] }]);
      this.#mine = true;
      if (anew) await client.ask('truncate', 'data', 0);
      // Its full size at once, so that a quota that is too small shows now.
      await client.ask('truncate', 'data', size);
      await client.ask('sync', 'data');
      const sync = () => client.ask('sync', 'data');
      const committer = new Committer({ clock: realClock, journal, sync, place: async () => [] });
      this.#work = { client, journal, committer };
      this.#taken = new Set(this.#found.have);
      await this.#sayLost(this.#lost);
      this.#checkOpen();
    } catch (thrown) {
      await this.#end();
      if (anew) await removeKept(this.#key).catch(() => {});
      const error = storageError(thrown);
      throw error.code === 'DISK_FULL' ? await noRoom(size, thrown) : error;
    }
  }

  /** Fewer only if no more are kept. Once the files are let go of they are read as whoever saves them reads them. */
  async #bytes(at: number, length: number): Promise<Uint8Array> {
    if (!this.#finished) this.#checkOpen();
    if (this.#work) return new Uint8Array(await this.#work.client.ask('read', 'data', at, length));
    const folder = await (await keptFolder()).getDirectoryHandle(this.#key);
    const data = await (await folder.getFileHandle('data')).getFile();
    return new Uint8Array(await data.slice(at, at + length).arrayBuffer());
  }

  /** Before any chunk that has zeros in their places; what is here of a file that is whole stays. */
  async #sayLost(entries: Iterable<number>): Promise<void> {
    const parts = [...entries].filter((entry) => !this.#whole(entry));
    if (parts.length > 0) await this.#work?.journal.append([{ type: 'lost', entries: parts }]);
  }

  /** Whether all of it has arrived. */
  #whole(entry: number): boolean {
    const { first, end } = this.#space!.chunksOf(entry);
    for (let chunk = first; chunk < end; chunk++) if (!this.#taken.has(chunk)) return false;
    return first < end;
  }

  async #end(): Promise<void> {
    const [client, work] = [this.#client, this.#work];
    this.#client = undefined;
    this.#work = undefined;
    await work?.committer.stop();
    await work?.journal.close();
    await client?.ask('close').catch(() => {});
    client?.end();
  }

  async #remove(): Promise<void> {
    if (!this.#mine) return;
    this.#mine = false;
    // What cannot be removed now stands among what is kept, and can be removed there.
    await removeKept(this.#key).catch(() => {});
  }

  #opened(): Work {
    this.#checkOpen();
    if (!this.#work) throw new BeelineError('INTERNAL', 'The storage is not open.');
    return this.#work;
  }

  #checkOpen(): void {
    if (this.#over) throw new BeelineError('CANCELLED', 'Receiving was given up.');
  }
}
