/**
 * The storage worker: holds the exclusive handles of one transfer's files and does what the page asks, in turn. It
 * knows nothing of manifests and chunks.
 */
import { DATA, JOURNAL, keptFolder } from './opfs.ts';
import { SpaceFile, type SyncFile } from './space-file.ts';
import type { StorageAnswers, StorageReply, StorageRequest } from './storage-messages.ts';

/** A page that was just closed or reloaded lets go of its files a moment later. */
const TRIES = 30;
const BETWEEN = 200;
const PROBE = 'probe';

interface Scope {
  postMessage(message: StorageReply, transfer: Transferable[]): void;
  addEventListener(type: 'message', listener: (event: MessageEvent) => void): void;
}

type Asked = StorageRequest & { id: number };
type Answer = StorageAnswers[keyof StorageAnswers];

const scope = globalThis as unknown as Scope;
let folder: FileSystemDirectoryHandle | undefined;
let space: SpaceFile | undefined;
let turn = Promise.resolve();

scope.addEventListener('message', ({ data }: MessageEvent<Asked>) => {
  turn = turn.then(() => answer(data));
});

async function answer(request: Asked): Promise<void> {
  const { id } = request;
  try {
    const value = await handle(request);
    scope.postMessage({ id, ok: true, value }, value instanceof ArrayBuffer ? [value] : []);
  } catch (thrown) {
    const { name, message } = thrown instanceof Error ? thrown : new Error(String(thrown));
    scope.postMessage({ id, ok: false, name, message }, []);
  }
}

async function handle(request: StorageRequest): Promise<Answer> {
  switch (request.type) {
    case 'open':
      return open(request.key);
    case 'write':
      opened().write(request.at, new Uint8Array(request.buffer, 0, request.length), request.record);
      return request.buffer;
    case 'probe':
      return void (await probe());
    case 'try':
      return void (await tryWriting(request.bytes));
    case 'begin':
      return void opened().begin(request.trusted, request.records, request.size);
    case 'zeros':
      return void opened().zeros(request.at, request.length, request.record);
    case 'append':
      return void opened().append(request.records);
    case 'flush':
      return void opened().flush();
    case 'close':
      space?.close();
      space = undefined;
  }
}

async function probe(): Promise<void> {
  await keptFolder();
  if (!('createSyncAccessHandle' in FileSystemFileHandle.prototype))
    throw new DOMException('There are no synchronous file handles.', 'NotSupportedError');
}

async function open(key: string): Promise<StorageAnswers['open']> {
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

async function lock(key: string): Promise<StorageAnswers['open']> {
  const top = await keptFolder();
  folder = await top.getDirectoryHandle(key, { create: true });
  const journal = await syncFile(folder, JOURNAL);
  try {
    space = new SpaceFile(await syncFile(folder, DATA), journal);
  } catch (thrown) {
    journal.close();
    throw thrown;
  }
  return { journal: space.read(), size: space.size };
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

function opened(): SpaceFile {
  if (!space) throw new DOMException('The files are not open.', 'InvalidStateError');
  return space;
}
