/** A browser's private file system in memory, and its storage worker: what a KeptSink works with, in this process. */
import type { KeptFileName } from '../../src/browser/files/opfs.ts';
import type { StorageReply, StorageRequest } from '../../src/browser/files/storage.worker.ts';
import { useWorkers } from '../../src/browser/files/workers.ts';
import { MemoryFile, StorageDouble } from '../browser/storage-double.ts';

class FileHandle {
  readonly file = new MemoryFile();
  locked = false;

  async getFile(): Promise<Blob> {
    return new Blob([this.file.bytes.slice()]);
  }
}

class FolderHandle {
  readonly names = new Map<string, FolderHandle | FileHandle>();

  async getDirectoryHandle(name: string, { create = false } = {}): Promise<FolderHandle> {
    return this.#get(name, create, () => new FolderHandle()) as FolderHandle;
  }

  async getFileHandle(name: string, { create = false } = {}): Promise<FileHandle> {
    return this.#get(name, create, () => new FileHandle()) as FileHandle;
  }

  async *keys(): AsyncGenerator<string> {
    yield* [...this.names.keys()];
  }

  async removeEntry(name: string): Promise<void> {
    const found = this.#get(name, false, () => new FolderHandle());
    const files = found instanceof FolderHandle ? [...found.names.values()] : [found];
    if (files.some((file) => file instanceof FileHandle && file.locked))
      throw new DOMException('locked', 'NoModificationAllowedError');
    this.names.delete(name);
  }

  #get(name: string, create: boolean, make: () => FolderHandle | FileHandle): FolderHandle | FileHandle {
    const found = this.names.get(name) ?? (create ? make() : undefined);
    if (!found) throw new DOMException('missing', 'NotFoundError');
    this.names.set(name, found);
    return found;
  }
}

/** One worker: it holds the locks of the files that it has open. */
class WorkerDouble {
  onmessage: ((event: { data: StorageReply }) => void) | undefined;
  readonly #root: FolderHandle;
  readonly #double = new StorageDouble();
  #open: FileHandle[] = [];
  #turn = Promise.resolve();

  constructor(root: FolderHandle) {
    this.#root = root;
  }

  postMessage(request: StorageRequest, transfer: Transferable[]): void {
    // As a real one sees it: a transferred buffer is gone here, and comes back with the answer.
    const sent = structuredClone(request, { transfer });
    this.#turn = this.#turn.then(async () => {
      const { id } = request;
      const reply = await this.#answer(sent).then(
        (value): StorageReply => ({ id, ok: true, value }),
        ({ name, message }): StorageReply => ({ id, ok: false, name, message }),
      );
      setImmediate(() => this.onmessage?.({ data: reply }));
    });
  }

  terminate(): void {
    for (const handle of this.#open.splice(0)) handle.locked = false;
  }

  async #answer({ call, args }: StorageRequest): Promise<unknown> {
    if (call === 'close') return this.terminate();
    if (call === 'try') return undefined;
    if (call === 'open') return this.#opened(String(args[0]));
    return this.#double.ask(call, ...args);
  }

  async #opened(key: string): Promise<number> {
    const top = await this.#root.getDirectoryHandle('beeline', { create: true });
    const folder = await top.getDirectoryHandle(key, { create: true });
    for (const name of Object.keys(this.#double.files) as KeptFileName[]) {
      const handle = await folder.getFileHandle(name, { create: true });
      if (handle.locked) throw new DOMException('locked', 'NoModificationAllowedError');
      handle.locked = true;
      this.#open.push(handle);
      this.#double.files[name] = handle.file;
    }
    return this.#double.files.data.getSize();
  }
}

/** An origin's storage, empty. From now on it is this process's. */
export function useMemoryStorage(): void {
  const root = new FolderHandle();
  const storage = { getDirectory: async () => root, estimate: async () => ({}) };
  Object.defineProperty(globalThis, 'navigator', { value: { storage }, configurable: true });
  useWorkers({
    storage: () => new WorkerDouble(root) as unknown as Worker,
    register: () => Promise.reject(new Error('there are no service workers here')),
  });
}
