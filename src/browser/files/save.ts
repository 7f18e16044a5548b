/**
 * What was received and is kept here, copied into a folder that the person picked. The browser copies from disk to
 * disk, so memory stays flat. Nothing that exists there is touched: what would have its name gets another.
 */
import { BeelineError, fault } from '../../base/errors.ts';
import { InTurn } from '../../base/in-turn.ts';
import { quoted } from '../../base/printable.ts';
import { foldKey, lastPart, parentOf } from '../../offer/names.ts';
import { atOnce } from './at-once.ts';
import { folderError } from './folder-errors.ts';
import { freeName, look, savingError } from './free-names.ts';
import type { Kept, KeptFile } from './kept.ts';

/** Bytes handed to the browser at once, and told of as progress. */
const PIECE = 16 * 1024 * 1024;
/** Files being written at a time: the small ones are all waiting for the browser's own checks. */
const AT_ONCE = 16;

/**
 * @param progress bytes saved so far, of all files
 * @throws BeelineError USAGE (not complete), UNSAFE_NAME (with the paths that this file system or browser refuses; all
 *   others are saved), CANCELLED, DISK_FULL, WRITE_FAILED. A file that is not whole is removed.
 */
export async function saveToFolder(
  kept: Kept,
  folder: FileSystemDirectoryHandle,
  progress: (bytes: number) => void,
  signal?: AbortSignal,
): Promise<void> {
  if (!kept.complete) throw fault('KEPT_INCOMPLETE');
  const saving = new Saving(folder, progress, signal);
  try {
    for (const path of kept.folders) await saving.folder(path);
    await atOnce(AT_ONCE, kept.files, (file) => saving.file(file));
  } catch (thrown) {
    throw await folderError(folder, thrown);
  }
  saving.tellRefused();
}

class Saving {
  readonly #progress: (bytes: number) => void;
  readonly #signal: AbortSignal | undefined;
  /** By path as received. */
  readonly #folders = new Map<string, FileSystemDirectoryHandle>();
  /** What was put into each folder that was made here, where nothing else is: names as any file system may compare them. */
  readonly #put = new Map<FileSystemDirectoryHandle, Set<string>>();
  readonly #refused: string[] = [];
  #bytes = 0;
  /** Names are taken one at a time, since two that differ in case only may be one there. */
  readonly #taking = new InTurn();

  constructor(top: FileSystemDirectoryHandle, progress: (bytes: number) => void, signal?: AbortSignal) {
    this.#folders.set('', top);
    this.#progress = progress;
    this.#signal = signal;
  }

  /** Its parent must have been made before, or refused. */
  async folder(path: string): Promise<void> {
    const made = await this.#make(path, (parent, name) => parent.getDirectoryHandle(name, { create: true }));
    if (!made) return;
    this.#folders.set(path, made.handle);
    this.#put.set(made.handle, new Set());
  }

  async file(file: KeptFile): Promise<void> {
    const { path } = file;
    const made = await this.#make(path, (parent, name) => parent.getFileHandle(name, { create: true }));
    if (!made) return;
    try {
      await this.#copy(file, made.handle);
    } catch (thrown) {
      await made.parent.removeEntry(made.name).catch(() => {});
      throw savingError(path, thrown);
    }
  }

  /** What could not be saved for its name's sake, after everything else. */
  tellRefused(): void {
    const [first] = this.#refused;
    if (first === undefined) return;
    const more = this.#refused.length > 1 ? ` and ${this.#refused.length - 1} more` : '';
    throw fault('NAME_REFUSED', { name: quoted(first), more }, { paths: this.#refused });
  }

  async #copy(file: KeptFile, handle: FileSystemFileHandle): Promise<void> {
    this.#checkGoing();
    const blob = await file.blob();
    const target = await handle.createWritable();
    try {
      for (let at = 0; at < blob.size; at += PIECE) {
        this.#checkGoing();
        const piece = blob.slice(at, at + PIECE);
        await target.write(piece);
        this.#bytes += piece.size;
        this.#progress(this.#bytes);
      }
      this.#checkGoing();
      await target.close();
    } catch (thrown) {
      await target.abort().catch(() => {});
      throw await blamed(thrown, blob);
    }
  }

  /**
   * Under its name, or the next free one. Undefined if the name, or that of a folder around it, is refused. In a folder that was made
   * here nothing but the like of its own can be in the way, so that of most names nothing needs to be asked, nor in turn.
   */
  async #make<T>(
    path: string,
    make: (parent: FileSystemDirectoryHandle, name: string) => Promise<T>,
  ): Promise<{ parent: FileSystemDirectoryHandle; name: string; handle: T } | undefined> {
    const parent = this.#folders.get(parentOf(path));
    if (!parent) return this.#refuse(path);
    const own = lastPart(path);
    const making = async (name: string) => ({ parent, name, handle: await make(parent, name) });
    try {
      this.#checkGoing();
      const there = this.#put.get(parent);
      const key = foldKey(own);
      if (there && !there.has(key)) {
        there.add(key);
        return await making(own);
      }
      return await this.#taking.run(async () =>
        making(await freeName(own, async (name) => (await look(parent, name)) !== undefined)),
      );
    } catch (thrown) {
      // The standard's word for a name that is not valid: https://fs.spec.whatwg.org/#valid-file-name
      if (thrown instanceof TypeError) return this.#refuse(path);
      throw savingError(path, thrown);
    }
  }

  #refuse(path: string): undefined {
    this.#refused.push(path);
  }

  #checkGoing(): void {
    if (this.#signal?.aborted)
      throw new BeelineError('CANCELLED', 'Saving was stopped. What was whole by then is there.');
  }
}

/** If a write finds no room, Chromium sometimes says that the source could not be read. Reading it shows which is true. */
async function blamed(thrown: unknown, blob: Blob): Promise<unknown> {
  if (!(thrown instanceof DOMException) || thrown.name !== 'NotReadableError') return thrown;
  const readable = await blob
    .slice(0, PIECE)
    .arrayBuffer()
    .then(
      () => true,
      () => false,
    );
  return readable ? new DOMException('No room for what was to be written.', 'QuotaExceededError') : thrown;
}
