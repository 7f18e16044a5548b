/** Reads a ZIP without compression, by its central directory (APPNOTE.TXT 4.3.12), as any unpacker does. */
import assert from 'node:assert/strict';

const END = 0x06054b50;
const ENTRY = 0x02014b50;
const LOCAL = 0x04034b50;
const STORED = 0;
/** What a 32-bit field holds when the real value is in the ZIP64 extra field (4.5.3). */
const ELSEWHERE = 0xffffffff;

/** Names (folders end in '/') with their bytes. For files small enough to be in memory. */
export function readZip(zip: Buffer): Map<string, Buffer> {
  let end = zip.length - 22;
  while (end >= 0 && zip.readUInt32LE(end) !== END) end--;
  assert.ok(end >= 0, 'a ZIP has an end record');
  const count = zip.readUInt16LE(end + 10);
  const files = new Map<string, Buffer>();
  let at = zip.readUInt32LE(end + 16);
  for (let i = 0; i < count; i++) {
    assert.equal(zip.readUInt32LE(at), ENTRY);
    assert.equal(zip.readUInt16LE(at + 10), STORED, 'entries are stored');
    const [name, extra, comment] = [28, 30, 32].map((offset) => zip.readUInt16LE(at + offset)) as [
      number,
      number,
      number,
    ];
    const size = zip.readUInt32LE(at + 20);
    const local = zip.readUInt32LE(at + 42);
    assert.ok(size !== ELSEWHERE && local !== ELSEWHERE, 'these files are too small for ZIP64');
    assert.equal(zip.readUInt32LE(local), LOCAL);
    const data = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
    const path = zip.subarray(at + 46, at + 46 + name).toString('utf8');
    assert.ok(!files.has(path), `${path} is there once`);
    files.set(path, zip.subarray(data, data + size));
    at += 46 + name + extra + comment;
  }
  return files;
}
