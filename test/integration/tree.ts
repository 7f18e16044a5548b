/** What a folder holds, in a form that two folders can be compared by. */
import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

/**
 * One line per entry under `root`: kind, permissions, whole seconds of the modification time (not for links), and
 * the content's SHA-256 or the link's target.
 */
export function snapshot(root: string): Record<string, string> {
  const found: Record<string, string> = {};
  const visit = (folder: string, prefix: string): void => {
    for (const name of readdirSync(folder).sort()) {
      const path = join(folder, name);
      const stat = lstatSync(path);
      const mode = (stat.mode & 0o777).toString(8);
      const time = Math.floor(stat.mtimeMs / 1000);
      if (stat.isSymbolicLink()) found[prefix + name] = `link ${readlinkSync(path)}`;
      else if (stat.isDirectory()) {
        found[prefix + name] = `folder ${mode} ${time}`;
        visit(path, `${prefix}${name}/`);
      } else {
        const hash = createHash('sha256').update(readFileSync(path)).digest('hex');
        found[prefix + name] = `file ${mode} ${time} ${hash}`;
      }
    }
  };
  visit(root, '');
  return found;
}
