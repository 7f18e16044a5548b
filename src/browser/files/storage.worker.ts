/**
 * The storage worker: holds the exclusive handles of one transfer's files and does what the page asks, in turn. It
 * knows nothing of manifests and chunks.
 */
import { KEPT_FILES, type KeptFileName, keptFolder } from './opfs.ts';
import { fileCalls, type SyncFile } from './sync-file.ts';

/** A page that was just closed or reloaded lets go of its files a moment later. */
const TRIES = 30;
const BETWEEN = 200;
const PROBE = 'probe';

/** What the page can ask for. Every request is answered once, in the order of asking. */
const calls = {
  ...fileCalls(opened),
  /** Is there storage of the kind that is needed at all? */
  probe,
  /** Locks the transfer's files, made if they are missing. Answers with how many bytes of data there are. */
  open,
  /** Can so many bytes be written beside them? */
  try: tryWriting,
  /** Lets go of the files. */
  close,
};
export type StorageCalls = typeof calls;
export interface StorageRequest {
  id: number;
  call: keyof StorageCalls;
  args: Parameters<StorageCalls[keyof StorageCalls]>;
}
export type StorageReply =
  | { id: number; ok: true; value: unknown }
  /** `name`: of the DOMException. */
  | { id: number; ok: false; name: string; message: string };

interface Scope {
  postMessage(message: StorageReply, transfer: Transferable[]): void;
  addEventListener(type: 'message', listener: (event: MessageEvent) => void): void;
}

const scope = globalThis as unknown as Scope;
const files = new Map<KeptFileName, SyncFile>();
let folder: FileSystemDirectoryHandle | undefined;
let turn = Promise.resolve();

scope.addEventListener('message', ({ data }: MessageEvent<StorageRequest>) => {
  turn = turn.then(() => answer(data));
});

async function answer({ id, call, args }: StorageRequest): Promise<void> {
  try {
    const value = await (calls[call] as (...given: typeof args) => unknown)(...args);
    scope.postMessage({ id, ok: true, value }, value instanceof ArrayBuffer ? [value] : []);
  } catch (thrown) {
    const { name, message } = thrown instanceof Error ? thrown : new Error(String(thrown));
    scope.postMessage({ id, ok: false, name, message }, []);
  }
}

async function probe(): Promise<void> {
  await keptFolder();
  if (!('createSyncAccessHandle' in FileSystemFileHandle.prototype))
    throw new DOMException('There are no synchronous file handles.', 'NotSupportedError');
}

async function open(key: string): Promise<number> {
  for (let left = TRIES; ; left--) {
    try {
      return await lock(key);
    } catch (thrown) {
      const name = thrown instanceof DOMException ? thrown.name : '';
      // Locked by somebody, or removed by somebody in between.
      const passing = name === 'NoModificationAllowedError' || name === 'NotFoundError';
      if (!passing || left === 0) throw thrown;
      await new Promise((resolve) => setTimeout(resolve, BETWEEN));
    }
  }
}

async function lock(key: string): Promise<number> {
  const top = await keptFolder();
  folder = await top.getDirectoryHandle(key, { create: true });
  try {
    for (const name of KEPT_FILES) files.set(name, await syncFile(folder, name));
  } catch (thrown) {
    close();
    throw thrown;
  }
  return opened('data').getSize();
}

function close(): void {
  for (const file of files.values()) file.close();
  files.clear();
}

async function syncFile(inside: FileSystemDirectoryHandle, name: string): Promise<SyncFile> {
  const file = await inside.getFileHandle(name, { create: true });
  return file.createSyncAccessHandle();
}

/** A quota or a full disk shows only when something is written. */
async function tryWriting(bytes: number): Promise<void> {
  const file = await syncFile(folder!, PROBE);
  try {
    if (file.write(new Uint8Array(bytes).fill(1), { at: 0 }) < bytes)
      throw new DOMException('There is no room.', 'QuotaExceededError');
    file.flush();
  } finally {
    file.close();
    await folder!.removeEntry(PROBE);
  }
}

function opened(name: KeptFileName): SyncFile {
  const file = files.get(name);
  if (!file) throw new DOMException('The files are not open.', 'InvalidStateError');
  return file;
}
