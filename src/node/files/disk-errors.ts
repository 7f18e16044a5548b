/** What a failing disk says, as errors that a person can act on. */
import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { BeelineError, codeOf, faultAt, type Reason } from '../../base/errors.ts';

/** By the system's own code. */
const CAUSES = {
  ENOSPC: 'DISK_NO_SPACE',
  EDQUOT: 'DISK_QUOTA',
  EFBIG: 'FILE_TOO_LARGE',
  EROFS: 'DISK_READ_ONLY',
  EACCES: 'DISK_FORBIDDEN',
  EPERM: 'DISK_NOT_PERMITTED',
  ENAMETOOLONG: 'NAME_TOO_LONG',
  EILSEQ: 'NAME_NOT_HELD',
  EINVAL: 'NAME_NOT_HELD',
  ENOENT: 'FOLDER_GONE',
  EIO: 'DISK_BROKEN',
  EXDEV: 'OTHER_FILE_SYSTEM',
  ELOOP: 'LINK_APPEARED',
  EEXIST: 'SOMETHING_APPEARED',
  EISDIR: 'FOLDER_APPEARED',
  ENOTDIR: 'FILE_IN_THE_WAY',
  ENOTEMPTY: 'FOLDER_APPEARED',
} as const satisfies { readonly [code: string]: Reason };

/** Whether a file could not be made because of their number, not of their size. */
function lacksInodes(error: unknown): boolean {
  try {
    const { path } = error as NodeJS.ErrnoException;
    if (path === undefined) return false;
    const { files, ffree } = statfsSync(dirname(path));
    return files > 0 && ffree === 0;
  } catch {
    return false;
  }
}

/** Wraps a system error; one that is a BeelineError already passes. `path` is relative, or the destination itself. */
export function diskError(error: unknown, path: string): BeelineError {
  if (error instanceof BeelineError) return error;
  const systemCode = codeOf(error);
  const cause = Object.hasOwn(CAUSES, systemCode) ? CAUSES[systemCode as keyof typeof CAUSES] : undefined;
  if (cause === undefined) return faultAt('DISK_OTHER', path, { why: systemCode || String(error) }, error);
  if (cause === 'DISK_NO_SPACE' && lacksInodes(error)) return faultAt('DISK_NO_INODES', path, {}, error);
  return faultAt(cause, path, {}, error);
}
