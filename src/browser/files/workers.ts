/**
 * Where the page's workers come from. The page makes them, since its bundler and its Trusted Types policy want their
 * addresses in its own code.
 */
import { fault } from '../../base/errors.ts';

export interface Workers {
  /** A dedicated worker that runs `storage.worker.ts`. */
  storage(): Worker;
  /** Registers `download.worker.ts` with a scope that ends in `/download/`. */
  register(): Promise<ServiceWorkerRegistration>;
}

let workers: Workers | undefined;
let registered: Promise<ServiceWorkerRegistration> | undefined;

/** Call it once, before anything is received or saved. */
export function useWorkers(made: Workers): void {
  workers = made;
  registered = undefined;
}

/** @throws BeelineError WRITE_FAILED where there are no workers. */
export function storageWorker(): Worker {
  try {
    if (!workers) throw new Error('useWorkers() was not called');
    return workers.storage();
  } catch (cause) {
    throw fault('WORKER_FAILED', { what: 'that writes what is received does not start' }, { cause });
  }
}

/** @throws BeelineError WRITE_FAILED where there are no service workers (an insecure page, a private window). */
export async function downloadWorker(): Promise<ServiceWorkerRegistration> {
  try {
    if (!workers) throw new Error('useWorkers() was not called');
    registered ??= workers.register();
    return await registered;
  } catch (cause) {
    registered = undefined;
    throw fault('NO_STREAMED_DOWNLOADS', {}, { cause });
  }
}
