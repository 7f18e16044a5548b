/**
 * Making data and names durable. Node has no syncfs(2), which makes a thousand small files durable in the time of a
 * few; where there are many, coreutils' `sync -f` does it, and where that is not to be had, each is synced by itself.
 */

import { execFile } from 'node:child_process';
import {
  chmodSync,
  close,
  constants,
  existsSync,
  fchmodSync,
  fsync,
  open,
  openSync,
  statSync,
} from 'node:fs';
import { codeOf } from '../../base/errors.ts';
import { FOLDER_FLAGS, READ_FLAGS, settled } from './io.ts';

/** From so many on, starting a process costs less. */
const MANY = 24;
/** Synced side by side: a file system commits those that wait together at once. */
const TOGETHER = 8;
/** Milliseconds; whatever else is dirty on that disk is written too. */
const DEADLINE = 600_000;
/** It was moved away, and something else may be in its place. */
const NO_FOLDER: ReadonlySet<unknown> = new Set(['ENOENT', 'ENOTDIR', 'ELOOP']);
const COMMAND =
  process.platform === 'linux' ? ['/usr/bin/sync', '/bin/sync'].find((path) => existsSync(path)) : undefined;

/**
 * What files hold, with their modes and times, and which names folders hold. `root` is a folder on the same file system. Node's
 * error codes.
 * @param may these folders' names too, of those that are still where they were
 */
export async function syncAll(
  files: readonly string[],
  folders: readonly string[],
  root: string,
  may: readonly string[] = [],
): Promise<void> {
  const windows = process.platform === 'win32';
  if (files.length + folders.length + may.length >= MANY && (await syncSystem(root))) return;
  // Windows flushes only what is open for writing.
  const flags = windows ? constants.O_RDWR : READ_FLAGS;
  await eachOf(files, (path) => syncOne(path, flags, () => openUnreadable(path)));
  // Windows opens no folders, and keeps their names by itself.
  if (windows) return;
  const syncFolder = (path: string) =>
    syncOne(path, FOLDER_FLAGS, () => syncSystem(root).then(() => undefined));
  await eachOf(folders, syncFolder);
  await eachOf(may, (path) =>
    syncFolder(path).catch((error) => {
      if (!NO_FOLDER.has(codeOf(error))) throw error;
    }),
  );
}

/** A file of ours that its own mode does not let us read. */
async function openUnreadable(path: string): Promise<number> {
  const mode = statSync(path).mode & 0o7777;
  chmodSync(path, mode | 0o400);
  const fd = openSync(path, READ_FLAGS);
  fchmodSync(fd, mode);
  return fd;
}

/** True if everything on the file system of `root` is durable now. */
async function syncSystem(root: string): Promise<boolean> {
  if (COMMAND === undefined) return false;
  return new Promise((resolve) => {
    execFile(COMMAND, ['-f', '--', root], { timeout: DEADLINE, env: {} }, (error) => resolve(error === null));
  });
}

async function eachOf(paths: readonly string[], work: (path: string) => Promise<void>): Promise<void> {
  for (let at = 0; at < paths.length; at += TOGETHER)
    await Promise.all(paths.slice(at, at + TOGETHER).map(work));
}

/** @param refused what is done where reading is not permitted, which gives an open file or takes care of it all */
async function syncOne(
  path: string,
  flags: number,
  refused: () => Promise<number | undefined>,
): Promise<void> {
  const fd = await settled<number | undefined>((done) => open(path, flags, done)).catch((error) => {
    if (codeOf(error) === 'EACCES') return refused();
    throw error;
  });
  if (fd === undefined) return;
  try {
    await settled((done) => fsync(fd, done));
  } finally {
    await settled((done) => close(fd, () => done()));
  }
}
