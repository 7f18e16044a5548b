/**
 * The folders that people picked for what is not whole yet. Only IndexedDB can keep what a browser has given a page for one: a later
 * visit has it again, and asks the person whether it may still write there.
 */

const DATABASE = 'beeline';
const STORE = 'folders';

/** Rejects with a DOMException where the browser keeps nothing. */
export async function rememberPicked(key: string, folder: FileSystemDirectoryHandle): Promise<void> {
  await inStore('readwrite', (store) => store.put(folder, key));
}

export async function pickedFor(key: string): Promise<FileSystemDirectoryHandle | undefined> {
  return inStore('readonly', (store) => store.get(key));
}

export async function forgetPicked(key: string): Promise<void> {
  await inStore('readwrite', (store) => store.delete(key));
}

async function inStore<T>(
  mode: IDBTransactionMode,
  work: (store: IDBObjectStore) => IDBRequest<T>,
): Promise<T> {
  const opening = indexedDB.open(DATABASE, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
  const database = await settled(opening);
  try {
    const transaction = database.transaction(STORE, mode);
    const over = new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error);
    });
    over.catch(() => {});
    const result = await settled(work(transaction.objectStore(STORE)));
    await over;
    return result;
  } finally {
    database.close();
  }
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
