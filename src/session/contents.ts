/** What is in an offer, as people are told of it. */
import { escapeName } from '../base/printable.ts';
import type { Entry } from '../offer/manifest.ts';

export interface Counts {
  files: number;
  folders: number;
  links: number;
}

export function count(entries: readonly Entry[]): Counts {
  const counts: Counts = { files: 0, folders: 0, links: 0 };
  // One loop that makes no texts: there may be millions of entries.
  for (const { kind } of entries)
    if (kind === 'file') counts.files++;
    else if (kind === 'folder') counts.folders++;
    else counts.links++;
  return counts;
}

/** As it is shown: a folder ends in `/`. */
export function shownName({ path, kind }: Pick<Entry, 'path' | 'kind'>): string {
  return escapeName(path) + (kind === 'folder' ? '/' : '');
}

/** The first names at the top, as they are shown. */
export function topNames(entries: readonly Entry[], most: number): string[] {
  const names: string[] = [];
  for (const entry of entries) {
    if (names.length === most) break;
    if (!entry.path.includes('/')) names.push(shownName(entry));
  }
  return names;
}
