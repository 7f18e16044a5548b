/** What one opening of a StagingSink works with: made new, or from what an earlier run left, and made anew after a failure. */
import { existsSync, rmSync } from 'node:fs';
import { realClock } from '../../base/clock.ts';
import { type Entry, encodingPages } from '../../offer/manifest.ts';
import type { ByteSpace } from '../../offer/space.ts';
import { Committer } from '../../sync/store/commit.ts';
import { Journal } from '../../sync/store/journal.ts';
import type { JournalRecord } from '../../sync/store/journal-records.ts';
import { Arrived } from './arrived.ts';
import type { Attributes } from './attributes.ts';
import type { Overwrite, Plan } from './conflicts.ts';
import { diskError } from './disk-errors.ts';
import { Folders, parentOf } from './folders.ts';
import { Inventory, takeInventory } from './inventory.ts';
import { LocalData } from './local-data.ts';
import { Placer } from './place.ts';
import { Slices } from './slices.ts';
import { StagedFiles } from './staged-files.ts';
import type { Found, Staging } from './staging.ts';
import { syncFiles, syncFolders } from './sync.ts';

export interface Job {
  /** Real path of the destination. */
  root: string;
  entries: readonly Entry[];
  /** The same as the sender names them. */
  offered: readonly Entry[];
  space: ByteSpace;
  plan: Plan;
  overwrite: Overwrite;
  attributes: Attributes;
  staging: Staging;
  inventory: Inventory;
  /** Times that are less than so many microseconds apart may be one here. */
  step: number;
  /** Told of what nobody foresaw: that this file system takes two names for one, and where the second is put. */
  onTwin: (path: string, as: string) => void;
}

export interface Workspace {
  files: StagedFiles;
  folders: Folders;
  placer: Placer;
  local: LocalData;
  arrived: Arrived;
  journal: Journal;
  committer: Committer;
}

/**
 * What an earlier run left for these entries.
 * @param step times that are less than so many microseconds apart may be one here
 */
export async function inventoryOf(
  root: string,
  entries: readonly Entry[],
  space: ByteSpace,
  found: Found | undefined,
  step: number,
): Promise<Inventory> {
  // What was staged of a stream is of no use without the same stream.
  if (!found || space.stream) return new Inventory();
  const { pages, chunkSize } = found.state;
  const now = await new Slices().run(encodingPages(entries));
  const same =
    chunkSize === space.chunkSize &&
    now.length === pages.length &&
    now.every((page, i) => Buffer.compare(page, pages[i]!) === 0);
  return takeInventory(root, entries, space, found, same, step);
}

export async function openWorkspace(job: Job): Promise<Workspace> {
  const { root, entries, space, plan, overwrite, attributes, staging, inventory } = job;
  const staged = new StagedFiles(staging, entries, attributes);
  const slices = new Slices();
  for (const [entry, left] of inventory.staged) {
    if (slices.over()) await slices.next();
    staged.adopt(entry, left);
  }
  const ours = new Set<string>();
  for (const [index, { kind, path }] of entries.entries())
    if (kind === 'folder' && !plan.skipped.has(index)) ours.add(path);
  const folders = new Folders(root, attributes, (path) => ours.has(path));
  const placer = new Placer(
    { root, entries, folders, plan, overwrite, onTwin: job.onTwin },
    inventory.placed,
  );
  const local = new LocalData({
    chunkSize: space.chunkSize,
    path: (entry) => {
      if (inventory.placed.has(entry)) return placer.path(entry);
      return inventory.seeds.get(entry) ?? (staged.adopted(entry) ? staged.path(entry) : undefined);
    },
    // A staged file gets its new length once it is written to.
    end: (entry) => (inventory.seeds.has(entry) ? undefined : inventory.ends.get(entry)),
    isSenders: (entry) => inventory.senders.has(entry),
  });
  const { offered, step } = job;
  const arrived = new Arrived({ entries, offered, space, files: staged, placer, attributes, step });
  const journal = await beginJournal(job);
  const committer = new Committer({
    journal,
    clock: realClock,
    sync: async ({ dirty, whole }) => {
      // What is held open still takes bytes after the drive has been taken out of its place.
      if (!staging.stands) throw diskError(Object.assign(new Error('gone'), { code: 'ENOENT' }), root);
      // A link is nothing but its name.
      const files = new Set([...whole.keys()].filter((entry) => entries[entry]!.kind !== 'link'));
      for (const entry of dirty) {
        if (files.has(entry) || (await staged.sync(entry))) continue;
        // Whole by now and in a later batch, or dropped.
        if (existsSync(staged.path(entry))) files.add(entry);
      }
      await syncFiles(
        [...files].map((entry) => whole.get(entry) ?? staged.path(entry)),
        root,
      );
    },
    place: async ({ whole }) => {
      const renamed: number[] = [];
      const names = new Set<string>();
      const slices = new Slices();
      for (const [entry, path] of whole) {
        if (slices.over()) await slices.next();
        const name = placer.relative(entry);
        placer.put(entry, path);
        const now = placer.relative(entry);
        if (now !== name) renamed.push(entry);
        names.add(parentOf(now));
      }
      const choices = renamed.map((entry) => ({
        entry,
        choice: 'rename' as const,
        as: placer.relative(entry),
      }));
      if (choices.length > 0) await journal.append([{ type: 'plan', choices }]);
      await syncFolders(folders.absolute(names), root);
      return [...whole.keys()];
    },
  });
  return { files: staged, folders, placer, local, arrived, journal, committer };
}

/** A journal that says what the inventory says, in place of whatever was there. */
async function beginJournal({ entries, space, plan, staging, inventory }: Job): Promise<Journal> {
  const pages = await new Slices().run(encodingPages(entries));
  // Not before: an offer that ends at a question or a conflict costs an earlier one nothing.
  for (const path of inventory.others) rmSync(path, { force: true });
  return Journal.replace(staging.journal, [
    {
      type: 'begin',
      created: inventory.created ?? Date.now(),
      chunkSize: space.chunkSize,
      pages: pages.length,
      stream: space.stream,
    },
    ...pages.map((bytes, page): JournalRecord => ({ type: 'page', page, bytes })),
    { type: 'plan', choices: choicesOf(plan) },
    { type: 'chunks', chunks: [...inventory.chunks] },
    { type: 'placed', entries: [...inventory.placed] },
  ]);
}

/** A plan as the journal keeps it. */
function choicesOf(plan: Plan): (JournalRecord & { type: 'plan' })['choices'] {
  return [
    ...[...plan.skipped]
      .filter((entry) => !plan.left.has(entry))
      .map((entry) => ({ entry, choice: 'skip' as const, as: '' })),
    ...[...plan.replaced].map((entry) => ({ entry, choice: 'replace' as const, as: '' })),
    ...[...plan.renamed].map(([entry, as]) => ({ entry, choice: 'rename' as const, as })),
  ];
}

export async function closeWorkspace({
  files,
  folders,
  local,
  journal,
  committer,
}: Workspace): Promise<void> {
  await committer.stop();
  await files.close();
  await local.close();
  folders.close();
  await journal.close();
}
