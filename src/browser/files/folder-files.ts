/**
 * Files that are put together in the folder that the person picked. The browser writes each beside its place, and puts it there when it
 * is closed: under its name it is empty or whole. Nothing that was there before is touched: what would have its name gets another.
 */
import { BeelineError } from '../../base/errors.ts';
import { InTurn } from '../../base/in-turn.ts';
import { fitName, PLAIN_NAMES } from '../../offer/fitting.ts';
import type { Entry } from '../../offer/manifest.ts';
import { foldKey, lastPart, parentOf } from '../../offer/names.ts';
import type { StagedPieces } from '../../sync/store/chunk-writer.ts';
import { atOnce } from './at-once.ts';
import { freeName, look, savingError } from './free-names.ts';
import { PageSlices } from './slices.ts';

/** Files being written at a time: the small ones are all waiting for the browser's own checks. */
const AT_ONCE = 16;
const PROBE = '.beeline-probe';

export interface FolderJob {
  top: FileSystemDirectoryHandle;
  entries: readonly Entry[];
  /** What each is called where nothing is in the way. */
  fitted: readonly string[];
  /** The names of those that are not called so, or that stand beside what is not ours, as paths in `top`. */
  names: Map<number, string>;
  /** An earlier run has begun it: what is called so may be its. */
  earlier: boolean;
  /** Called before something gets a name that is not in `names` yet. */
  claim: (entry: number, path: string) => Promise<void>;
  /** The browser lets no page write that name. @param as what it is saved as; undefined if it is left out */
  refused: (entry: number, as?: string) => void;
}

interface Dir {
  handle: FileSystemDirectoryHandle;
  path: string;
  /** Made here: nothing but what is ours is in it. */
  fresh: boolean;
}

interface Place {
  dir: Dir;
  name: string;
  handle: FileSystemFileHandle;
}

interface Making<T> {
  /** Whether what stands there is an earlier run's. */
  ours: (there: FileSystemFileHandle | FileSystemDirectoryHandle) => Promise<boolean>;
  make: (dir: FileSystemDirectoryHandle, name: string) => Promise<T>;
}

interface Made<T> {
  dir: Dir;
  name: string;
  handle: T;
  fresh: boolean;
}

/** One that comes in pieces. Undefined where the browser refuses its name. */
interface Open {
  place: Place;
  target: FileSystemWritableFileStream;
}

export class FolderFiles implements StagedPieces {
  readonly #job: FolderJob;
  /** By path as it was sent. */
  readonly #dirs = new Map<string, Promise<Dir | undefined>>();
  readonly #folders = new Map<string, number>();
  readonly #open = new Map<number, Promise<Open | undefined>>();
  /** Bytes still missing of those. */
  readonly #left = new Map<number, number>();
  /** Whole ones that are being written, and folders that are being made. */
  readonly #jobs = new Map<number, Promise<void>>();
  readonly #turns: (() => void)[] = [];
  #running = 0;
  #closed = false;
  /** Other names are found one at a time. */
  readonly #naming = new InTurn();
  /** All names that are given already, beside each other as in the offer, and as any file system may compare them. */
  #given: Set<string> | undefined;

  constructor(job: FolderJob) {
    this.#job = job;
    this.#dirs.set('', Promise.resolve({ handle: job.top, path: '', fresh: false }));
    for (const [entry, { kind, path }] of job.entries.entries())
      if (kind === 'folder') this.#folders.set(path, entry);
  }

  /** It is written a moment later: `settle` waits for it. */
  whole(entry: number, data: Uint8Array | undefined): string {
    const bytes = data?.slice();
    this.#begin(entry, () => this.#put(entry, bytes));
    return this.#job.entries[entry]!.path;
  }

  async piece(
    entry: number,
    offset: number,
    length: number,
    data: Uint8Array | undefined,
  ): Promise<string | undefined> {
    const { size, path } = this.#job.entries[entry]!;
    if (!this.#open.has(entry)) {
      this.#left.set(entry, size);
      const opening = this.#openFile(entry);
      opening.catch(() => {});
      this.#open.set(entry, opening);
    }
    const open = await this.#open.get(entry);
    // A fresh file reads as zeros already.
    if (open && data)
      await open.target.write({ type: 'write', position: offset, data: data as BufferSource });
    const left = this.#left.get(entry);
    // Forgotten meanwhile.
    if (left === undefined) return undefined;
    this.#left.set(entry, left - length);
    return left === length ? path : undefined;
  }

  async keep(): Promise<undefined> {
    throw new BeelineError('INTERNAL', 'Nothing of a file that is not whole is kept in a folder.');
  }

  async end(entry: number): Promise<string> {
    return this.#job.entries[entry]!.path;
  }

  link(): string {
    throw new BeelineError('INTERNAL', 'No browser writes links.');
  }

  adopted(): boolean {
    return false;
  }

  makeFolder(path: string): void {
    const entry = this.#folders.get(path)!;
    this.#begin(entry, async () => void (await this.#dir(path)));
  }

  /** All folders that were asked for are there. */
  async folders(): Promise<void> {
    for (const entry of this.#folders.values()) await this.#jobs.get(entry);
  }

  /** Puts whole files in their places. */
  async settle(whole: Iterable<number>): Promise<void> {
    await atOnce(AT_ONCE, whole, async (entry) => {
      try {
        await this.#jobs.get(entry);
        await this.#close(entry);
      } catch (thrown) {
        throw savingError(this.#job.entries[entry]!.path, thrown);
      }
      this.#jobs.delete(entry);
      this.#open.delete(entry);
      this.#left.delete(entry);
    });
  }

  /** Removes what there is of a file that is not whole. */
  async forget(entry: number): Promise<void> {
    this.#left.delete(entry);
    const opening = this.#open.get(entry);
    this.#open.delete(entry);
    const open = await opening?.catch(() => undefined);
    if (open) await discard(open);
  }

  /** Those of them that stand in their places, whole. */
  async standing(entries: Iterable<number>): Promise<Set<number>> {
    const found = new Set<number>();
    await atOnce(AT_ONCE, entries, async (entry) => {
      const file = await this.file(entry);
      if (file?.size === this.#job.entries[entry]!.size) found.add(entry);
    });
    return found;
  }

  /** Undefined if it is not there. */
  async file(entry: number): Promise<File | undefined> {
    const dir = await this.#parent(entry);
    if (!dir) return undefined;
    const there = await look(dir.handle, this.#nameOf(entry)).catch(nothing);
    return there?.kind === 'file' ? (there as FileSystemFileHandle).getFile() : undefined;
  }

  /** Whether there is room for so many bytes. Rejects if there is not. */
  async tryWriting(bytes: number): Promise<void> {
    const { top } = this.#job;
    const name = await freeName(PROBE, async (name) => (await look(top, name)) !== undefined);
    const file = await top.getFileHandle(name, { create: true });
    try {
      const target = await file.createWritable();
      try {
        await target.write(new Uint8Array(bytes).fill(1));
      } finally {
        await target.abort().catch(() => {});
      }
    } finally {
      await top.removeEntry(name).catch(() => {});
    }
  }

  /** Nothing is written any more, and of what was not whole nothing is left. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const wake of this.#turns.splice(0)) wake();
    await Promise.allSettled(this.#jobs.values());
    await Promise.all([...this.#open.keys()].map((entry) => this.forget(entry)));
  }

  /** At most so many at a time, in the order in which they were begun. */
  #begin(entry: number, work: () => Promise<void>): void {
    const job = this.#turn().then(async () => {
      try {
        this.#checkGoing();
        await work();
      } finally {
        this.#running--;
        this.#turns.shift()?.();
      }
    });
    // Whoever waits for it is told.
    job.catch(() => {});
    this.#jobs.set(entry, job);
  }

  async #turn(): Promise<void> {
    if (this.#running >= AT_ONCE && !this.#closed)
      await new Promise<void>((resolve) => this.#turns.push(resolve));
    this.#running++;
  }

  async #put(entry: number, bytes: Uint8Array | undefined): Promise<void> {
    const open = await this.#openFile(entry);
    if (!open) return;
    try {
      if (bytes) await open.target.write(bytes as BufferSource);
      else await open.target.truncate(this.#job.entries[entry]!.size);
      await open.target.close();
    } catch (thrown) {
      await discard(open);
      throw thrown;
    }
  }

  async #close(entry: number): Promise<void> {
    const open = await this.#open.get(entry);
    if (!open) return;
    const { size } = this.#job.entries[entry]!;
    // Zeros at its end were not written.
    if (size > 0) await open.target.truncate(size);
    await open.target.close();
  }

  async #openFile(entry: number): Promise<Open | undefined> {
    const place = await this.#make(entry, this.#parent(entry), {
      ours: async (there) => {
        if (there.kind !== 'file') return false;
        const { size } = await (there as FileSystemFileHandle).getFile();
        return size === 0 || size === this.#job.entries[entry]!.size;
      },
      make: (dir, name) => dir.getFileHandle(name, { create: true }),
    });
    return place && { place, target: await place.handle.createWritable() };
  }

  #parent(entry: number): Promise<Dir | undefined> {
    return this.#dir(parentOf(this.#job.entries[entry]!.path));
  }

  #dir(path: string): Promise<Dir | undefined> {
    const known = this.#dirs.get(path);
    if (known) return known;
    const making = this.#makeDir(this.#folders.get(path)!);
    making.catch(() => {});
    this.#dirs.set(path, making);
    return making;
  }

  async #makeDir(entry: number): Promise<Dir | undefined> {
    const made = await this.#make(entry, this.#parent(entry), {
      ours: async ({ kind }) => kind === 'directory',
      make: (dir, name) => dir.getDirectoryHandle(name, { create: true }),
    });
    return made && { handle: made.handle, path: joined(made.dir.path, made.name), fresh: made.fresh };
  }

  /** Undefined where no name of it, or of a folder around it, is taken by the browser. */
  async #make<T>(
    entry: number,
    parent: Promise<Dir | undefined>,
    how: Making<T>,
  ): Promise<Made<T> | undefined> {
    const { entries, refused } = this.#job;
    try {
      const dir = await parent;
      if (!dir) return void refused(entry);
      const name = this.#nameOf(entry);
      try {
        return await this.#makeAs(entry, dir, name, how);
      } catch (thrown) {
        if (!isRefusal(thrown)) throw thrown;
        // A browser looks at how a name ends: one that a system could take for a shortcut or a setting.
        const as = await this.#otherName(entry, dir, fitName(`${name}_`, PLAIN_NAMES));
        const made = { dir, name: as, handle: await how.make(dir.handle, as), fresh: true };
        refused(entry, as);
        return made;
      }
    } catch (thrown) {
      if (isRefusal(thrown)) return void refused(entry);
      throw savingError(entries[entry]!.path, thrown);
    }
  }

  async #makeAs<T>(entry: number, dir: Dir, name: string, how: Making<T>): Promise<Made<T>> {
    const there = dir.fresh ? undefined : await look(dir.handle, name);
    const taken = there && !(this.#job.earlier && (await how.ours(there)));
    const as = taken ? await this.#otherName(entry, dir, name) : name;
    return { dir, name: as, handle: await how.make(dir.handle, as), fresh: taken || there === undefined };
  }

  #nameOf(entry: number): string {
    return lastPart(this.#job.names.get(entry) ?? this.#job.fitted[entry]!);
  }

  /** Of a name beside that entry, whatever the folder around it is called here. */
  #keyOf(entry: number, name: string): string {
    return foldKey(joined(parentOf(this.#job.entries[entry]!.path), name));
  }

  #otherName(entry: number, dir: Dir, name: string): Promise<string> {
    return this.#naming.run(async () => {
      const { entries, names, claim } = this.#job;
      this.#given ??= new Set(entries.map((_, entry) => this.#keyOf(entry, this.#nameOf(entry))));
      const given = this.#given;
      const other = await freeName(name, async (name) => {
        return given.has(this.#keyOf(entry, name)) || (await look(dir.handle, name)) !== undefined;
      });
      const path = joined(dir.path, other);
      given.add(this.#keyOf(entry, other));
      names.set(entry, path);
      await claim(entry, path);
      return other;
    });
  }

  #checkGoing(): void {
    if (this.#closed) throw new BeelineError('CANCELLED', 'Receiving was given up.');
  }
}

/** Names for all that stands at the top: beside what is there, none of it is touched. */
export async function namesAtTop(
  top: FileSystemDirectoryHandle,
  entries: readonly Entry[],
  fitted: readonly string[],
): Promise<Map<number, string>> {
  const ours = entries.flatMap(({ kind, path }, entry) =>
    kind !== 'link' && !path.includes('/') ? [entry] : [],
  );
  const taken = new Set<string>();
  const listed = top as FileSystemDirectoryHandle & { keys(): AsyncIterable<string> };
  for await (const name of listed.keys()) taken.add(foldKey(name));
  const wished = new Set(ours.map((entry) => foldKey(fitted[entry]!)));
  const names = new Map<number, string>();
  const slices = new PageSlices();
  for (const entry of ours) {
    if (slices.over()) await slices.next();
    const wish = fitted[entry]!;
    const name = await freeName(wish, async (name) => {
      const key = foldKey(name);
      return taken.has(key) || (name !== wish && wished.has(key));
    });
    taken.add(foldKey(name));
    names.set(entry, name);
  }
  return names;
}

/** The standard's word for a name that is not valid: https://fs.spec.whatwg.org/#valid-file-name */
const isRefusal = (thrown: unknown): boolean => thrown instanceof TypeError;

const joined = (folder: string, name: string): string => (folder === '' ? name : `${folder}/${name}`);

const nothing = () => undefined;

/** What was whole under the name stays. */
async function discard({ place: { dir, name, handle }, target }: Open): Promise<void> {
  await target.abort().catch(() => {});
  const empty = await handle.getFile().then(({ size }) => size === 0, nothing);
  if (empty) await dir.handle.removeEntry(name).catch(() => {});
}
