/** What a failing disk says, as errors that a person can act on. */
import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { BeelineError, type ErrorCode } from '../protocol/errors.ts';
import { escapeName } from '../protocol/printable.ts';
import { codeOf } from './io.ts';

const REASONS: { readonly [code: string]: readonly [ErrorCode, string] } = {
  ENOSPC: ['DISK_FULL', 'the disk is full. Make room'],
  EDQUOT: ['DISK_FULL', 'the disk quota is used up. Make room'],
  EFBIG: ['WRITE_FAILED', 'this file system does not hold files that large. Choose another with --to'],
  EROFS: ['WRITE_FAILED', 'the file system is read-only. Choose another folder with --to'],
  EACCES: ['WRITE_FAILED', 'this user may not write there. Choose another folder with --to'],
  EPERM: ['WRITE_FAILED', 'the system does not permit it. Choose another folder with --to'],
  ENAMETOOLONG: ['WRITE_FAILED', 'this file system does not hold names that long'],
  EILSEQ: ['WRITE_FAILED', 'this file system does not hold such names'],
  EINVAL: ['WRITE_FAILED', 'this file system does not hold such names'],
  ENOENT: ['WRITE_FAILED', 'the folder is not there any more. Was a drive taken out, or the folder removed'],
  EIO: ['WRITE_FAILED', 'the disk reports a failure. Check it before trying again'],
  EXDEV: [
    'WRITE_FAILED',
    'it is on another file system than the destination. Receive straight into it with --to',
  ],
  ELOOP: ['UNSAFE_NAME', 'a link stands in the way. Nothing was written through it'],
  EEXIST: ['EXISTS', 'something appeared there meanwhile. It was left as it is'],
  EISDIR: ['EXISTS', 'a folder appeared there meanwhile. It was left as it is'],
  ENOTDIR: ['EXISTS', 'a file stands where a folder is needed'],
  ENOTEMPTY: ['EXISTS', 'a folder appeared there meanwhile. It was left as it is'],
};

const NO_INODES: readonly [ErrorCode, string] = [
  'DISK_FULL',
  'the disk can hold no more files (its inodes are used up), though it may have room. Remove some',
];

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
  const fallback = ['WRITE_FAILED', systemCode || String(error)] as const;
  const reasons = systemCode === 'ENOSPC' && lacksInodes(error) ? NO_INODES : REASONS[systemCode];
  const [code, reason] = reasons ?? fallback;
  return new BeelineError(code, `'${escapeName(path)}' cannot be written: ${reason}.`, {
    cause: error,
    paths: [path],
  });
}
