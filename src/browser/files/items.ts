/**
 * What a person chose or dropped, as items: paths and `File` references. Nothing is read. Links cannot be told apart
 * in a browser: a chosen or dropped link is what it points to.
 */
import { type BeelineError, fault, faultAt, unlessInterrupted } from '../../base/errors.ts';
import { MAX_DEPTH, MAX_ENTRIES } from '../../base/limits.ts';
import { quoted } from '../../base/printable.ts';

export interface Item {
  /** Relative, `/` between parts. */
  path: string;
  /** Absent: a folder. */
  file?: File;
}

/** From an `<input type=file>`; with `webkitdirectory` the paths begin with the folder's name, and empty folders are missing. */
export function itemsOfInput(files: ArrayLike<File>): Item[] {
  return Array.from(files, (file) => ({ path: file.webkitRelativePath || file.name, file }));
}

/**
 * From a drop, folders with all that is in them. Call it in the event's own turn: afterwards the list is empty.
 * @throws BeelineError UNREADABLE (with the path), USAGE if it is more, or deeper, than one transfer takes, INTERRUPTED by the signal.
 */
export function itemsOfDrop(dropped: DataTransferItemList, signal?: AbortSignal): Promise<Item[]> {
  const files = [...dropped].filter((item) => item.kind === 'file');
  // An entry knows what is in a folder; where there is none (an image out of another page), there is a file.
  const found = files.map((item) => item.webkitGetAsEntry() ?? item.getAsFile());
  return new Drop(signal).take(found);
}

interface Folder {
  entry: FileSystemDirectoryEntry;
  path: string;
  depth: number;
}

class Drop {
  readonly #items: Item[] = [];
  readonly #signal: AbortSignal | undefined;

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
  }

  async take(found: readonly (FileSystemEntry | File | null)[]): Promise<Item[]> {
    const folders: Folder[] = [];
    for (const one of found) {
      if (one instanceof File) this.#push({ path: one.name, file: one });
      else if (one) await this.#visit([one], '', 1, folders);
    }
    for (let folder = folders.pop(); folder; folder = folders.pop()) await this.#children(folder, folders);
    unlessInterrupted(this.#signal, 'all was read');
    return this.#items;
  }

  async #children({ entry, path, depth }: Folder, folders: Folder[]): Promise<void> {
    const reader = entry.createReader();
    for (;;) {
      // Browsers hand out a hundred at a time; an empty list is the end.
      const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
        reader.readEntries(resolve, reject),
      ).catch((cause) => {
        throw unreadable(path, cause);
      });
      if (some.length === 0) return;
      await this.#visit(some, `${path}/`, depth + 1, folders);
    }
  }

  /** Takes entries that stand side by side; the folders among them go to `folders`. */
  async #visit(
    entries: readonly FileSystemEntry[],
    prefix: string,
    depth: number,
    folders: Folder[],
  ): Promise<void> {
    unlessInterrupted(this.#signal, 'all was read');
    if (depth > MAX_DEPTH) throw fault('FOLDERS_TOO_DEEP', { path: quoted(prefix), most: MAX_DEPTH });
    const taken = await Promise.all(
      entries.map(async (entry): Promise<Item> => {
        const path = prefix + entry.name;
        if (entry.isFile) return { path, file: await fileOf(entry as FileSystemFileEntry, path) };
        folders.push({ entry: entry as FileSystemDirectoryEntry, path, depth });
        return { path };
      }),
    );
    for (const item of taken) this.#push(item);
  }

  #push(item: Item): void {
    if (this.#items.length >= MAX_ENTRIES) throw fault('TOO_MANY_ENTRIES', { most: MAX_ENTRIES });
    this.#items.push(item);
  }
}

function fileOf(entry: FileSystemFileEntry, path: string): Promise<File> {
  return new Promise((resolve, reject) =>
    entry.file(resolve, (cause: unknown) => reject(unreadable(path, cause))),
  );
}

function unreadable(path: string, cause: unknown): BeelineError {
  const why = 'this browser refuses. Leave it out, or choose it again';
  return faultAt('FILE_UNREADABLE', path, { why }, cause);
}
