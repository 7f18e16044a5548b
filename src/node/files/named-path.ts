/** A PATH of the command line: what it is called at the receiver, and where it really is. */
import { realpathSync } from 'node:fs';
import { basename } from 'node:path';
import { BeelineError, codeOf } from '../../base/errors.ts';
import { escapeName } from '../../base/printable.ts';

export interface NamedPath {
  /** Its last component; for `.` and `..` the real folder's. */
  name: string;
  /** Real path, so that later opens need follow no link. */
  absolute: string;
}

/** @throws BeelineError NO_SUCH_PATH, UNREADABLE or USAGE (a file system's root has no name). */
export function locate(path: string): NamedPath {
  const shown = `'${escapeName(path)}'`;
  if (path === '' || path.includes('\0'))
    throw new BeelineError('NO_SUCH_PATH', `${shown} is not a path.`, { paths: [path] });
  let absolute: string;
  try {
    absolute = realpathSync(path);
  } catch (cause) {
    const code = codeOf(cause);
    if (code === 'ENOENT' || code === 'ENOTDIR')
      throw new BeelineError('NO_SUCH_PATH', `There is no file or folder ${shown}.`, {
        cause,
        paths: [path],
      });
    throw new BeelineError('UNREADABLE', `${shown} cannot be looked at (${code || cause}).`, {
      cause,
      paths: [path],
    });
  }
  const last = basename(path);
  const name = last === '' || last === '.' || last === '..' ? basename(absolute) : last;
  if (name === '')
    throw new BeelineError('USAGE', `${shown} has no name of its own. Send the folders in it instead.`);
  return { name, absolute };
}
