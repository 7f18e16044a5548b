/** What a browser's storage says when it fails, as errors that a person can act on. */
import { BeelineError, fault, type Reason } from '../../base/errors.ts';

const CAUSES = {
  QuotaExceededError: 'STORAGE_FULL',
  NoModificationAllowedError: 'STORAGE_IN_USE',
  NotFoundError: 'STORAGE_CLEARED',
  SecurityError: 'STORAGE_PRIVATE',
  NotAllowedError: 'STORAGE_FORBIDDEN',
  NotSupportedError: 'STORAGE_MISSING',
  TypeError: 'STORAGE_MISSING',
} as const satisfies { readonly [name: string]: Reason };

/** Wraps what a browser's file system throws; what is a BeelineError already passes. */
export function storageError(thrown: unknown): BeelineError {
  if (thrown instanceof BeelineError) return thrown;
  const { name, message } = thrown instanceof Error ? thrown : new Error(String(thrown));
  return Object.hasOwn(CAUSES, name)
    ? fault(CAUSES[name as keyof typeof CAUSES], {}, { cause: thrown })
    : fault('STORAGE_FAILED', { why: message || name }, { cause: thrown });
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
  return fault('STORAGE_TOO_SMALL', { bytes, told }, { cause });
}
