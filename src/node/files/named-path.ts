/** A PATH of the command line: what it is called at the receiver, and where it really is. */
import { realpathSync } from 'node:fs';
import { basename } from 'node:path';
import { codeOf, fault, faultAt } from '../../base/errors.ts';
import { quoted } from '../../base/printable.ts';

export interface NamedPath {
  /** Its last component; for `.` and `..` the real folder's. */
  name: string;
  /** Real path, so that later opens need follow no link. */
  absolute: string;
}

/** @throws BeelineError NO_SUCH_PATH, UNREADABLE or USAGE (a file system's root has no name). */
export function locate(path: string): NamedPath {
  const absolute = realPath(path);
  const last = basename(path);
  const name = last === '' || last === '.' || last === '..' ? basename(absolute) : last;
  if (name === '') throw fault('PATH_NAMELESS', { path: quoted(path) });
  return { name, absolute };
}

/** @throws BeelineError NO_SUCH_PATH, UNREADABLE */
export function realPath(path: string): string {
  if (path === '' || path.includes('\0')) throw faultAt('PATH_MALFORMED', path);
  try {
    return realpathSync(path);
  } catch (cause) {
    const code = codeOf(cause);
    if (code === 'ENOENT' || code === 'ENOTDIR')
      throw faultAt('PATH_MISSING', path, { what: 'file or folder' }, cause);
    throw faultAt('FILE_UNREADABLE', path, { why: code || String(cause) }, cause);
  }
}
