/** Links are the one kind of entry that no browser can write. */

import { escapeName } from '../../base/printable.ts';
import type { Entry } from '../../offer/manifest.ts';

/** Tells of all of them at once, if there are any. */
export function warnOfLinks(
  entries: readonly Entry[],
  onWarning: ((path: string | undefined, message: string) => void) | undefined,
): void {
  const links = entries.filter(({ kind }) => kind === 'link').map(({ path }) => path);
  if (links.length === 0) return;
  const others = links.length > 1 ? ` (${links.length} in all)` : '';
  const text = `A browser cannot make links: '${escapeName(links[0]!)}'${others} will be missing. Receive with the command to have them.`;
  onWarning?.(links[0]!, text);
}
