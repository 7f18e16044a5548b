/** Names in a folder that the person picked: nothing that is there already is touched. */
import { BeelineError, fault, retold } from '../../base/errors.ts';
import { quoted } from '../../base/printable.ts';
import { numbered } from '../../offer/names.ts';
import { storageError } from './storage-errors.ts';

const MOST_COPIES = 10_000;

/** The name, or the next one of it that is free. @param taken whether it has something, or will have */
export async function freeName(name: string, taken: (name: string) => Promise<boolean>): Promise<string> {
  for (let n = 1; n < MOST_COPIES; n++) {
    const candidate = n === 1 ? name : numbered(name, n);
    if (!(await taken(candidate))) return candidate;
  }
  throw fault('TOO_MANY_COPIES', { name: quoted(name) });
}

/** What has that name; undefined if nothing has. */
export async function look(
  folder: FileSystemDirectoryHandle,
  name: string,
): Promise<FileSystemFileHandle | FileSystemDirectoryHandle | undefined> {
  try {
    return await folder.getFileHandle(name);
  } catch (thrown) {
    const kind = thrown instanceof DOMException ? thrown.name : '';
    if (kind === 'NotFoundError') return undefined;
    if (kind === 'TypeMismatchError') return folder.getDirectoryHandle(name);
    throw thrown;
  }
}

/** What a browser says of one path, as an error that names it. */
export function savingError(path: string, thrown: unknown): BeelineError {
  if (thrown instanceof BeelineError && thrown.paths.length > 0) return thrown;
  const error = storageError(thrown);
  if (error.code === 'CANCELLED') return error;
  return retold(error, `${quoted(path)} cannot be saved. ${error.message}`, [path]);
}
