/**
 * A folder that the person picked as a Sink: each file goes straight there, and nothing is stored twice. A journal in this browser's
 * storage says which files are whole, so that another run can go on with the others. A browser puts a file in its place only when it is
 * closed, so that one that is under way when the page dies begins anew.
 */
import { realClock } from '../../base/clock.ts';
import { BeelineError, fault } from '../../base/errors.ts';
import { InTurn } from '../../base/in-turn.ts';
import { STREAM_WINDOW } from '../../base/limits.ts';
import { escapeName, quoted } from '../../base/printable.ts';
import type { Entry } from '../../offer/manifest.ts';
import type { ChunkHash } from '../../offer/merkle.ts';
import { ChunkHashes } from '../../offer/merkle.ts';
import { checkingEntries } from '../../offer/names.ts';
import type { ByteSpace, Extent } from '../../offer/space.ts';
import type { End, Sink } from '../../sync/ports.ts';
import { ChunkWriter } from '../../sync/store/chunk-writer.ts';
import { Committer } from '../../sync/store/commit.ts';
import { Journal } from '../../sync/store/journal.ts';
import type { JournalState } from '../../sync/store/journal-records.ts';
import { Notices } from '../../wire/notices.ts';
import { beginning, transferKey } from './beginning.ts';
import { fittedPaths, warnOfMisfits } from './fitted.ts';
import { folderError } from './folder-errors.ts';
import { FolderFiles, namesAtTop } from './folder-files.ts';
import { savingError } from './free-names.ts';
import { hashBlob } from './hash-blob.ts';
import { journalIn } from './journal-file.ts';
import { folderKey, removeKept } from './opfs.ts';
import { pickedFor, rememberPicked } from './picked.ts';
import { PageSlices } from './slices.ts';
import { StorageClient } from './storage-client.ts';

/** Chunks past the first missing one: so many large files may be under way, whatever order they come in. */
const WINDOW = 64;

/** What one opening works with. */
interface Work {
  client: StorageClient;
  journal: Journal;
  committer: Committer;
  files: FolderFiles;
  writer: ChunkWriter;
}

export interface FolderOptions {
  /** As of `KeptOptions`. */
  onWarning?: (warning: BeelineError) => void;
}

export class FolderSink implements Sink {
  readonly #top: FileSystemDirectoryHandle;
  readonly #options: FolderOptions;
  readonly #notices: Notices;
  #entries: readonly Entry[] = [];
  #fitted: readonly string[] = [];
  #space: ByteSpace | undefined;
  #key = '';
  #work: Work | undefined;
  #found = new ChunkHashes();
  readonly #dropped = new Set<number>();
  readonly #refused = new Set<number>();
  /** In their places, and not told of yet; and 1 for each that is, or was. */
  #placed: number[] = [];
  #wasPlaced = new Uint8Array();
  /** Something of it is worth going on with. */
  #worth = false;
  /** What lies there under the key is this object's to remove. */
  #mine = false;
  #over = false;
  /** Beginnings and ends, one after the other. */
  readonly #turns = new InTurn();

  constructor(top: FileSystemDirectoryHandle, options: FolderOptions = {}) {
    this.#top = top;
    this.#options = options;
    this.#notices = new Notices((warning) => options.onWarning?.(warning));
  }

  get window(): number {
    return this.#space?.stream ? STREAM_WINDOW : WINDOW;
  }

  async open(entries: readonly Entry[], space: ByteSpace): Promise<void> {
    await new PageSlices().run(checkingEntries(entries));
    this.#entries = entries;
    this.#space = space;
    this.#wasPlaced = new Uint8Array(entries.length);
    this.#fitted = await fittedPaths(entries);
    this.#key = folderKey(transferKey(entries, space));
    await this.#turns.run(() => this.#begin());
    warnOfMisfits(entries, this.#fitted, this.#options.onWarning);
  }

  held(): Iterable<ChunkHash> {
    return this.#found;
  }

  wants(): boolean {
    return true;
  }

  leftOut(): string[] {
    return [...this.#refused].map((entry) => this.#entries[entry]!.path);
  }

  placed(): number[] {
    return this.#placed.splice(0);
  }

  async write(
    chunk: number,
    extents: readonly Extent[],
    data: Uint8Array | undefined,
    hash: Uint8Array,
  ): Promise<void> {
    const { writer, committer } = this.#opened();
    try {
      await writer.take({ chunk, extents, hash, data, kept: false });
    } catch (thrown) {
      // Until all begins anew nothing is certain but what is in the journal.
      void committer.stop(thrown);
      throw await folderError(this.#top, thrown);
    }
  }

  async drop(entry: number): Promise<void> {
    this.#dropped.add(entry);
    const work = this.#work;
    if (!work || work.writer.done(entry)) return;
    await work.files.forget(entry);
    await work.journal.append([{ type: 'lost', entries: [entry] }]);
  }

  async finish(): Promise<void> {
    const { writer, committer, files, journal } = this.#opened();
    try {
      await writer.finish();
      await files.folders();
      this.#notices.end();
      await committer.flush();
      await committer.finish();
      await journal.append([{ type: 'complete', bytes: this.#space!.bytes! }]);
    } catch (thrown) {
      throw await folderError(this.#top, thrown);
    }
  }

  async digests(): Promise<Map<number, string>> {
    const { files } = this.#opened();
    const digests = new Map<number, string>();
    for (const [entry, { kind }] of this.#entries.entries()) {
      const file = kind === 'file' ? await files.file(entry) : undefined;
      if (file && !this.#dropped.has(entry)) digests.set(entry, await hashBlob(file));
    }
    return digests;
  }

  async ready(): Promise<boolean> {
    const work = this.#work;
    // Where beginning anew is what failed, only another beginning shows.
    if (!work || work.client.ended) return true;
    const tried = work.files.tryWriting(this.#space!.chunkSize);
    return tried.then(
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
    this.#over = true;
    this.#work?.writer.stop();
    await this.#turns.run(async () => {
      if (end === 'keep') await this.#work?.committer.finish().catch(() => {});
      await this.#end();
      if (end === 'keep' && this.#worth && !this.#space!.stream) return;
      if (!this.#mine) return;
      this.#mine = false;
      // What cannot be removed now stands among what is kept, and can be removed there.
      await removeKept(this.#key).catch(() => {});
    });
  }

  /** From the journal on: the same for a first opening, a later page's, and one after a failure. */
  async #begin(): Promise<void> {
    this.#checkOpen();
    const space = this.#space!;
    const client = new StorageClient();
    try {
      await client.ask('open', this.#key);
      const driver = journalIn(client);
      const found = space.stream ? undefined : await Journal.read(driver);
      // The same offer may have gone to another folder.
      const state = found && (await this.#isOurs()) ? found : undefined;
      const names = state ? namesOf(state) : await namesAtTop(this.#top, this.#entries, this.#fitted);
      const work: { journal?: Journal } = {};
      const files = this.#filesAt(names, state !== undefined, work);
      const certain = state && (await files.standing(certainOf(state, this.#entries.length, space)));
      this.#found = heldOf(state, space, certain);
      this.#checkOpen();
      const journal = await Journal.replace(driver, [
        ...beginning(this.#entries, space, state?.created),
        { type: 'plan', choices: [...names].map(([entry, as]) => ({ entry, choice: 'rename', as })) },
        { type: 'placed', entries: [...(certain ?? [])] },
        { type: 'chunks', chunks: [...this.#found] },
      ]);
      work.journal = journal;
      this.#mine = true;
      this.#worth = state !== undefined && (certain?.size ?? 0) > 0;
      this.#arePlaced(certain ?? []);
      if (!state && !space.stream) await rememberPicked(this.#key, this.#top);
      this.#work = { client, journal, files, ...this.#writing(journal, files, certain ?? []) };
      for (const entry of this.#dropped) await this.drop(entry);
      this.#checkOpen();
    } catch (thrown) {
      if (this.#work) await this.#end();
      else client.end();
      throw await folderError(this.#top, thrown);
    }
  }

  #filesAt(names: Map<number, string>, earlier: boolean, work: { journal?: Journal }): FolderFiles {
    return new FolderFiles({
      ...{ top: this.#top, entries: this.#entries, fitted: this.#fitted, names, earlier },
      claim: async (entry, as) =>
        work.journal?.append([{ type: 'plan', choices: [{ entry, choice: 'rename', as }] }]),
      refused: (entry, as) => {
        if (this.#refused.has(entry)) return;
        const { path } = this.#entries[entry]!;
        const name = quoted(path);
        if (as !== undefined)
          return this.#notices.add(
            'saved under another name, which this browser lets a page write',
            fault('NAME_WRITTEN_AS', { name, as: escapeName(as) }, { paths: [path] }),
          );
        this.#refused.add(entry);
        this.#notices.add(
          'left out, since this browser refuses to write their names',
          fault('NAME_NOT_WRITTEN', { name }, { paths: [path] }),
        );
      },
    });
  }

  #writing(
    journal: Journal,
    files: FolderFiles,
    placed: Iterable<number>,
  ): Pick<Work, 'committer' | 'writer'> {
    const [entries, space] = [this.#entries, this.#space!];
    const committer = new Committer({
      ...{ clock: realClock, journal },
      // Where it is closed, and in its place: a page can do no more for it.
      sync: ({ whole }) => files.settle(whole.keys()),
      place: async ({ whole }) => {
        this.#worth ||= whole.size > 0;
        this.#arePlaced(whole.keys());
        return [...whole.keys()];
      },
    });
    const writer = new ChunkWriter({
      ...{ entries, space, files, committer, placed },
      skips: (entry) => entries[entry]!.kind === 'link' || this.#dropped.has(entry),
      renews: () => false,
      makeFolder: (path) => files.makeFolder(path),
      failure: (thrown, path) => savingError(path, thrown),
      slices: () => new PageSlices(),
    });
    return { committer, writer };
  }

  #arePlaced(entries: Iterable<number>): void {
    for (const entry of entries) {
      if (this.#wasPlaced[entry] || this.#refused.has(entry)) continue;
      this.#wasPlaced[entry] = 1;
      this.#placed.push(entry);
    }
  }

  async #isOurs(): Promise<boolean> {
    const before = await pickedFor(this.#key);
    return before !== undefined && (await before.isSameEntry(this.#top));
  }

  async #end(): Promise<void> {
    const work = this.#work;
    this.#work = undefined;
    if (!work) return;
    work.writer.stop();
    await work.committer.stop();
    await work.files.close();
    await work.journal.close();
    await work.client.ask('close').catch(() => {});
    work.client.end();
  }

  #opened(): Work {
    this.#checkOpen();
    if (!this.#work) throw new BeelineError('INTERNAL', 'The folder is not open.');
    return this.#work;
  }

  #checkOpen(): void {
    if (this.#over) throw new BeelineError('CANCELLED', 'Receiving was given up.');
  }
}

/** The files that were whole in their places, as far as the journal says. @param entries how many the manifest has */
export function certainOf(
  { chunks, placed, lost }: JournalState,
  entries: number,
  space: ByteSpace,
): Set<number> {
  const found = new Set([...placed].filter((entry) => entry < entries));
  for (const { entry, first, end } of space.occupied()) {
    let whole = !lost.has(entry);
    for (let chunk = first; whole && chunk < end; chunk++) whole = chunks.have.has(chunk);
    if (whole) found.add(entry);
  }
  return found;
}

/** A chunk counts once all files that it has a part of do. */
function heldOf(
  state: JournalState | undefined,
  space: ByteSpace,
  certain: ReadonlySet<number> = new Set(),
): ChunkHashes {
  const held = new ChunkHashes();
  for (const { index, hash } of state?.chunks ?? [])
    if (index < space.chunks && space.extents(index).every(({ entry }) => certain.has(entry)))
      held.set(index, hash);
  return held;
}

const namesOf = ({ choices }: JournalState): Map<number, string> =>
  new Map([...choices].flatMap(([entry, { as }]) => (as === '' ? [] : [[entry, as]])));
