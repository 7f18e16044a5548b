/** One store of this browser's IndexedDB, opened for one thing and closed again. */

export interface StoreName {
  readonly database: string;
  readonly store: string;
  /** The field that a value is found by; absent: it is put with a key of its own. */
  readonly keyPath?: string;
}

/** @returns what the request gave, once all of it is stored. Rejects with a DOMException where the browser keeps nothing. */
export async function inStore<T>(
  name: StoreName,
  mode: IDBTransactionMode,
  work: (store: IDBObjectStore) => IDBRequest<T>,
): Promise<T> {
  const database = await open(name);
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction(name.store, mode);
      const request = work(transaction.objectStore(name.store));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error);
    });
  } finally {
    database.close();
  }
}

function open({ database, store, keyPath }: StoreName): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(database, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(store, keyPath ? { keyPath } : {});
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
