/**
 * The folders that people picked for what is not whole yet. Only IndexedDB can keep what a browser has given a page for one: a later
 * visit has it again, and asks the person whether it may still write there.
 */

import { inStore } from '../database.ts';

const FOLDERS = { database: 'beeline', store: 'folders' } as const;

/** Rejects with a DOMException where the browser keeps nothing. */
export async function rememberPicked(key: string, folder: FileSystemDirectoryHandle): Promise<void> {
  await inStore(FOLDERS, 'readwrite', (store) => store.put(folder, key));
}

export async function pickedFor(key: string): Promise<FileSystemDirectoryHandle | undefined> {
  return inStore(FOLDERS, 'readonly', (store) => store.get(key));
}

export async function forgetPicked(key: string): Promise<void> {
  await inStore(FOLDERS, 'readwrite', (store) => store.delete(key));
}
