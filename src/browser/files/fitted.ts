/**
 * The names under which a page saves what arrived: those that every system takes, since a page does not know what its folder
 * or its download will lie on. They follow from the manifest alone, so that every visit gives the same.
 */

import { fault } from '../../base/errors.ts';
import { quoted } from '../../base/printable.ts';
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
  onWarning: ((path: string | undefined, message: string) => void) | undefined,
): void {
  const links = entries.filter(({ kind }) => kind === 'link').map(({ path }) => path);
  if (links.length > 0) {
    const others = links.length > 1 ? ` (${links.length} in all)` : '';
    const text = `A browser cannot make links: ${quoted(links[0]!)}${others} will be missing. Receive with the command to have them.`;
    onWarning?.(links[0]!, text);
  }
  const notices = new Notices(({ paths: [path], message }) => onWarning?.(path, message));
  for (const [index, { path }] of entries.entries()) {
    const name = lastPart(fitted[index]!);
    if (name === lastPart(path)) continue;
    const names = { path: quoted(path), as: quoted(name) };
    const told = fault('NAME_FITTED_FOR_ALL', names, { paths: [path] });
    notices.add('saved under another name that every system can hold', told);
  }
  notices.end();
}
