import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { keptTransfers } from '../../src/browser/files/kept.ts';
import { KeptSink } from '../../src/browser/files/kept-sink.ts';
import { StreamSink } from '../../src/browser/files/stream-sink.ts';
import { MemorySink } from '../../src/node/files/memory-sink.ts';
import { StagingSink } from '../../src/node/files/staging-sink.ts';
import { StdoutSink } from '../../src/node/files/stdout-sink.ts';
import { TextSink } from '../../src/session/text-sink.ts';
import { CHUNK, folder, scratch } from '../node/files/helpers.ts';
import { Files, noise } from '../node/files/resuming.ts';
import { Disk, SimSink } from '../simulation/stores.ts';
import { World } from '../simulation/world.ts';
import { type SinkKind, sinkContract } from './contract.ts';
import { useMemoryStorage } from './opfs-double.ts';

/** Large and small, packed together and alone, zeros, none at all. */
function tree(folders = true): Files {
  const files = new Files();
  if (folders) files.other(folder('top', 0o755)).other(folder('top/sub', 0o750));
  const at = folders ? 'top/' : '';
  files.add(`${at}a`, noise(1000, 'a')).add(`${at}b`, noise(2000, 'b'), 0o444);
  files.add(`${at}big`, noise(3 * CHUNK + 77, 'big')).add(`${at}none`, Buffer.alloc(0));
  files.add(`${at}zeros`, Buffer.alloc(2 * CHUNK));
  return files.add(`${folders ? 'top/sub/' : ''}last`, noise(2 * CHUNK + 5, 'last'), 0o600);
}

/** As long, and different at its beginning. */
function another(bytes: Buffer): Buffer {
  return bytes.length > 0 ? Buffer.from(bytes).fill(7, 0, 5) : bytes;
}

const one = new Files().add('one', noise(9 * CHUNK + 17, 'one'));
const text = new Files().add('text', Buffer.from('ä short text, and nothing else.'));

const staging: SinkKind = {
  name: 'files in a folder',
  files: tree(),
  chunkSize: CHUNK,
  reads: true,
  resumes: true,
  spoils: true,
  place(t) {
    const to = join(scratch(t), 'to');
    const at = (entry: number) => join(to, this.files.all[entry]!.entry.path);
    return {
      sink: () => new StagingSink({ to, overwrite: 'ask' }),
      bytes: (entry) => (existsSync(at(entry)) ? readFileSync(at(entry)) : undefined),
      rest: () => (existsSync(to) ? readdirSync(to).filter((name) => name.startsWith('.beeline')) : []),
      spoil: (entry, how) => {
        if (how === 'remove') return rmSync(at(entry));
        // As an editor does; of the same length.
        writeFileSync(`${at(entry)}.new`, readFileSync(at(entry)).reverse());
        rmSync(at(entry));
        writeFileSync(at(entry), readFileSync(`${at(entry)}.new`));
        rmSync(`${at(entry)}.new`);
      },
    };
  },
};

sinkContract(staging);

sinkContract({
  ...staging,
  name: 'files that had been there under other contents, and are updated',
  place(t) {
    const place = staging.place(t);
    const to = join(scratch(t), 'to');
    mkdirSync(join(to, 'top/sub'), { recursive: true });
    for (const { entry, bytes } of staging.files.all)
      if (entry.kind === 'file') writeFileSync(join(to, entry.path), another(bytes));
    return {
      ...place,
      sink: () => new StagingSink({ to, overwrite: 'update' }),
      bytes: (entry) => {
        const { entry: file, bytes } = staging.files.all[entry]!;
        const found = readFileSync(join(to, file.path));
        // Dropped, it is as it was.
        return bytes.length > 0 && found.equals(another(bytes)) ? undefined : found;
      },
      rest: () => readdirSync(to).filter((name) => name.startsWith('.beeline')),
      spoil: (entry, how) => {
        const path = join(to, staging.files.all[entry]!.entry.path);
        if (how === 'remove') rmSync(path);
        else writeFileSync(path, 'other');
      },
    };
  },
});

sinkContract({
  name: 'standard output',
  files: one,
  chunkSize: CHUNK,
  reads: false,
  resumes: false,
  place() {
    const out: Buffer[] = [];
    const stream = () =>
      new Writable({
        write: (piece, _encoding, done) => {
          out.push(Buffer.from(piece));
          setImmediate(done);
        },
      });
    return {
      sink: () => new StdoutSink(stream(), { sha256: true }),
      bytes: () => Buffer.concat(out),
      rest: () => [],
    };
  },
});

sinkContract({
  name: 'a Map',
  files: tree(),
  chunkSize: CHUNK,
  reads: false,
  resumes: false,
  place() {
    const map = new Map<string, Uint8Array>();
    return {
      sink: () => new MemorySink(map, true),
      bytes: (entry) => {
        const bytes = map.get(this.files.all[entry]!.entry.path);
        return bytes && Buffer.from(bytes);
      },
      rest: () => [],
    };
  },
});

sinkContract({
  name: 'a text',
  files: text,
  chunkSize: CHUNK,
  reads: false,
  resumes: false,
  place() {
    let shown = '';
    return {
      sink: () =>
        new TextSink((text) => {
          shown = text;
        }),
      bytes: () => Buffer.from(shown),
      rest: () => [],
    };
  },
});

sinkContract({
  name: "a browser's storage",
  files: tree(),
  chunkSize: CHUNK,
  reads: true,
  resumes: true,
  place() {
    useMemoryStorage();
    return {
      sink: () => new KeptSink(),
      bytes: async (entry) => {
        const [kept] = await keptTransfers();
        const { path } = tree().all[entry]!.entry;
        const blob = await kept?.files.find((file) => file.path === path)?.blob();
        return blob && Buffer.from(await blob.arrayBuffer());
      },
      rest: async () => (await keptTransfers()).flatMap(({ complete, id }) => (complete ? [] : [id])),
    };
  },
});

sinkContract({
  name: 'a download that goes through a page',
  files: one,
  chunkSize: CHUNK,
  reads: false,
  resumes: false,
  place() {
    let body: Promise<Uint8Array> | undefined;
    return {
      sink: () =>
        new StreamSink({
          sha256: true,
          start: async (download) => {
            body = new Response(download.body).bytes();
            return { done: body.then(() => {}) };
          },
        }),
      bytes: () => body,
      rest: () => [],
    };
  },
});

sinkContract({
  name: "the simulator's disk",
  files: tree(false),
  chunkSize: CHUNK,
  reads: true,
  resumes: true,
  place() {
    const world = new World(1);
    const still = {
      write: [0, 0.1],
      slowOneIn: 0,
      slow: 0,
      failOneIn: 0,
      failures: 0,
      passing: false,
    } as const;
    const temper = { ...still, commit: 0.1, finish: 0, finishFailures: 0, skipped: new Set<number>() };
    const disk = new Disk(world, { ...temper, old: new Map() }, undefined, undefined);
    return {
      sink: () => new SimSink(disk, false, Number.POSITIVE_INFINITY),
      bytes: (entry) => disk.final(entry)?.bytes,
      rest: () => [...disk.folder.names.keys()].filter((name) => !name.startsWith('final')),
      drive: async (work) => {
        let over = false;
        const done = work.finally(() => {
          over = true;
        });
        done.catch(() => {});
        await world.run(() => over, 10_000, 100_000);
        return done;
      },
    };
  },
});
