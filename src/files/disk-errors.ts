/** What a failing disk says, as errors that a person can act on. */
import { BeelineError, type ErrorCode } from '../protocol/errors.ts';
import { escapeName } from '../protocol/names.ts';
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

/** Wraps a system error; one that is a BeelineError already passes. `path` is relative, or the destination itself. */
export function diskError(error: unknown, path: string): BeelineError {
  if (error instanceof BeelineError) return error;
  const systemCode = codeOf(error);
  const fallback = ['WRITE_FAILED', systemCode || String(error)] as const;
  const [code, reason] = REASONS[systemCode] ?? fallback;
  return new BeelineError(code, `'${escapeName(path)}' cannot be written: ${reason}.`, {
    cause: error,
    paths: [path],
  });
}
