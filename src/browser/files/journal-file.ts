/**
 * The driver of a journal that lies in OPFS. Nothing can be put in the place of a file that is held there, so that a new
 * journal is written beside the old one first. While that one is sealed, it is the one that counts.
 */
import type { JournalDriver, JournalFile, Readable } from '../../sync/store/journal.ts';
import { ignoreMissing, type KeptFileName } from './opfs.ts';
import type { StorageClient } from './storage-client.ts';

type Storage = Pick<StorageClient, 'ask'>;

/** The journal of what the storage worker has open. Rejects as `StorageClient.ask`. */
export function journalIn(storage: Storage): JournalDriver {
  const [journal, next] = [fileIn(storage, 'journal'), fileIn(storage, 'journal.next')];
  return {
    open: async () => ((await isSealed(next)) ? next : journal),
    replace: async (parts) => {
      const all = [...parts];
      // A next one that is sealed says what the old one said, until the new one is down.
      if ((await isSealed(journal)) && !(await isSealed(next))) await put(next, all);
      await put(journal, all);
      await next.truncate(0);
      await next.sync();
      return journal;
    },
  };
}

/** The journal in a transfer's folder, for reading where nobody holds it. Rejects with a DOMException. */
export function journalOf(folder: FileSystemDirectoryHandle): Pick<JournalDriver, 'open'> {
  return {
    open: async () => {
      const next = await blobOf(folder, 'journal.next').catch(ignoreMissing);
      return next && (await isSealed(next)) ? next : blobOf(folder, 'journal');
    },
  };
}

/** Its first byte goes down last, behind all others: what has none is none. */
async function put(file: JournalFile, parts: readonly Uint8Array[]): Promise<void> {
  await file.truncate(0);
  let at = 0;
  for (const part of parts) {
    const from = at === 0 ? 1 : 0;
    await file.write(part.subarray(from), at + from);
    at += part.length;
  }
  await file.sync();
  await file.write(parts[0]!.subarray(0, 1), 0);
  await file.sync();
}

async function isSealed(file: Readable): Promise<boolean> {
  const first = new Uint8Array(1);
  return (await file.read(first, 0)) === 1 && first[0] !== 0;
}

function fileIn(storage: Storage, file: KeptFileName): JournalFile {
  return {
    read: async (into, at) => {
      const bytes = new Uint8Array(await storage.ask('read', file, at, into.length));
      into.set(bytes);
      return bytes.length;
    },
    write: async (bytes, at) => {
      const { buffer, length } = bytes.slice();
      await storage.ask('write', file, at, length, buffer);
    },
    sync: () => storage.ask('sync', file),
    truncate: (length) => storage.ask('truncate', file, length),
    // The worker lets go of all files at once.
    close: async () => {},
  };
}

async function blobOf(folder: FileSystemDirectoryHandle, name: KeptFileName): Promise<Readable> {
  const handle = await folder.getFileHandle(name);
  const blob = await handle.getFile();
  return {
    read: async (into, at) => {
      const bytes = new Uint8Array(await blob.slice(at, at + into.length).arrayBuffer());
      into.set(bytes);
      return bytes.length;
    },
    close: async () => {},
  };
}
