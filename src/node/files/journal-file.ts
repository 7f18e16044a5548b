/** The driver of a journal that lies in a file of the system's. Node's own errors. */

import { closeSync, fdatasync, fstatSync, ftruncate, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { codeOf } from '../../base/errors.ts';
import type { JournalDriver, JournalFile, Readable } from '../../sync/store/journal.ts';
import { CREATE_FLAGS, READ_FLAGS, readFully, settled, writeFully } from './io.ts';
import { syncAll } from './sync.ts';

/** What an open that finds no journal of ours fails with: nothing there, a link, a folder, a socket, another's. */
const NOT_OURS = ['ENOENT', 'ENOTDIR', 'ELOOP', 'EISDIR', 'ENXIO', 'EACCES'];

/** The journal at a path. */
export function journalAt(path: string): JournalDriver {
  return { open: async () => openOwn(path), replace: (parts) => replace(path, parts) };
}

async function replace(path: string, parts: Iterable<Uint8Array>): Promise<JournalFile> {
  const next = `${path}.next`;
  // From a run that ended right here.
  rmSync(next, { force: true });
  const file = fileOf(openSync(next, CREATE_FLAGS, 0o600));
  try {
    let length = 0;
    for (const part of parts) {
      await file.write(part, length);
      length += part.length;
    }
    await file.sync();
    renameSync(next, path);
    // Its name may be a link to a folder that is held open, as in /proc/self/fd.
    await syncAll([], [`${dirname(path)}/.`], dirname(path));
    return file;
  } catch (error) {
    await file.close();
    rmSync(next, { force: true });
    throw error;
  }
}

function fileOf(fd: number): JournalFile {
  return {
    read: (into, at) => readFully(fd, into, 0, into.length, at),
    write: (bytes, at) => writeFully(fd, bytes, at),
    sync: () => settled((done) => fdatasync(fd, done)),
    truncate: (length) => settled((done) => ftruncate(fd, length, done)),
    close: async () => closeSync(fd),
  };
}

/** A regular file of this user's under one name only, so that nobody else wrote it and nothing else is cut. */
function openOwn(path: string): Readable | undefined {
  let fd: number;
  try {
    fd = openSync(path, READ_FLAGS);
  } catch (error) {
    if (NOT_OURS.includes(codeOf(error))) return undefined;
    throw error;
  }
  const found = fstatSync(fd);
  if (found.isFile() && found.nlink === 1 && found.uid === (process.getuid?.() ?? found.uid))
    return fileOf(fd);
  closeSync(fd);
  return undefined;
}
