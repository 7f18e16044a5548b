/** Entries of a manifest, for tests. */
import type { Entry } from '../src/offer/manifest.ts';

/** A folder's path ends in `/`. */
export function entryOf(path: string, size = 1): Entry {
  const folder = path.endsWith('/');
  return {
    path: folder ? path.slice(0, -1) : path,
    kind: folder ? 'folder' : 'file',
    ...{ size: folder ? 0 : size, mode: 0, mtime: 0, target: '', version: '' },
  };
}
