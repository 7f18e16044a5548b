/** A PATH of the command line: what it is called at the receiver, and where it really is. */
import { realpathSync } from 'node:fs';
import { basename } from 'node:path';
import { codeOf, fault } from '../../base/errors.ts';
import { escapeName } from '../../base/printable.ts';

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
  if (name === '') throw fault('PATH_NAMELESS', { path: `'${escapeName(path)}'` });
  return { name, absolute };
}

/** @throws BeelineError NO_SUCH_PATH, UNREADABLE */
export function realPath(path: string): string {
  const shown = `'${escapeName(path)}'`;
  const paths = [path];
  if (path === '' || path.includes('\0')) throw fault('PATH_MALFORMED', { path: shown }, { paths });
  try {
    return realpathSync(path);
  } catch (cause) {
    const code = codeOf(cause);
    if (code === 'ENOENT' || code === 'ENOTDIR')
      throw fault('PATH_MISSING', { what: 'file or folder', path: shown }, { cause, paths });
    throw fault('FILE_UNREADABLE', { path: shown, why: code || String(cause) }, { cause, paths });
  }
}
