/** A folder as a Sink: what arrives is staged, journaled, and renamed into place when it is whole, so that nothing
 *  unfinished stands under a final name, no final path is ever opened for writing, and another run can go on. */
import { join } from 'node:path';
import { BeelineError, codeOf, fault } from '../../base/errors.ts';
import { STREAM_WINDOW } from '../../base/limits.ts';
import { quoted } from '../../base/printable.ts';
import type { HashName } from '../../offer/hashing.ts';
import { type Entry, encodingPages } from '../../offer/manifest.ts';
import type { ChunkHash } from '../../offer/merkle.ts';
import { checkingEntries, parentOf } from '../../offer/names.ts';
import type { ByteSpace, Extent } from '../../offer/space.ts';
import { formatBytes } from '../../session/format.ts';
import type { End, Sink } from '../../sync/ports.ts';
import { Notices } from '../../wire/notices.ts';
import { type Abilities, ALL, abilitiesOf } from './abilities.ts';
import { Attributes } from './attributes.ts';
import { emptyPlan, type OnConflict, type Overwrite, type Plan, settle } from './conflicts.ts';
import { Destination } from './destination.ts';
import { diskError } from './disk-errors.ts';
import { fit, type Links } from './fit.ts';
import { Inventory } from './inventory.ts';
import type { Job } from './job.ts';
import { canWriteAgain, freeBytes, missingBytes } from './room.ts';
import { FileSlices, inSlices } from './slices.ts';
import { type FoundStaging, Staging, sameTops } from './staging.ts';
import { inventoryOf, Workspace } from './workspace.ts';

export interface StagingOptions {
  /** Destination folder; made if it is missing. */
  to: string;
  /** A folder below it, also made, that others had a say in: UNSAFE_NAME if a part of it is a link. */
  within?: string | undefined;
  overwrite: Overwrite;
  /** For `ask`: called once for each existing file. Absent: EXISTS. */
  onConflict?: OnConflict;
  /** The target treats names as equal that differ in case. Default: on macOS and Windows, else found out. */
  foldsCase?: boolean;
  /** Which links are written. Default: `safe`. */
  links?: Links;
  /** The name of a staging that no other transfer uses or goes on with. Default: receives of the same names share one. */
  staging?: string;
  /** The URLs that it comes from, as they are shown. */
  from?: readonly string[];
  /** What a person should know though the transfer goes on: little room, modes that cannot be kept. */
  onWarning?: (warning: BeelineError) => void;
}

export class StagingSink implements Sink {
  readonly #options: StagingOptions;
  readonly #to: string;
  readonly #destination: Destination;
  readonly #notices: Notices;
  /** What the destination can hold, once that is known. */
  #can: Abilities = ALL;
  /** As the sender names them, and as they are written here. */
  #offered: readonly Entry[] = [];
  #entries: readonly Entry[] = [];
  #pages: readonly Uint8Array[] = [];
  #space: ByteSpace | undefined;
  #plan: Plan = emptyPlan();
  #root = '';
  #staging: Staging | undefined;
  #inventory = new Inventory();
  /** Entries that are left out, whatever stands here. */
  #left: ReadonlySet<number> = new Set();
  #job: Job | undefined;
  /** The latest opening, also when it is closed. */
  #work: Workspace | undefined;
  readonly #dropped = new Set<number>();
  /** There may be something in the staging that this opening did not put there. */
  #earlier = false;
  #over = false;
  /** It was closed, and not because all is well. */
  #lost = false;
  #beginning: Promise<void> | undefined;
  #closing: Promise<void> = Promise.resolve();

  readonly #warn = (warning: BeelineError) => this.#options.onWarning?.(warning);

  constructor(options: StagingOptions) {
    this.#options = options;
    this.#to = join(options.to, options.within ?? '');
    this.#destination = new Destination(options.to, options.within);
    this.#notices = new Notices(this.#warn);
  }

  get #writer(): Workspace['writer'] | undefined {
    return this.#work?.writer;
  }

  get #live(): Workspace | undefined {
    return this.#work?.closed ? undefined : this.#work;
  }

  /** Bounded for a stream, of which the sender keeps only so much. */
  get window(): number {
    return this.#space?.stream ? STREAM_WINDOW : Number.POSITIVE_INFINITY;
  }

  async open(
    entries: readonly Entry[],
    space: ByteSpace,
    hash: HashName,
    pages?: readonly Uint8Array[],
  ): Promise<void> {
    await new FileSlices().run(checkingEntries(entries));
    this.#offered = entries;
    this.#entries = entries;
    this.#space = space;
    try {
      const found = await this.#findStaging();
      if (!this.#can.modes) this.#warn(fault('PERMISSIONS_NOT_KEPT'));
      const asCame = this.#entries === entries ? pages : undefined;
      this.#pages = asCame ?? (await new FileSlices().run(encodingPages(this.#entries)));
      this.#inventory = await this.#inventoryOf(found);
      await this.#settle();
      // Whoever was asked may have taken longer than the transfer lived.
      this.#checkOpen();
      this.#job = {
        ...{ root: this.#root, entries: this.#entries, offered: entries, pages: this.#pages },
        ...{ space, hash, plan: this.#plan, staging: this.#staging!, step: this.#can.step, warn: this.#warn },
        ...{ overwrite: this.#options.overwrite, from: this.#options.from ?? [] },
        attributes: new Attributes(this.#can.modes, (path, cause) =>
          this.#warn(fault('ATTRIBUTES_NOT_KEPT', { path: quoted(path) }, { cause })),
        ),
      };
      await this.#undisturbed(() => this.#begin());
      await this.#checkRoom();
    } catch (error) {
      await this.close('keep');
      throw diskError(error, this.#to);
    }
  }

  /** Also finds out what can be held here, which says what names to look for. */
  async #findStaging(): Promise<FoundStaging | undefined> {
    this.#destination.find();
    this.#root = this.#destination.make();
    const own = this.#options.staging;
    let found = await Staging.find(this.#root, this.#entries, own);
    this.#earlier = found !== undefined;
    this.#staging = found?.staging ?? (await Staging.create(this.#root, own));
    const asSent = this.#entries;
    const { foldsCase = this.#staging.foldsCase(), links = 'safe' } = this.#options;
    this.#can = await abilitiesOf(this.#staging.trial, asSent, foldsCase);
    const fitted = await fit(this.#root, asSent, this.#can, links, this.#notices);
    this.#entries = fitted.entries;
    this.#left = fitted.left;
    this.#checkOpen();
    // An earlier run had the same answers, and so the same other names.
    if (!found && own === undefined && !(await new FileSlices().run(sameTops(this.#entries, asSent)))) {
      found = await Staging.find(this.#root, this.#entries);
      if (found) {
        this.#staging.remove([]);
        this.#staging = found.staging;
        this.#earlier = true;
      }
    }
    return found;
  }

  held(): Iterable<ChunkHash> {
    return this.#inventory.chunks;
  }

  comparable(chunk: number): boolean {
    const { guesses, compare, seeds } = this.#inventory;
    if (guesses.get(chunk) || compare.has(chunk)) return true;
    return seeds.size > 0 && this.#space!.extents(chunk).some(({ entry }) => seeds.has(entry));
  }

  async guess(chunk: number, extents: readonly Extent[]): Promise<Uint8Array | undefined> {
    return this.#inventory.guesses.get(chunk) ?? (await this.#live?.local.hash(extents));
  }

  async keep(chunk: number, extents: readonly Extent[], hash: Uint8Array): Promise<void> {
    const writer = this.#writer!;
    // What no journal knows of was perhaps never on the disk, whatever is read: it is written again.
    const kept = this.#inventory.guesses.get(chunk) !== undefined;
    const moves = extents.some(({ entry }) => writer.misses(entry) && !(kept && writer.inPlace(entry)));
    const data = moves ? await this.#live?.local.again(extents, hash) : undefined;
    await writer.take({ chunk, extents, hash, data, kept });
  }

  /** Where a finished entry stands, relative to the destination. */
  nameOf(entry: number): string {
    return this.#work!.placer.relative(entry);
  }

  leftOut(): string[] {
    return [...this.#plan.left].map((entry) => this.#offered[entry]!.path);
  }

  wants(entry: number): boolean {
    return !this.#plan.skipped.has(entry);
  }

  write(
    chunk: number,
    extents: readonly Extent[],
    data: Uint8Array | undefined,
    hash: Uint8Array,
  ): Promise<void> {
    return this.#writer!.take({ chunk, extents, hash, data, kept: false });
  }

  async read(chunk: number, extents: readonly Extent[], into: Uint8Array): Promise<number> {
    if (!this.#work || this.#lost) throw new BeelineError('CANCELLED', 'Receiving was given up.');
    if (!this.#writer?.taken.has(chunk) && !this.#inventory.chunks.have.has(chunk))
      throw new BeelineError('INTERNAL', `Chunk ${chunk} is not here.`);
    const missing = extents.filter(
      ({ entry }) => !this.wants(entry) || (this.#dropped.has(entry) && !this.#writer?.done(entry)),
    );
    if (missing.length === 0) return this.#work.arrived.read(extents, into);
    const paths = missing.map(({ entry }) => this.#offered[entry]!.path);
    throw fault('ENTRY_LEFT_OUT', { path: quoted(paths[0]!) }, { paths });
  }

  async drop(entry: number): Promise<void> {
    this.#dropped.add(entry);
    const work = this.#live;
    if (!work || work.writer.done(entry)) return;
    work.files.forget(entry);
    // Chunks that come from now on may have zeros in its place.
    await work.journal.append([{ type: 'lost', entries: [entry] }]);
  }

  async finish(): Promise<void> {
    const work = this.#work!;
    try {
      await work.writer.finish();
      await work.committer.flush();
      await work.folders.finish();
      await inSlices(this.#entries.entries(), ([entry, { kind, path }]) => {
        // What an earlier run placed it may not have come to sync.
        if (this.#inventory.placed.has(entry)) work.names(parentOf(work.placer.relative(entry)));
        if (kind !== 'folder' || !this.wants(entry)) return;
        work.names(parentOf(path));
        work.names(path);
      });
      await work.committer.finish();
    } catch (error) {
      throw diskError(error, this.#to);
    }
  }

  digests(): Promise<Map<number, string>> {
    return this.#work!.arrived.digests();
  }

  async ready(): Promise<boolean> {
    return this.#staging !== undefined && (await canWriteAgain(this.#staging, await this.#missing()));
  }

  async reopen(): Promise<void> {
    try {
      await this.#end();
      await this.#undisturbed(async () => {
        this.#earlier = true;
        await this.#staging!.holdAgain();
        const before = await this.#staging!.read();
        const found = before && { staging: this.#staging!, ...before };
        this.#inventory = await this.#inventoryOf(found);
        this.#seed();
        await this.#begin();
      });
    } catch (error) {
      throw diskError(error, this.#to);
    }
  }

  async close(end: End): Promise<void> {
    if (end === 'keep' && !this.#over) await this.#live?.committer.finish().catch(() => {});
    this.#over = true;
    this.#lost ||= end !== 'done';
    await this.#end();
    const worth = !this.#space?.stream && (this.#earlier || this.#writer?.used);
    if (end === 'keep' && worth) return this.#staging?.release();
    await this.#remove();
    if (end !== 'done') this.#destination.unmake();
  }

  #inventoryOf(found: FoundStaging | undefined): Promise<Inventory> {
    return inventoryOf(this.#root, this.#entries, this.#pages, this.#space!, found, this.#can.step);
  }

  async #settle(): Promise<void> {
    const { overwrite, onConflict, links } = this.#options;
    this.#plan = await settle(this.#root, this.#entries, {
      ...{ overwrite, onConflict, decided: this.#inventory.decided },
      left: this.#left,
      step: this.#can.step,
      outward: links === 'all',
      onLeft: ({ path, target }) => {
        const link = { link: quoted(path), target: quoted(target.slice(0, 200)) };
        const told = fault('LINK_LEADS_OUT_HERE', link, { paths: [path] });
        this.#notices.add('left out, because they lead out through links that are here', told);
      },
    });
    this.#notices.end();
    this.#seed();
  }

  /** Files that are updated: what stands there now may be right in parts. */
  #seed(): void {
    const { seeds, placed, doubtful, senders } = this.#inventory;
    for (const entry of this.#plan.updated) {
      if (placed.has(entry) || doubtful.has(entry)) continue;
      const path = `${this.#root}/${this.#entries[entry]!.path}`;
      // What the transfer itself had put there is the sender's; anything else is not, whatever else is staged of it.
      if (seeds.get(entry) === path) continue;
      seeds.set(entry, path);
      senders.delete(entry);
    }
  }

  /** Whoever closes meanwhile waits for it. */
  async #undisturbed(work: () => Promise<void>): Promise<void> {
    this.#checkOpen();
    this.#beginning = work();
    await this.#beginning;
    this.#checkOpen();
  }

  /** From the inventory on: the same for a first opening, a later run's, and one after a failure. */
  async #begin(): Promise<void> {
    for (const path of this.#inventory.altered) this.#warn(fault('CHANGED_HERE', { path: quoted(path) }));
    this.#work = await Workspace.open(this.#job!, this.#inventory, this.#dropped, () => this.#checkOpen());
    for (const entry of this.#dropped) await this.drop(entry);
  }

  /** Files with holes may need less than their size, so that too little room is a warning until a write fails. */
  async #checkRoom(): Promise<void> {
    const free = freeBytes(this.#root);
    const missing = await this.#missing();
    if (free === undefined || missing <= free) return;
    this.#warn(fault('ROOM_SHORT', { missing: formatBytes(missing), free: formatBytes(free) }));
  }

  /** Bytes that are still to come. */
  #missing(): Promise<number> {
    const { have } = this.#inventory.chunks;
    const down = [...have];
    for (const chunk of this.#writer?.taken ?? []) if (!have.has(chunk)) down.push(chunk);
    return missingBytes(this.#space!, this.#entries, down, (entry) => this.wants(entry));
  }

  #checkOpen(): void {
    if (this.#over) throw new BeelineError('CANCELLED', 'Receiving was given up.');
  }

  /** Behind whatever is being begun or closed, so that nothing is at work in a staging that is left or removed. */
  #end(): Promise<void> {
    this.#writer?.stop();
    this.#closing = Promise.allSettled([this.#beginning, this.#closing]).then(async () => {
      this.#writer?.stop();
      await this.#work?.close();
    });
    return this.#closing;
  }

  async #remove(): Promise<void> {
    const staging = this.#staging;
    this.#staging = undefined;
    // An earlier run's, with which nothing was begun, may be of another offer with the same names.
    if (this.#earlier && !this.#writer) return staging?.release();
    try {
      await staging?.remove(pathsOf(this.#entries));
    } catch (cause) {
      const about = { path: quoted(staging?.path ?? ''), why: codeOf(cause) || String(cause) };
      this.#warn(fault('UNFINISHED_STAYS', about, { cause }));
    }
  }
}

function* pathsOf(entries: readonly Entry[]): Generator<string> {
  for (const { path } of entries) yield path;
}
