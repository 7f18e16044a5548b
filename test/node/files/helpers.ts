import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BeelineError, ErrorCode } from '../../../src/base/errors.ts';
import { type Entry, encodePages } from '../../../src/offer/manifest.ts';
import { ByteSpace } from '../../../src/offer/space.ts';
import type { Sink, Source } from '../../../src/sync/ports.ts';

export const CHUNK = 1024 * 1024;

/** A folder of this test's own, removed behind it. */
export function scratch(t: TestContext): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'beeline-test-')));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

export function hashOf(data: Uint8Array): Uint8Array {
  return createHash('sha256').update(data).digest();
}

/** Matches a BeelineError by its code, and what its message must contain. */
export function failure(code: ErrorCode, ...parts: string[]) {
  return (error: BeelineError) => {
    for (const part of parts)
      if (!error.message.includes(part)) throw new Error(`'${error.message}' lacks '${part}'`);
    if (error.code !== code) throw error;
    return true;
  };
}

export function file(path: string, size = 0, mode = 0o644, mtime = 1_700_000_000_123_456): Entry {
  return { path, kind: 'file', size, mode, mtime, target: '', version: '' };
}

export function folder(path: string, mode = 0o755, mtime = 1_700_000_000_000_000): Entry {
  return { path, kind: 'folder', size: 0, mode, mtime, target: '', version: '' };
}

export function link(path: string, target: string): Entry {
  return { path, kind: 'link', size: 0, mode: 0o777, mtime: 1_600_000_000_000_001, target, version: '' };
}

export function spaceOf(entries: readonly Entry[], chunkSize = CHUNK): ByteSpace {
  return new ByteSpace(
    entries.map((entry) => entry.size),
    chunkSize,
  );
}

/** Moves everything, in the order given, through one buffer that is scribbled over between chunks. Its digests. */
export async function move(
  source: Source,
  sink: Sink,
  order: (chunks: number[]) => number[] = (all) => all,
): Promise<Map<number, string>> {
  const space = spaceOf(source.entries);
  await sink.open(source.entries, space, 'sha256', encodePages(source.entries));
  const buffer = new Uint8Array(CHUNK);
  for (const chunk of order(Array.from({ length: space.chunks }, (_, i) => i))) {
    const extents = space.extents(chunk);
    if (!extents.some((extent) => sink.wants(extent.entry))) continue;
    const length = await source.read(chunk, extents, buffer);
    const data = buffer.subarray(0, length);
    await sink.write(chunk, extents, data.some((byte) => byte !== 0) ? data : undefined, hashOf(data));
    buffer.fill(0xee);
  }
  await sink.finish();
  const digests = await sink.digests();
  await sink.close('done');
  return digests;
}

/** Waits for something that comes in its own time, like a group commit; how long is no part of the test. */
export async function until(what: string, done: () => boolean | Promise<boolean>): Promise<void> {
  const seconds = 120;
  for (const end = performance.now() + seconds * 1000; !(await done()); await sleep(5))
    if (performance.now() > end) throw new Error(`${what}: not within ${seconds} s`);
}

/** A Sink that has been given its manifest, and the way to write one chunk of one byte value to it. */
export async function opened(sink: Sink, entries: readonly Entry[]) {
  const space = spaceOf(entries);
  await sink.open(entries, space, 'sha256', encodePages(entries));
  const write = (chunk: number, value: number) => {
    const extents = space.extents(chunk);
    const data = new Uint8Array(space.length(chunk)).fill(value);
    return sink.write(chunk, extents, data, hashOf(data));
  };
  return { space, write };
}

export function staged(path: string): string[] {
  return readdirSync(path).filter((name) => name.startsWith('.beeline-'));
}
