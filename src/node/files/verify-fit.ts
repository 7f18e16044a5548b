/**
 * Where a receipt's entries are on a file system that could not hold them as they were sent: what it can hold is found out
 * anew, and by the same rules come the same names, times and left-out links as when they were received.
 */

import type { Entry } from '../../offer/manifest.ts';
import { foldKey } from '../../offer/names.ts';
import { Notices } from '../../wire/notices.ts';
import { abilitiesOf, mayNotFit } from './abilities.ts';
import { fit, type Links } from './fit.ts';
import { Staging } from './staging.ts';
import type { Tree, TreePlace } from './verify-tree.ts';

/** A tree's part that depends on the file system. */
interface Here extends Pick<Tree, 'entries' | 'place' | 'left'> {
  /** Other names that entries have here, by the ones that they were sent with. */
  renamed: ReadonlyMap<string, string>;
}

/** True if two names may be one here, or a time may be out of reach: then all that is there may be another thing. */
export function maybeOthers(entries: readonly Entry[]): boolean {
  const keys = new Set<string>();
  for (const { path, mtime } of entries) {
    const key = foldKey(path);
    if (keys.has(key) || mayNotFit({ path: '', mtime, kind: 'file' })) return true;
    keys.add(key);
  }
  return false;
}

/**
 * @param folder real path; a trial folder stands in it for a moment. Where none can be made, all is as it was sent
 * @param links which ones were written when it was received
 */
export async function asHere(
  folder: string,
  place: TreePlace,
  entries: readonly Entry[],
  links: Links,
): Promise<Here> {
  const plain: Here = { entries, place, left: new Set(), renamed: new Map() };
  let staging: Staging;
  try {
    staging = await Staging.create(folder);
  } catch {
    // A read-only medium: nothing can be tried there.
    return plain;
  }
  try {
    const can = await abilitiesOf(staging.trial, entries, staging.foldsCase());
    const fitted = await fit(folder, entries, can, links, new Notices(() => undefined));
    const renamed = new Map<string, string>();
    for (const [i, { path }] of fitted.entries.entries())
      if (path !== entries[i]!.path) renamed.set(entries[i]!.path, path);
    return {
      entries: fitted.entries.map((entry, i) => ({ ...entry, path: entries[i]!.path })),
      place: (path) => place(renamed.get(path) ?? path),
      left: fitted.left,
      renamed,
    };
  } finally {
    await staging.remove([]).catch(() => undefined);
  }
}
