/** Where received files are in this browser's private file system (OPFS): one folder a transfer, named by its key. */
import { forgetPicked } from './picked.ts';

const TOP = 'beeline';
/** The byte space of a transfer, what is certain of it, and a journal that is to follow that one. */
export const KEPT_FILES = ['journal', 'journal.next', 'data'] as const;

/** What goes to a folder that the person picked is another transfer than the same that is kept here. */
const FOLDER_PREFIX = 'folder-';

export type KeptFileName = (typeof KEPT_FILES)[number];

/** Rejects with a DOMException, or a TypeError where there is no OPFS. */
export async function keptFolder(): Promise<FileSystemDirectoryHandle> {
  const root = await navigator.storage.getDirectory();
  return root.getDirectoryHandle(TOP, { create: true });
}

export const folderKey = (key: string): string => FOLDER_PREFIX + key;

export const isFolderKey = (key: string): boolean => key.startsWith(FOLDER_PREFIX);

/** Fails with NoModificationAllowedError while somebody receives into it. */
export async function removeKept(key: string): Promise<void> {
  const top = await keptFolder();
  const folder = await top.getDirectoryHandle(key);
  // A lock is on a file, not on its folder: the journal goes first, and without it nothing is left.
  await folder.removeEntry('journal').catch(ignoreMissing);
  await top.removeEntry(key, { recursive: true });
  if (isFolderKey(key)) await forgetPicked(key);
}

export function ignoreMissing(thrown: unknown): undefined {
  if (!(thrown instanceof DOMException) || thrown.name !== 'NotFoundError') throw thrown;
}
