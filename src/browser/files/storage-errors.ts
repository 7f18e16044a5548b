/** What a browser's storage says when it fails, as errors that a person can act on. */
import { BeelineError, type ErrorCode } from '../../base/errors.ts';

const REASONS: { readonly [name: string]: readonly [ErrorCode, string] } = {
  QuotaExceededError: [
    'DISK_FULL',
    'The disk, or the part of it that this browser lends to this page, is full. Make room, or delete transfers that are kept here',
  ],
  NoModificationAllowedError: [
    'LOCKED',
    'Another tab is receiving or saving this same transfer. Go on there, or close that tab',
  ],
  NotFoundError: [
    'WRITE_FAILED',
    'The browser has removed what was kept, or somebody cleared its data. Receive it again',
  ],
  SecurityError: [
    'WRITE_FAILED',
    'This browser keeps nothing for this page, perhaps because the window is private',
  ],
  NotAllowedError: ['WRITE_FAILED', 'The browser was not allowed to write there. Allow it and try again'],
  NotSupportedError: ['WRITE_FAILED', 'This browser has no storage for large files. Use a newer one'],
  TypeError: ['WRITE_FAILED', 'This browser has no storage for large files. Use a newer one'],
};

/** Wraps what a browser's file system throws; what is a BeelineError already passes. */
export function storageError(thrown: unknown): BeelineError {
  if (thrown instanceof BeelineError) return thrown;
  const { name, message } = thrown instanceof Error ? thrown : new Error(String(thrown));
  const [code, reason] = REASONS[name] ?? [
    'WRITE_FAILED' as const,
    `This browser's storage failed (${message || name})`,
  ];
  return new BeelineError(code, `${reason}.`, { cause: thrown });
}

/**
 * DISK_FULL with numbers. Only taking the room shows whether there is any: some browsers tell a page the same figure
 * whatever the disk has, so that what they tell is no reason to refuse, and is repeated only where it explains.
 *
 * @param bytes what was to fit
 */
export async function noRoom(bytes: number, cause: unknown): Promise<BeelineError> {
  const { quota, usage } = await navigator.storage.estimate().catch((): StorageEstimate => ({}));
  const free = quota === undefined || usage === undefined ? undefined : Math.max(0, quota - usage);
  const told = free !== undefined && free < bytes ? ` It says that it has room for ${free} bytes.` : '';
  const text = `There are ${bytes} bytes to come, more than this browser can keep here.${told} Make room on the disk, or delete transfers that are kept here.`;
  return new BeelineError('DISK_FULL', text, { cause });
}
