/** A receipt made by hand: of what is on the disk now, as a transfer of it would leave it. */
import { createHash } from 'node:crypto';
import { toHex } from '../../../src/base/bytes.ts';
import { FileSource } from '../../../src/node/files/source.ts';
import { walk } from '../../../src/node/files/walk.ts';
import type { Entry } from '../../../src/offer/manifest.ts';
import { type Receipt, receiptRoot } from '../../../src/offer/receipt.ts';
import { CHUNK, spaceOf } from './helpers.ts';

/** A receipt around entries and hashes, with header and root that fit them. */
export function around(
  entries: readonly Entry[],
  chunks: (Uint8Array | undefined)[],
  more: Partial<Receipt> = {},
): Receipt {
  const many = (kind: Entry['kind']) => entries.filter((entry) => entry.kind === kind).length;
  const receipt: Receipt = {
    root: '',
    kind: 'files',
    hash: 'sha256',
    chunkSize: CHUNK,
    bytes: entries.reduce((sum, { size }) => sum + size, 0),
    files: many('file'),
    folders: many('folder'),
    links: many('link'),
    sender: 'ab'.repeat(32),
    receivers: [],
    entries,
    chunks,
    ...more,
  };
  const root = toHex(receiptRoot(receipt));
  const times = { started: 1_795_393_300_000, ended: 1_795_393_377_000 };
  const receivers = [{ fingerprint: 'cd'.repeat(32), root, ...times }];
  return { ...receipt, root, receivers: more.receivers ?? receivers };
}

/** @param moved false for chunks that count as not moved */
export async function receiptOf(
  paths: readonly string[],
  moved: (chunk: number) => boolean = () => true,
): Promise<Receipt> {
  const source = new FileSource(await walk(paths, { onUnreadable: 'fail' }));
  const space = spaceOf(source.entries);
  const buffer = new Uint8Array(CHUNK);
  const chunks: (Uint8Array | undefined)[] = [];
  for (let chunk = 0; chunk < space.chunks; chunk++) {
    const length = await source.read(chunk, space.extents(chunk), buffer);
    chunks.push(moved(chunk) ? sha256(buffer.subarray(0, length)) : undefined);
  }
  await source.close();
  return around(source.entries, chunks);
}

export function sha256(data: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(data).digest());
}
