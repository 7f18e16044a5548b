/** The destination's own links, which the manifest cannot know, in the way of a link that is to be written. */
import { lstatSync, realpathSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';

/**
 * True if a link in `folder` (relative to the real path `root`) to `target` stays inside `root`, following what is
 * on the disk now. What does not exist yet counts as a plain folder; the manifest's check covers that.
 */
export function staysInside(root: string, folder: string, target: string): boolean {
  let at = join(root, folder);
  for (const part of target.split('/')) {
    if (part === '' || part === '.') continue;
    at = part === '..' ? dirname(at) : join(at, part);
    if (lstatSync(at, { throwIfNoEntry: false })?.isSymbolicLink()) {
      try {
        at = realpathSync(at);
      } catch {
        // It leads nowhere now; where it might lead later is its own check's concern.
        continue;
      }
    }
    if (at !== root && !at.startsWith(root.endsWith(sep) ? root : root + sep)) return false;
  }
  return true;
}
