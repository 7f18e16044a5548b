/** What one opening of a StagingSink works with: made new, or from what an earlier run left, and made anew after a failure. */
import { existsSync, rmSync } from 'node:fs';
import { realClock } from '../../base/clock.ts';
import type { Entry } from '../../offer/manifest.ts';
import { parentOf } from '../../offer/names.ts';
import type { ByteSpace, Extent } from '../../offer/space.ts';
import { ChunkWriter } from '../../sync/store/chunk-writer.ts';
import { type Batch, Committer } from '../../sync/store/commit.ts';
import { Journal } from '../../sync/store/journal.ts';
import type { JournalRecord } from '../../sync/store/journal-records.ts';
import { rehashed } from '../../sync/store/rehash.ts';
import { digestOf } from '../../threads/digests.ts';
import { Arrived } from './arrived.ts';
import type { Plan } from './conflicts.ts';
import { diskError } from './disk-errors.ts';
import { Folders } from './folders.ts';
import { Inventory, takeInventory } from './inventory.ts';
import type { Job } from './job.ts';
import { LocalData } from './local-data.ts';
import { Placer } from './place.ts';
import { type RenameNew, renameNewFor } from './rename-new.ts';
import { FileSlices, inSlices } from './slices.ts';
import { StagedFiles } from './staged-files.ts';
import type { FoundStaging } from './staging.ts';
import { syncAll } from './sync.ts';

/**
 * What an earlier run left for these entries.
 * @param now their manifest
 * @param step times that are less than so many microseconds apart may be one here
 */
export async function inventoryOf(
  root: string,
  entries: readonly Entry[],
  now: readonly Uint8Array[],
  space: ByteSpace,
  found: FoundStaging | undefined,
  step: number,
): Promise<Inventory> {
  // What was staged of a stream is of no use without the same stream.
  if (!found || space.stream) return new Inventory();
  const { pages, chunkSize } = found.state;
  const same =
    chunkSize === space.chunkSize &&
    now.length === pages.length &&
    now.every((page, i) => Buffer.compare(page, pages[i]!) === 0);
  return takeInventory(root, entries, space, found, same, step);
}

/** What one opening of a StagingSink works with. */
export class Workspace {
  readonly files: StagedFiles;
  readonly folders: Folders;
  readonly placer: Placer;
  readonly local: LocalData;
  readonly arrived: Arrived;
  readonly journal: Journal;
  readonly committer: Committer;
  readonly writer: ChunkWriter;
  readonly #job: Job;
  /** Relative paths of folders with names that are not durable yet. */
  #named = new Set<string>();
  #closed = false;

  /**
   * @param dropped entries that the sender could not deliver, as of now
   * @param going throws if nobody wants it any more: what is here may be long to read
   */
  static async open(
    job: Job,
    inventory: Inventory,
    dropped: ReadonlySet<number>,
    going: () => void,
  ): Promise<Workspace> {
    const files = new StagedFiles(job);
    await inSlices(inventory.staged, ([entry, left]) => files.adopt(entry, left));
    if (inventory.hash !== job.hash) {
      await hashAnew(job, inventory, files, going);
      await inSlices(inventory.staged, ([entry, left]) => files.adopt(entry, left));
    }
    const renameNew = await renameNewFor(job.entries.length);
    const journal = await beginJournal(job, inventory);
    const work = new Workspace(job, inventory, dropped, files, journal, renameNew);
    try {
      await inSlices(inventory.staged, async ([entry, left]) => {
        if (left > 0 || job.plan.skipped.has(entry)) return;
        await work.writer.complete(entry, job.entries[entry]!.size);
      });
      return work;
    } catch (error) {
      await work.close();
      throw error;
    }
  }

  private constructor(
    job: Job,
    inventory: Inventory,
    dropped: ReadonlySet<number>,
    files: StagedFiles,
    journal: Journal,
    renameNew: RenameNew | undefined,
  ) {
    const { entries, space, plan } = job;
    this.#job = job;
    this.files = files;
    this.folders = new Folders(job);
    this.placer = new Placer(job, this.folders, inventory.placed, renameNew);
    this.local = new LocalData(job, inventory, files, this.placer);
    this.arrived = new Arrived(job, files, this.placer);
    this.journal = journal;
    this.committer = new Committer({
      ...{ journal, clock: realClock },
      sync: (batch) => this.#sync(batch),
      place: (batch) => this.#place(batch),
    });
    this.writer = new ChunkWriter({
      ...{ entries, space, files, committer: this.committer, placed: inventory.placed },
      skips: (entry) => plan.skipped.has(entry) || dropped.has(entry),
      renews: (entry) => inventory.seeds.has(entry),
      makeFolder: (path) => this.folders.ensure(path),
      failure: diskError,
      slices: () => new FileSlices(),
    });
  }

  /** Nothing of it may be used any more, but what has arrived, and what the writer knows. */
  get closed(): boolean {
    return this.#closed;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.committer.stop();
    await this.files.close();
    await this.local.close();
    this.folders.close();
    await this.journal.close();
  }

  async #sync({ dirty, whole }: Batch): Promise<void> {
    const { root, entries, staging } = this.#job;
    // What is held open still takes bytes after the drive has been taken out of its place.
    if (!staging.stands) throw diskError(Object.assign(new Error('gone'), { code: 'ENOENT' }), root);
    // A link is nothing but its name.
    const files = new Set([...whole.keys()].filter((entry) => entries[entry]!.kind !== 'link'));
    for (const entry of dirty) {
      if (files.has(entry) || (await this.files.sync(entry))) continue;
      // Whole by now and in a later batch, or dropped.
      if (existsSync(this.files.path(entry))) files.add(entry);
    }
    const paths = [...files].map((entry) => whole.get(entry) ?? this.files.path(entry));
    const named = this.#named;
    this.#named = new Set();
    // Whoever moves a folder away takes its names along. The end says so, if it is not back by then.
    await syncAll(paths, [], root, this.folders.absolute(named));
  }

  /** What these folders hold is to be durable with the next sync. */
  names(folder: string): void {
    this.#named.add(folder);
  }

  async #place({ whole }: Batch): Promise<number[]> {
    const { placer } = this;
    const choices: PlanRecord['choices'] = [];
    await inSlices(whole, ([entry, path]) => {
      const name = placer.relative(entry);
      placer.put(entry, path);
      const as = placer.relative(entry);
      if (as !== name) choices.push({ entry, choice: 'rename', as });
      this.names(parentOf(as));
    });
    if (choices.length > 0) await this.journal.append([{ type: 'plan', choices }]);
    return [...whole.keys()];
  }
}

type PlanRecord = JournalRecord & { type: 'plan' };

/** What is here was hashed otherwise than this offer is. Until the new journal is there the old one counts. */
async function hashAnew(
  job: Job,
  inventory: Inventory,
  files: StagedFiles,
  going: () => void,
): Promise<void> {
  const { space, hash } = job;
  const folders = new Folders(job);
  const local = new LocalData(job, inventory, files, new Placer(job, folders, inventory.placed));
  const means = {
    from: digestOf(inventory.hash),
    to: digestOf(hash),
    read: async (chunk: number) => {
      going();
      return local.read(space.extents(chunk));
    },
  };
  try {
    const chunks = await rehashed(inventory.chunks, means);
    for (const chunk of inventory.chunks.have)
      if (!chunks.have.has(chunk))
        await inSlices(space.extents(chunk), (extent) => missAgain(inventory, extent));
    inventory.guesses = await rehashed(inventory.guesses, means);
    inventory.chunks = chunks;
    inventory.hash = hash;
  } finally {
    await local.close();
    folders.close();
  }
}

function missAgain({ staged }: Inventory, { entry, length }: Extent): void {
  const left = staged.get(entry);
  if (left !== undefined) staged.set(entry, left + length);
}

/** A journal that says what the inventory says, in place of whatever was there. */
async function beginJournal(
  { pages, space, hash, from, plan, staging }: Job,
  inventory: Inventory,
): Promise<Journal> {
  // Not before: an offer that ends at a question or a conflict costs an earlier one nothing.
  for (const path of inventory.others) rmSync(path, { force: true });
  return Journal.replace(staging.journal, [
    {
      type: 'begin',
      created: inventory.created ?? Date.now(),
      chunkSize: space.chunkSize,
      pages: pages.length,
      stream: space.stream,
      hash,
      ...(from.length > 0 && { from }),
    },
    ...pages.map((bytes, page): JournalRecord => ({ type: 'page', page, bytes })),
    { type: 'plan', choices: choicesOf(plan) },
    { type: 'chunks', chunks: [...inventory.chunks] },
    { type: 'placed', entries: [...inventory.placed] },
  ]);
}

/** A plan as the journal keeps it. */
function choicesOf({ skipped, left, replaced, renamed }: Plan): PlanRecord['choices'] {
  return [
    ...[...skipped]
      .filter((entry) => !left.has(entry))
      .map((entry) => ({ entry, choice: 'skip', as: '' }) as const),
    ...[...replaced].map((entry) => ({ entry, choice: 'replace', as: '' }) as const),
    ...[...renamed].map(([entry, as]) => ({ entry, choice: 'rename', as }) as const),
  ];
}
