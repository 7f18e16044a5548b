/** Exit codes. Scripts depend on them; the table is total, so a new error code cannot be forgotten here. */
import type { ErrorCode } from '../base/errors.ts';

export const EXIT_DONE = 0;
export const EXIT_FAILED = 1;
export const EXIT_INTERRUPTED = 130;

const CODES: { readonly [C in ErrorCode]: number } = {
  USAGE: 2,
  NO_SUCH_PATH: 2,
  CANCELLED: 3,
  WRONG_CODE: 4,
  AUTHENTICATION: 4,
  VERIFICATION: 5,
  NO_PEER: 6,
  NO_PATH: 6,
  CROWDED: 6,
  SERVER: 6,
  REFUSED: 7,
  INTERRUPTED: EXIT_INTERRUPTED,
  UNREADABLE: EXIT_FAILED,
  DAMAGED: EXIT_FAILED,
  SOURCE_CHANGED: EXIT_FAILED,
  EXISTS: EXIT_FAILED,
  DISK_FULL: EXIT_FAILED,
  WRITE_FAILED: EXIT_FAILED,
  LOCKED: EXIT_FAILED,
  UNSAFE_NAME: EXIT_FAILED,
  BAD_MANIFEST: EXIT_FAILED,
  PROTOCOL: EXIT_FAILED,
  VERSION: EXIT_FAILED,
  TIMEOUT: EXIT_FAILED,
  PEER_FAILED: EXIT_FAILED,
  INTERNAL: EXIT_FAILED,
};

/** The reader of stdout went away (EPIPE): the command ends, and nobody is left to tell. */
export class BrokenPipe extends Error {}

/** The exit code of a failure. */
export function exitCode(code: ErrorCode): number {
  return CODES[code] ?? EXIT_FAILED;
}
