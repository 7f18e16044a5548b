/** A picked folder whose file system folds case, and whose browser refuses some names. */
export class FolderDouble {
  readonly kind = 'directory';
  readonly entries = new Map<string, { name: string; item: FolderDouble | SavedFile }>();
  failing: Error | undefined;
  readonly name = 'picked';
  /** It was moved or removed: its handle leads nowhere. */
  gone = false;
  permission: PermissionState = 'granted';

  async queryPermission() {
    return this.permission;
  }

  #find(name: string, kind: string, create?: boolean): FolderDouble | SavedFile {
    this.#checkThere();
    if (/[\\:]|\.lnk$|^lnk\.refused/.test(name)) throw new TypeError('Name is not allowed.');
    const found = this.entries.get(name.toLowerCase());
    if (found && found.item.kind !== kind) throw new DOMException('Another kind.', 'TypeMismatchError');
    if (found) return found.item;
    if (!create) throw new DOMException('Not there.', 'NotFoundError');
    const item = kind === 'file' ? new SavedFile(() => this.failing) : new FolderDouble();
    this.entries.set(name.toLowerCase(), { name, item });
    return item;
  }

  get handle(): FileSystemDirectoryHandle {
    return this as unknown as FileSystemDirectoryHandle;
  }

  #checkThere(): void {
    if (this.permission !== 'granted') throw new DOMException('Not allowed.', 'NotAllowedError');
    if (this.gone) throw new DOMException('Not there.', 'NotFoundError');
  }

  async *keys(): AsyncGenerator<string> {
    this.#checkThere();
    for (const { name } of this.entries.values()) yield name;
  }

  async getFileHandle(name: string, options?: { create?: boolean }) {
    return this.#find(name, 'file', options?.create);
  }

  async getDirectoryHandle(name: string, options?: { create?: boolean }) {
    return this.#find(name, 'directory', options?.create);
  }

  async removeEntry(name: string) {
    this.entries.delete(name.toLowerCase());
  }

  list(prefix = ''): string[] {
    return [...this.entries.values()].flatMap(({ name, item }) =>
      item instanceof FolderDouble
        ? [`${prefix}${name}/`, ...item.list(`${prefix}${name}/`)]
        : [`${prefix}${name}=${item.text}`],
    );
  }
}

class SavedFile {
  readonly kind = 'file';
  text = '';
  readonly #failure: () => Error | undefined;

  constructor(failure: () => Error | undefined) {
    this.#failure = failure;
  }

  async getFile() {
    return new File([this.text], '');
  }

  async createWritable() {
    let coming = '';
    return {
      write: async (
        given: Blob | Uint8Array<ArrayBuffer> | { position: number; data: Uint8Array<ArrayBuffer> },
      ) => {
        const at = 'position' in given ? given.position : coming.length;
        const text = await new Blob(['position' in given ? given.data : given]).text();
        coming = coming.slice(0, at).padEnd(at, '0') + text + coming.slice(at + text.length);
        const failure = this.#failure();
        if (failure) throw failure;
      },
      truncate: async (size: number) => {
        coming = coming.slice(0, size).padEnd(size, '0');
      },
      close: async () => {
        this.text = coming;
      },
      abort: async () => {},
    };
  }
}
