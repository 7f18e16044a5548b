/**
 * Receipts on the disk: written so that a crash leaves the whole one or none, read line by line with bounds, and kept
 * in a folder of this user's, the newest hundred of them.
 */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, readdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { BeelineError, codeOf, fault, faultAt } from '../../base/errors.ts';
import { quoted } from '../../base/printable.ts';
import { replaceFile, userFolder } from '../../identity/config-folder.ts';
import { encodeReceipt, type Receipt } from '../../offer/receipt.ts';
import { decodeReceipt, MAX_RECEIPT_LINE } from '../../offer/receipt-reader.ts';

/** Receipts that the folder keeps. */
const KEPT = 100;
const NAME = /^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ-[0-9a-f]{12,20}\.jsonl$/;
/** Hex digits of a receipt's name that are of the root, and those of its receivers. */
const OF_ROOT = 8;
const OF_RECEIVERS = 12;
const TEMPORARY = '.beeline-receipt-';
/** Milliseconds after which a temporary file is a crash's: writing takes seconds. */
const STALE = 24 * 3600 * 1000;
/** Bytes in one read. */
const BLOCK = 256 * 1024;
/** 9999-12-31T23:59:59Z: the last time of four digits a year. */
const LAST_TIME = 253_402_300_799_000;

/** `receipts` in the folder of this user's state. */
export function receiptFolder(env = process.env, platform = process.platform): string {
  return join(resolve(userFolder('STATE', env, platform)), 'receipts');
}

/**
 * `2026-11-23T00-22-57Z-0123456789abcdef0123.jsonl`: when, digits of the root, and of a hash of the receivers. So of many receivers
 * on one machine, in one second, no two have the same. Where one machine is both sides, those of one receiver are one file. That of
 * a sender with several, and each of theirs, is its own.
 */
export function receiptName({ receivers, root }: Pick<Receipt, 'receivers' | 'root'>): string {
  const last = receivers.reduce((latest, { ended }) => Math.max(latest, ended), 0);
  const time = new Date(Math.min(last, LAST_TIME)).toISOString();
  const who = createHash('sha256');
  for (const { fingerprint } of receivers) who.update(`${fingerprint}\n`);
  const digits = root.slice(0, OF_ROOT) + who.digest('hex').slice(0, OF_RECEIVERS);
  return `${time.slice(0, 19).replaceAll(':', '-')}Z-${digits}.jsonl`;
}

/**
 * Writes a receipt that only this user may read; resolves with where it is. What stood there is replaced.
 * @param path where to; absent: into `folder`, which then keeps its newest hundred
 * @throws BeelineError WRITE_FAILED, DISK_FULL
 */
export async function writeReceipt(
  receipt: Receipt,
  path?: string,
  folder: string = receiptFolder(),
): Promise<string> {
  const target = path === undefined ? join(folder, receiptName(receipt)) : resolve(path);
  try {
    if (path === undefined) await mkdir(folder, { recursive: true, mode: 0o700 });
    await replaceFile(target, lines(encodeReceipt(receipt)), TEMPORARY);
  } catch (cause) {
    const system = codeOf(cause);
    throw system === 'ENOSPC' || system === 'EDQUOT'
      ? faultAt('RECEIPT_NO_SPACE', target, {}, cause)
      : faultAt('RECEIPT_UNWRITTEN', target, { why: system || String(cause) }, cause);
  }
  // The receipt is safe; old ones that cannot be removed are no reason to fail.
  if (path === undefined) await prune(folder).catch(() => undefined);
  return target;
}

function* lines(texts: Iterable<string>): Generator<string> {
  for (const text of texts) yield `${text}\n`;
}

/** By this machine's own times, since those in the names are the senders'. */
async function prune(folder: string): Promise<void> {
  const receipts: { path: string; time: number }[] = [];
  for (const name of await readdir(folder)) {
    const temporary = name.startsWith(TEMPORARY);
    if (!temporary && !NAME.test(name)) continue;
    const path = join(folder, name);
    const time = (await lstat(path)).mtimeMs;
    if (!temporary) receipts.push({ path, time });
    else if (time < Date.now() - STALE) await rm(path, { force: true });
  }
  receipts.sort((a, b) => b.time - a.time);
  for (const { path } of receipts.slice(KEPT)) await rm(path, { force: true });
}

/**
 * @throws BeelineError NO_SUCH_PATH, UNREADABLE; DAMAGED if it is no receipt; VERIFICATION if it was damaged.
 */
export async function readReceipt(path: string): Promise<Receipt> {
  try {
    // Non-blocking, so that a FIFO in its place cannot hang the command.
    const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      if (!(await file.stat()).isFile())
        throw fault('RECEIPT_MALFORMED', { name: quoted(path), why: 'it is not a file', where: '' });
      return await decodeReceipt(linesOf(file, path), quoted(path));
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof BeelineError) throw cause;
    const system = codeOf(cause);
    if (system === 'ENOENT' || system === 'ENOTDIR')
      throw fault('PATH_MISSING', { what: 'receipt', path: quoted(path) }, { cause });
    throw fault(
      'FILE_UNREADABLE',
      { path: `The receipt ${quoted(path)}`, why: system || String(cause) },
      { cause },
    );
  }
}

/** What follows the last line feed is a line too, so that a cut one is noticed. */
async function* linesOf(file: FileHandle, path: string): AsyncGenerator<string> {
  const buffer = Buffer.allocUnsafe(BLOCK);
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let rest = '';
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, BLOCK, null);
    try {
      rest += decoder.decode(buffer.subarray(0, bytesRead), { stream: bytesRead > 0 });
    } catch (cause) {
      throw fault(
        'RECEIPT_MALFORMED',
        { name: quoted(path), why: 'it is not UTF-8 text', where: '' },
        { cause },
      );
    }
    const lines = rest.split('\n');
    rest = lines.pop()!;
    yield* lines;
    // Longer than a line may be: the reader refuses it before more is kept.
    if (rest.length > MAX_RECEIPT_LINE || (bytesRead === 0 && rest !== '')) yield rest;
    if (bytesRead === 0) return;
  }
}
