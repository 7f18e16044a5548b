/** What the tests have a page do with the storage code. Everything that crosses to the tests is JSON. */

import { Bitfield } from '../../../src/base/bitfield.ts';
import { toHex } from '../../../src/base/bytes.ts';
import { BeelineError } from '../../../src/base/errors.ts';
import { abilities } from '../../../src/browser/files/abilities.ts';
import { saveAsDownloads } from '../../../src/browser/files/download.ts';
import { fittedPaths } from '../../../src/browser/files/fitted.ts';
import { itemsOfDrop, itemsOfInput } from '../../../src/browser/files/items.ts';
import { type Kept, type KeptFile, keptTransfers } from '../../../src/browser/files/kept.ts';
import { KeptSink } from '../../../src/browser/files/kept-sink.ts';
import { keptFolder } from '../../../src/browser/files/opfs.ts';
import { saveToFolder } from '../../../src/browser/files/save.ts';
import { FileListSource } from '../../../src/browser/files/source.ts';
import { StreamSink } from '../../../src/browser/files/stream-sink.ts';
import { useWorkers } from '../../../src/browser/files/workers.ts';
import { type Entry, encodePages } from '../../../src/offer/manifest.ts';
import { ByteSpace, chooseChunkSize } from '../../../src/offer/space.ts';
import type { End, Sink } from '../../../src/sync/ports.ts';
import { fill } from './content.ts';

interface Policy {
  createScriptURL(url: string): string;
}
const { trustedTypes } = globalThis as unknown as {
  trustedTypes: { createPolicy(name: string, rules: Policy): Policy };
};
const policy = trustedTypes.createPolicy('beeline', { createScriptURL: (url) => url });
useWorkers({
  storage: () => new Worker(policy.createScriptURL('/storage.worker.js'), { type: 'module' }),
  register: () =>
    navigator.serviceWorker.register(policy.createScriptURL('/download.worker.js'), {
      ...{ scope: '/download/', type: 'module' },
    }),
});

export interface Offer {
  /** Paths and sizes; a folder's path ends in '/', a link's in '@'. */
  files: [string, number][];
  chunkSize?: number;
  /** Microseconds since 1970. */
  mtime?: number;
  stream?: boolean;
}

export interface Writing {
  /** Of the chunks, in their order, or shuffled: from here, so many. */
  from?: number;
  count?: number;
  seed?: number;
  /** Writes under way at a time. */
  atOnce?: number;
  /** These entries arrive as zeros, as do those of an honest sender that are gone. */
  zeros?: number[];
  /** Not hashed: the sink believes it anyway. */
  unhashed?: boolean;
  /** The sink's window is not heeded. */
  disordered?: boolean;
}

export interface KeptSummary extends Omit<Kept, 'files' | 'remove'> {
  files: Omit<KeptFile, 'blob'>[];
}

interface Opened {
  sink: Sink;
  offer: Offer;
  space: ByteSpace;
  warnings: string[];
  down: Bitfield;
}

const sinks = new Map<string, Opened>();
let source: FileListSource | undefined;
let saving: AbortController | undefined;

function entriesOf({ files, mtime = 1_700_000_000_000_000 }: Offer): Entry[] {
  return files.map(([name, size]) => {
    const kind = name.endsWith('/') ? 'folder' : name.endsWith('@') ? 'link' : 'file';
    const path = kind === 'folder' ? name.slice(0, -1) : name;
    return { path, kind, size, mode: 0o644, mtime, target: kind === 'link' ? 'x' : '', version: '' };
  });
}

function spaceOf(offer: Offer): ByteSpace {
  const sizes = offer.files.map(([, size]) => size);
  const total = sizes.reduce((a, b) => a + b, 0);
  const space = new ByteSpace(
    offer.stream ? [0] : sizes,
    offer.chunkSize ?? chooseChunkSize(total),
    offer.stream,
  );
  return space;
}

async function open(name: string, offer: Offer, sink: Sink, warnings: string[]): Promise<number[]> {
  const space = spaceOf(offer);
  const entries = entriesOf(offer.stream ? { ...offer, files: [[offer.files[0]![0], 0]] } : offer);
  sinks.set(name, { sink, offer, space, warnings, down: new Bitfield() });
  await sink.open(entries, space, 'sha256', encodePages(entries));
  return heldBy(sink);
}

function heldBy(sink: Sink): number[] {
  return [...(sink.held?.() ?? [])].map(({ index }) => index).sort((a, b) => a - b);
}

function shuffled(count: number, seed: number | undefined): number[] {
  const list = Array.from({ length: count }, (_, i) => i);
  if (seed === undefined) return list;
  let state = seed >>> 0;
  for (let i = count - 1; i > 0; i--) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const j = state % (i + 1);
    [list[i], list[j]] = [list[j]!, list[i]!];
  }
  return list;
}

async function summaries(): Promise<Kept[]> {
  return keptTransfers();
}

async function one(id: string): Promise<Kept> {
  const found = (await summaries()).find((kept) => kept.id.startsWith(id));
  if (!found) throw new Error(`nothing is kept as ${id}`);
  return found;
}

async function opfs(path: string): Promise<FileSystemDirectoryHandle> {
  let folder = await navigator.storage.getDirectory();
  for (const part of path.split('/')) folder = await folder.getDirectoryHandle(part, { create: true });
  return folder;
}

/** The first byte that is not what `fill` says, or -1. */
async function wrongByte(blob: Blob, entry: number, piece = 4 * 2 ** 20): Promise<number> {
  const expected = new Uint8Array(piece);
  for (let at = 0; at < blob.size; at += piece) {
    const found = new Uint8Array(await blob.slice(at, at + piece).arrayBuffer());
    fill(entry, at, expected.subarray(0, found.length));
    for (let i = 0; i < found.length; i++) if (found[i] !== expected[i]) return at + i;
  }
  return -1;
}

const scenarios = {
  abilities,

  openKept(name: string, offer: Offer): Promise<number[]> {
    const warnings: string[] = [];
    const sink = new KeptSink({ onWarning: ({ message }) => warnings.push(message) });
    return open(name, offer, sink, warnings);
  },

  openStream(name: string, offer: Offer, sha256 = false): Promise<number[]> {
    const warnings: string[] = [];
    return open(
      name,
      offer,
      new StreamSink({ sha256, onWarning: ({ paths: [path = ''] }) => warnings.push(path) }),
      warnings,
    );
  },

  async warnings(name: string): Promise<string[]> {
    return sinks.get(name)!.warnings;
  },

  /** Writes what the sink does not hold yet, as the engine does. Returns bytes and seconds. */
  async write(name: string, writing: Writing = {}): Promise<{ bytes: number; seconds: number }> {
    const { sink, space, offer, down } = sinks.get(name)!;
    const { seed, atOnce = 4, zeros = [], unhashed = false, disordered = false, from = 0 } = writing;
    if (space.stream) space.end(offer.files[0]![1]);
    const held = new Set(heldBy(sink));
    for (const chunk of held) down.add(chunk);
    const all = shuffled(space.chunks, seed).filter((chunk) => !held.has(chunk));
    const todo = all.slice(from, from + (writing.count ?? all.length))[Symbol.iterator]();
    // Not by timers: those of a page in the background come once a second only.
    const waiting: (() => void)[] = [];
    const started = performance.now();
    let bytes = 0;
    const lane = async () => {
      const data = new Uint8Array(space.chunkSize);
      for (let next = todo.next(); !next.done; next = todo.next()) {
        while (!disordered && next.value > down.firstMissing + sink.window)
          await new Promise<void>((resolve) => waiting.push(resolve));
        const extents = space.extents(next.value);
        let length = 0;
        for (const extent of extents) {
          const part = data.subarray(extent.at, extent.at + extent.length);
          if (zeros.includes(extent.entry)) part.fill(0);
          else fill(extent.entry, extent.offset, part);
          length += extent.length;
        }
        const part = data.subarray(0, length);
        const hash = unhashed
          ? new Uint8Array(32)
          : new Uint8Array(await crypto.subtle.digest('SHA-256', part));
        const empty = extents.every(({ entry }) => zeros.includes(entry));
        await sink.write(next.value, extents, empty ? undefined : part, hash);
        down.add(next.value);
        for (const wake of waiting.splice(0)) wake();
        // The engine's buffers are used again at once.
        data.fill(0xee);
        bytes += length;
      }
    };
    await Promise.all(Array.from({ length: atOnce }, lane));
    return { bytes, seconds: (performance.now() - started) / 1000 };
  },

  /** Chunks `all` of them as zeros that are not written at all. */
  async writeHoles(name: string): Promise<void> {
    const { sink, space } = sinks.get(name)!;
    for (let chunk = 0; chunk < space.chunks; chunk++)
      await sink.write(chunk, space.extents(chunk), undefined, new Uint8Array(32));
  },

  async end(name: string, how: 'finish' | 'reopen' | End): Promise<number[]> {
    const { sink } = sinks.get(name)!;
    await (how === 'finish' || how === 'reopen' ? sink[how]!() : sink.close(how));
    return heldBy(sink);
  },

  /** Chunks that do not read again as they were written. */
  async readAgain(name: string): Promise<number[]> {
    const { sink, space, down } = sinks.get(name)!;
    const wrong: number[] = [];
    for (const chunk of down) {
      const into = new Uint8Array(space.chunkSize);
      const extents = space.extents(chunk);
      const length = await sink.read!(chunk, extents, into);
      const expected = new Uint8Array(length);
      for (const { entry, offset, at, length } of extents)
        fill(entry, offset, expected.subarray(at, at + length));
      if (length !== space.length(chunk) || expected.some((byte, i) => byte !== into[i])) wrong.push(chunk);
    }
    return wrong;
  },

  async drop(name: string, entry: number): Promise<void> {
    await sinks.get(name)!.sink.drop(entry);
  },

  async ready(name: string): Promise<boolean> {
    return sinks.get(name)!.sink.ready!();
  },

  async digests(name: string): Promise<[number, string][]> {
    return [...(await sinks.get(name)!.sink.digests())];
  },

  async kept(): Promise<KeptSummary[]> {
    return (await summaries()).map(({ files, remove: _, ...rest }) => ({
      ...rest,
      files: files.map(({ blob: __, ...file }) => file),
    }));
  },

  /** The paths of files that are not what was sent, by what `offer` says of their entries. */
  async wrong(offer: Offer): Promise<string[]> {
    const [kept] = await summaries();
    const fitted = await fittedPaths(entriesOf(offer));
    const wrong: string[] = [];
    for (const file of kept!.files) {
      const entry = fitted.indexOf(file.path);
      const at = await wrongByte(await file.blob(), entry);
      if (at >= 0) wrong.push(`${file.path} at ${at}`);
    }
    return wrong;
  },

  async remove(id: string): Promise<void> {
    await (await one(id)).remove();
  },

  async save(id: string, into: string, stopAt?: number): Promise<number[]> {
    saving = new AbortController();
    const told: number[] = [];
    const progress = (bytes: number) => {
      told.push(bytes);
      if (stopAt !== undefined && bytes >= stopAt) saving!.abort();
    };
    await saveToFolder(await one(id), await opfs(into), progress, saving.signal);
    return told;
  },

  async download(id: string): Promise<void> {
    await saveAsDownloads(await one(id));
  },

  /** Paths in a folder with sizes and, of files that `offer` has, whether they are right. */
  async tree(into: string, offer?: Offer): Promise<[string, number, boolean][]> {
    const found: [string, number, boolean][] = [];
    const walk = async (folder: FileSystemDirectoryHandle, prefix: string): Promise<void> => {
      const handles = folder as unknown as AsyncIterable<[string, FileSystemHandle]>;
      for await (const [name, handle] of handles) {
        const path = prefix + name;
        if (handle.kind === 'directory') {
          found.push([`${path}/`, 0, true]);
          await walk(handle as FileSystemDirectoryHandle, `${path}/`);
          continue;
        }
        const file = await (handle as FileSystemFileHandle).getFile();
        const entry = offer?.files.findIndex(([name]) => name === path.replace(/ \(\d+\)/, '')) ?? -1;
        found.push([path, file.size, entry < 0 || (await wrongByte(file, entry)) < 0]);
      }
    };
    await walk(await opfs(into), '');
    return found.sort(([a], [b]) => (a < b ? -1 : 1));
  },

  /** Makes a file in a folder, for what is to be saved beside it. */
  async put(into: string, name: string, text: string): Promise<void> {
    const file = await (await opfs(into)).getFileHandle(name, { create: true });
    const target = await file.createWritable();
    await target.write(text);
    await target.close();
  },

  /** Changes the journal of the one transfer that is kept. */
  async damage(how: 'cut' | 'flip' | 'noise', at: number): Promise<void> {
    const top = await keptFolder();
    const keys = (top as unknown as { keys(): AsyncIterable<string> }).keys();
    for await (const key of keys) {
      const file = await (await top.getDirectoryHandle(key)).getFileHandle('journal');
      const old = new Uint8Array(await (await file.getFile()).arrayBuffer());
      const place = at < 0 ? old.length + at : at;
      if (how === 'flip') old[place]! ^= 0x40;
      const target = await file.createWritable();
      await target.write(how === 'cut' ? old.slice(0, place) : old);
      if (how === 'noise') await target.write(crypto.getRandomValues(new Uint8Array(at)));
      await target.close();
    }
  },

  /** Bytes of the journal and of the data. */
  async sizes(): Promise<[number, number][]> {
    const top = await keptFolder();
    const found: [number, number][] = [];
    const keys = (top as unknown as { keys(): AsyncIterable<string> }).keys();
    for await (const key of keys) {
      const folder = await top.getDirectoryHandle(key);
      const size = async (name: string) => (await (await folder.getFileHandle(name)).getFile()).size;
      found.push([await size('journal'), await size('data')]);
    }
    return found;
  },

  estimate: () => navigator.storage.estimate().then(({ quota, usage }) => ({ quota, usage })),

  /** Items of the page's `<input>`s and drops, as a source. */
  async choose(selector: string): Promise<Entry[]> {
    const input = document.querySelector<HTMLInputElement>(selector)!;
    source = new FileListSource(itemsOfInput(input.files!), { sha256: true });
    return [...source.entries];
  },

  async makeInput(id: string, folder: boolean): Promise<void> {
    const input = document.createElement('input');
    Object.assign(input, { type: 'file', id, multiple: true, webkitdirectory: folder });
    document.body.append(input);
  },

  /** From now on, what is dropped on the page is the source; the entries are in `dropped`. */
  async awaitDrop(): Promise<void> {
    document.addEventListener('dragover', (event) => event.preventDefault());
    document.addEventListener('drop', (event) => {
      event.preventDefault();
      Object.assign(globalThis, { wasDropped: true });
      dropped = itemsOfDrop(event.dataTransfer!.items).then((items) => {
        source = new FileListSource(items, { sha256: true });
        return [...source.entries];
      });
    });
  },

  async dropped(): Promise<Entry[] | undefined> {
    return dropped;
  },

  /** Reads the whole source chunk by chunk. Returns its SHA-256 by entry, what changed, and MB/s. */
  async readAll(): Promise<{
    digests: [number, string][];
    changed: string[];
    failures: string[];
    rate: number;
  }> {
    const { entries } = source!;
    const sizes = entries.map(({ size }) => size);
    const space = new ByteSpace(sizes, chooseChunkSize(source!.length));
    const into = new Uint8Array(space.chunkSize);
    const failures: string[] = [];
    const started = performance.now();
    for (let chunk = 0; chunk < space.chunks; chunk++) {
      const extents = space.extents(chunk);
      await source!.read(chunk, extents, into).catch((thrown: unknown) => {
        if (!(thrown instanceof BeelineError)) throw thrown;
        failures.push(`${thrown.code} ${thrown.paths.join(', ')}`);
      });
    }
    const rate = source!.length / 1e3 / (performance.now() - started);
    const changed = await source!.changed();
    const digests = failures.length > 0 ? [] : [...(await source!.digests())];
    return { digests, changed, failures, rate };
  },

  async sha256Of(entry: number, size: number): Promise<string> {
    const bytes = new Uint8Array(size);
    fill(entry, 0, bytes);
    return toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)));
  },
};

let dropped: Promise<Entry[]> | undefined;

export type Scenario = typeof scenarios;

Object.assign(globalThis, {
  async scenario(name: keyof Scenario, args: unknown[]) {
    try {
      return { value: await (scenarios[name] as (...all: unknown[]) => unknown)(...args) };
    } catch (thrown) {
      const { code = 'NONE', paths = [], message, cause } = thrown as BeelineError;
      return { error: { code, paths, message, cause: String(cause) } };
    }
  },
});
