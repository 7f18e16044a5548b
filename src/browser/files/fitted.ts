/**
 * The names under which a page saves what arrived: those that every system takes, since a page does not know what its folder
 * or its download will lie on. They follow from the manifest alone, so that every visit gives the same.
 */

import { type BeelineError, faultAt } from '../../base/errors.ts';
import { escapeName } from '../../base/printable.ts';
import { fitPaths, PLAIN_NAMES } from '../../offer/fitting.ts';
import type { Entry } from '../../offer/manifest.ts';
import { lastPart } from '../../offer/names.ts';
import { Notices } from '../../wire/notices.ts';
import { PageSlices } from './slices.ts';

export type Named = Pick<Entry, 'path' | 'kind'>;

/** One for one; a link, which no browser can write, keeps its own and takes no other's. */
export async function fittedPaths(entries: readonly Named[]): Promise<string[]> {
  const written = entries.filter(({ kind }) => kind !== 'link').map(({ path }) => path);
  const fitted = (await new PageSlices().run(fitPaths(written, PLAIN_NAMES)))[Symbol.iterator]();
  return entries.map(({ path, kind }) => (kind === 'link' ? path : fitted.next().value!));
}

/**
 * Tells of all links at once, the one kind of entry that no browser can write, and of each name that is another one in `fitted`;
 * what only lies in a folder of another name is not told of.
 */
export function warnOfMisfits(
  entries: readonly Named[],
  fitted: readonly string[],
  onWarning: (warning: BeelineError) => void = () => {},
): void {
  const links = entries.filter(({ kind }) => kind === 'link').map(({ path }) => path);
  if (links.length > 0) onWarning(faultAt('LINKS_MISSING', links[0]!, { count: links.length }));
  const notices = new Notices(onWarning);
  for (const [index, { path }] of entries.entries()) {
    const name = lastPart(fitted[index]!);
    if (name === lastPart(path)) continue;
    const told = faultAt('NAME_FITTED_FOR_ALL', path, { as: escapeName(name) });
    notices.add('saved under another name that every system can hold', told);
  }
  notices.end();
}
