/** What became of a folder that the person picked, as an error: of one that is gone a browser says the same as of storage that was cleared. */
import { type BeelineError, fault } from '../../base/errors.ts';
import { quoted } from '../../base/printable.ts';
import { storageError } from './storage-errors.ts';

/** Not in every lib.dom, since it is no standard of the W3C yet. */
interface Asked {
  queryPermission?(options: { mode: 'readwrite' }): Promise<PermissionState>;
  keys(): AsyncIterable<string>;
}

/** Errors that say enough, wherever the folder is. */
const SAYS_ENOUGH: ReadonlySet<string> = new Set(['CANCELLED', 'DISK_FULL', 'UNSAFE_NAME']);

/** As `storageError`, unless the folder itself is the cause. It is looked at only then. */
export async function folderError(folder: FileSystemDirectoryHandle, thrown: unknown): Promise<BeelineError> {
  const error = storageError(thrown);
  if (SAYS_ENOUGH.has(error.code)) return error;
  const name = quoted(folder.name);
  const what = await stateOf(folder as FileSystemDirectoryHandle & Asked).catch(() => undefined);
  if (what === 'gone') return fault('PICKED_FOLDER_GONE', { name }, { cause: thrown });
  if (what === 'forbidden') return fault('PICKED_FOLDER_FORBIDDEN', { name }, { cause: thrown });
  return error;
}

async function stateOf(folder: Asked): Promise<'gone' | 'forbidden' | undefined> {
  const allowed = await folder.queryPermission?.({ mode: 'readwrite' });
  if (allowed !== undefined && allowed !== 'granted') return 'forbidden';
  try {
    // The first name is enough.
    for await (const _ of folder.keys()) break;
  } catch (thrown) {
    const kind = thrown instanceof DOMException ? thrown.name : '';
    if (kind === 'NotFoundError') return 'gone';
    if (kind === 'NotAllowedError') return 'forbidden';
  }
  return undefined;
}
