import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { BeelineError } from '../../../src/base/errors.ts';
import { STREAM_WINDOW } from '../../../src/base/limits.ts';
import { toMicros } from '../../../src/node/files/io.ts';
import { FileSource } from '../../../src/node/files/source.ts';
import { StagingSink } from '../../../src/node/files/staging-sink.ts';
import { walk } from '../../../src/node/files/walk.ts';
import { ByteSpace } from '../../../src/offer/space.ts';
import { childModule } from '../../child.ts';
import {
  CHUNK,
  failure,
  file,
  folder,
  link,
  move,
  opened,
  scratch,
  spaceOf,
  staged,
  until,
} from './helpers.ts';

/** For sinks that keep no hashes. */
const NONE = new Uint8Array(32);

const linux = { skip: process.platform !== 'linux' && 'looks at Linux' };

/** Everything below a folder that a transfer keeps, in one comparable text. */
function inventory(dir: string): string[] {
  return readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => {
      const path = join(dir, name);
      const stat = lstatSync(path, { bigint: true });
      const mode = (stat.mode & 0o7777n).toString(8);
      let what = 'folder';
      if (stat.isSymbolicLink()) what = `-> ${readlinkSync(path)}`;
      if (stat.isFile()) what = createHash('sha256').update(readFileSync(path)).digest('hex');
      return `${name} ${mode} ${toMicros(stat)} ${what}`;
    });
}

function tree(dir: string): string {
  const top = join(dir, 'top');
  mkdirSync(join(top, 'sub/empty'), { recursive: true });
  writeFileSync(join(top, 'none'), '', { mode: 0o600 });
  writeFileSync(join(top, 'large'), Buffer.alloc(3 * CHUNK + 5, 'abc'), { mode: 0o644 });
  writeFileSync(join(top, 'medium'), Buffer.alloc(200_000, 'xyz'), { mode: 0o444 });
  writeFileSync(join(top, 'zeros'), Buffer.alloc(2 * CHUNK));
  for (let i = 0; i < 300; i++) writeFileSync(join(top, 'sub', `f${i}`), `content ${i}`, { mode: 0o755 });
  symlinkSync('sub/f1', join(top, 'link'));
  symlinkSync('../large', join(top, 'sub/up'));
  for (const [i, name] of ['link', 'sub/up'].entries()) lutimesSync(join(top, name), 1000 + i, 1000 + i);
  for (const [i, name] of ['none', 'large', 'sub/f1', 'sub/empty', 'sub', ''].entries())
    utimesSync(join(top, name), 1, 1_234_567_890.123457 + i);
  utimesSync(join(top, 'sub/f2'), 1, new Date(-86_400_000));
  return top;
}

test('a tree arrives with bytes, modes, times and links, whatever the order of chunks', linux, async (t) => {
  const dir = scratch(t);
  const walked = await walk([tree(dir)], { onUnreadable: 'fail' });
  const orders = [
    (all: number[]) => all,
    (all: number[]) => all.reverse(),
    (all: number[]) => [...all, ...all],
  ];
  for (const [i, order] of orders.entries()) {
    const to = join(dir, `to${i}`);
    const source = new FileSource(walked);
    const sink = new StagingSink({ to: join(to, 'deep'), overwrite: 'ask' });
    const digests = await move(source, sink, order);
    assert.deepEqual(
      inventory(join(to, 'deep')),
      inventory(dir).filter((line) => line.startsWith('top')),
    );
    assert.deepEqual(digests, await source.digests());
    assert.ok(statSync(join(to, 'deep/top/zeros')).blocks < 64, 'zeros stay a hole');
    await source.close();
  }
});

test('chunks may be written at the same time', async (t) => {
  const to = scratch(t);
  const sink = new StagingSink({ to, overwrite: 'ask' });
  // More large files than may be open, each in several chunks.
  const entries = Array.from({ length: 24 }, (_, i) => file(`f${i}`, 2 * CHUNK + i));
  const { space, write } = await opened(sink, entries);
  const chunks = Array.from({ length: space.chunks }, (_, i) => (i * 29) % space.chunks);
  await Promise.all(chunks.map((chunk) => write(chunk, (chunk % 250) + 1)));
  await sink.finish();
  for (const [i, entry] of entries.entries()) {
    const bytes = readFileSync(join(to, entry.path));
    assert.equal(bytes.length, entry.size);
    for (let c = space.chunksOf(i).first; c < space.chunksOf(i).end; c++)
      for (const { entry: e, offset, length } of space.extents(c))
        if (e === i)
          assert.ok(bytes.subarray(offset, offset + length).every((byte) => byte === (c % 250) + 1));
  }
});

test('a chunk that comes twice counts once', async (t) => {
  const to = scratch(t);
  const sink = new StagingSink({ to, overwrite: 'ask' });
  const { write } = await opened(sink, [file('f', 2 * CHUNK)]);
  await Promise.all([write(0, 1), write(0, 1)]);
  await write(0, 1);
  await write(1, 2);
  await write(1, 3);
  await sink.finish();
  const bytes = readFileSync(join(to, 'f'));
  assert.deepEqual([bytes[CHUNK - 1], bytes[2 * CHUNK - 1]], [1, 2]);
});

test('a chunk that comes twice does not make its file whole', async (t) => {
  const to = scratch(t);
  const sink = new StagingSink({ to, overwrite: 'ask' });
  const { write } = await opened(sink, [file('f', 2 * CHUNK)]);
  await Promise.all([write(0, 1), write(0, 1)]);
  await write(0, 1);
  await assert.rejects(sink.finish(), failure('INTERNAL', 'not complete'));
  await sink.close('keep');
  assert.deepEqual(readdirSync(to), staged(to), 'half of it is still missing');
});

test('modes are stripped of what is dangerous', linux, async (t) => {
  const to = scratch(t);
  const sink = new StagingSink({ to, overwrite: 'ask' });
  const { write } = await opened(sink, [
    file('f', 3, 0o777),
    folder('d', 0o777),
    file('d/zero', 0, 0o666),
    folder('e', 0o500),
  ]);
  await write(0, 1);
  await sink.finish();
  const modes = ['f', 'd', 'd/zero', 'e'].map((name) => (statSync(join(to, name)).mode & 0o7777).toString(8));
  assert.deepEqual(modes, ['775', '775', '664', '500']);
});

test('nothing stands under a final name before it is whole, nor is left in the staging after', async (t) => {
  const to = scratch(t);
  const sink = new StagingSink({ to, overwrite: 'ask' });
  const { write } = await opened(sink, [file('large', CHUNK + 1), file('small', 10)]);
  await write(0, 1);
  const staging = join(to, staged(to)[0]!);
  assert.equal(statSync(staging).mode & 0o777, 0o700);
  const journal = statSync(join(staging, 'journal')).size;
  await until('the chunk is journaled', () => statSync(join(staging, 'journal')).size > journal);
  assert.deepEqual(readdirSync(to), staged(to));
  await write(1, 2);
  await until('both are in place', () => readdirSync(to).length === 3);
  assert.deepEqual(readdirSync(to).sort(), [...staged(to), 'large', 'small']);
  await sink.finish();
  assert.deepEqual(readdirSync(staging).sort(), ['journal', 'lock'], 'nothing else once all is in place');
  await sink.close('done');
  assert.deepEqual(readdirSync(to).sort(), ['large', 'small']);
});

describe('giving up', () => {
  test('leaves what is finished and nothing else', async (t) => {
    const to = scratch(t);
    const sink = new StagingSink({ to, overwrite: 'ask' });
    const { write } = await opened(sink, [file('done', 5), file('large', 3 * CHUNK)]);
    await write(0, 1);
    await until('the small one is in place', () => existsSync(join(to, 'done')));
    await write(1, 1);
    const last = write(2, 1).catch(() => {});
    await sink.close('discard');
    await sink.close('discard');
    await last;
    assert.deepEqual(readdirSync(to), ['done']);
    await assert.rejects(write(3, 1), failure('CANCELLED'));
  });
  test('removes a destination it made, with nothing in it', async (t) => {
    const dir = scratch(t);
    const sink = new StagingSink({ to: join(dir, 'a/b/c'), overwrite: 'ask' });
    await opened(sink, [file('f', 5)]);
    assert.ok(existsSync(join(dir, 'a/b/c')));
    await sink.close('discard');
    assert.deepEqual(readdirSync(dir), []);
  });
  test('before anything was opened', () =>
    new StagingSink({ to: '/nowhere', overwrite: 'ask' }).close('discard'));
});

test('an entry that the sender could not deliver is forgotten, the rest stays right', async (t) => {
  const to = scratch(t);
  const sink = new StagingSink({ to, overwrite: 'ask' });
  const { write } = await opened(sink, [file('whole', 2), file('lost', 3), file('big', 2 * CHUNK)]);
  await sink.drop(1);
  await write(1, 1);
  const last = write(2, 1);
  await sink.drop(2);
  await last;
  await write(0, 7);
  await sink.drop(0);
  await sink.finish();
  assert.deepEqual(readdirSync(join(to, staged(to)[0]!)).sort(), ['journal', 'lock']);
  assert.deepEqual([...(await sink.digests()).keys()], [0]);
  await sink.close('done');
  assert.deepEqual(readdirSync(to), ['whole']);
  assert.deepEqual(readFileSync(join(to, 'whole')), Buffer.from([7, 7]));
});

test('a stream, whose length is known only at its end', async (t) => {
  for (const lengths of [[CHUNK, CHUNK, 77], [CHUNK], []]) {
    const to = scratch(t);
    const sink = new StagingSink({ to, overwrite: 'ask' });
    const space = new ByteSpace([0], CHUNK, true);
    await sink.open([file('in')], space, 'sha256');
    assert.equal(sink.window, STREAM_WINDOW);
    const total = lengths.reduce((sum, length) => sum + length, 0);
    for (const [chunk, length] of lengths.entries()) {
      if (chunk === lengths.length - 1) space.end(total);
      // A last chunk of zeros: the file must reach its end all the same.
      await sink.write(
        chunk,
        space.extents(chunk),
        chunk === 2 ? undefined : new Uint8Array(length).fill(chunk + 1),
        NONE,
      );
    }
    if (total === 0) space.end(0);
    await sink.finish();
    const bytes = readFileSync(join(to, 'in'));
    assert.equal(bytes.length, total);
    for (let chunk = 0; chunk * CHUNK < total; chunk++)
      assert.equal(bytes[chunk * CHUNK], chunk === 2 ? 0 : chunk + 1);
  }
});

test('a sparse 100 GiB file needs no room', linux, async (t) => {
  const to = scratch(t);
  const warnings: string[] = [];
  const sink = new StagingSink({ to, overwrite: 'ask', onWarning: (warning) => warnings.push(warning.code) });
  const size = 100 * 2 ** 30;
  const space = new ByteSpace([size], 4 * CHUNK);
  await sink.open([file('huge', size)], space, 'sha256');
  const last = space.chunks - 1;
  for (let chunk = 0; chunk < last; chunk++) await sink.write(chunk, space.extents(chunk), undefined, NONE);
  await sink.write(last, space.extents(last), new Uint8Array(space.length(last)).fill(9), NONE);
  await sink.finish();
  const stat = statSync(join(to, 'huge'));
  assert.equal(stat.size, size);
  assert.ok(stat.blocks * 512 <= 8 * CHUNK);
  assert.ok(warnings.every((code) => code === 'DISK_FULL'));
});

describe('hostile destinations', () => {
  test('a link in place of a parent, before and meanwhile', async (t) => {
    const [to, outside] = [scratch(t), scratch(t)];
    symlinkSync(outside, join(to, 'd'));
    const entries = [folder('d'), file('d/f', 3)];
    const early = new StagingSink({ to, overwrite: 'replace' });
    await assert.rejects(opened(early, entries), failure('UNSAFE_NAME', "'d' is a link"));
    assert.deepEqual(readdirSync(to), ['d']);
    rmSync(join(to, 'd'));
    const late = new StagingSink({ to, overwrite: 'replace' });
    const { write } = await opened(late, entries);
    symlinkSync(outside, join(to, 'd'));
    await write(0, 1);
    await assert.rejects(
      late.finish(),
      failure('UNSAFE_NAME', "'d' cannot be written: a link stands in the way"),
    );
    await late.close('discard');
    assert.deepEqual(readdirSync(outside), []);
    assert.deepEqual(readdirSync(to), ['d']);
  });

  test('a link in place of a file is replaced, never written through', async (t) => {
    const [to, outside] = [scratch(t), scratch(t)];
    writeFileSync(join(outside, 'victim'), 'precious');
    symlinkSync(join(outside, 'victim'), join(to, 'f'));
    const sink = new StagingSink({ to, overwrite: 'replace' });
    const { write } = await opened(sink, [file('f', 3)]);
    await write(0, 65);
    await sink.finish();
    assert.equal(readFileSync(join(to, 'f'), 'utf8'), 'AAA');
    assert.equal(readFileSync(join(outside, 'victim'), 'utf8'), 'precious');
  });

  for (const [what, others] of [
    ['', 0],
    // So many are placed by another call, where the system has it.
    [', among very many', 2_000],
  ] as const)
    test(`something that appears meanwhile is left as it is${what}`, async (t) => {
      const more = Array.from({ length: others }, (_, i) => file(`other-${i}`, 0));
      for (const overwrite of ['ask', 'skip', 'update'] as const) {
        for (const name of ['f', 'l']) {
          const to = scratch(t);
          const sink = new StagingSink({ to, overwrite });
          const { write } = await opened(sink, [file('f', 3), link('l', 'f'), ...more]);
          writeFileSync(join(to, name), 'mine');
          await write(0, 65);
          await assert.rejects(sink.finish(), failure('EXISTS', `'${name}'`));
          await sink.close('discard');
          assert.equal(readFileSync(join(to, name), 'utf8'), 'mine');
          assert.deepEqual(staged(to), []);
        }
      }
      const to = scratch(t);
      const sink = new StagingSink({ to, overwrite: 'rename' });
      const { write } = await opened(sink, [file('f.txt', 3), ...more]);
      writeFileSync(join(to, 'f.txt'), 'mine');
      await write(0, 65);
      await sink.finish();
      assert.equal(readFileSync(join(to, 'f.txt'), 'utf8'), 'mine');
      assert.equal(readFileSync(join(to, 'f (1).txt'), 'utf8'), 'AAA');
      assert.equal((await sink.digests()).size, 1 + others);
    });

  test("a link that leaves through the destination's own link", async (t) => {
    const [to, outside] = [scratch(t), scratch(t)];
    symlinkSync(outside, join(to, 'own'));
    for (const target of ['own/secret', 'own', 'own/../secret']) {
      const warnings: string[] = [];
      const onWarning = ({ message }: BeelineError) => warnings.push(message);
      const sink = new StagingSink({ to, overwrite: 'ask', onWarning });
      await opened(sink, [link('l', target)]);
      assert.equal(sink.wants(0), false);
      assert.deepEqual(sink.leftOut(), ['l'], 'a result can name it');
      await sink.finish();
      await sink.close('done');
      assert.match(warnings.join(), /leaves the destination through a link here\. It is left out/);
    }
    assert.deepEqual(readdirSync(to), ['own']);
    const all = new StagingSink({ to, overwrite: 'ask', links: 'all' });
    await opened(all, [link('l', 'own/secret')]);
    await all.finish();
    await all.close('done');
    assert.equal(readlinkSync(join(to, 'l')), 'own/secret');
  });

  test('unsafe manifests leave no trace, and make no destination', async (t) => {
    const dir = scratch(t);
    for (const entries of [[file('../x')], [file('a'), file('a')], [file('.beeline-x')]]) {
      const sink = new StagingSink({ to: join(dir, 'to'), overwrite: 'replace' });
      await assert.rejects(opened(sink, entries), failure('UNSAFE_NAME'));
    }
    assert.deepEqual(readdirSync(dir), []);
  });

  test('whatever the manifest, nothing outside the destination changes', async (t) => {
    const dir = scratch(t);
    const part = fc.constantFrom('..', '.', 'a', 'b', 'd', 'o', '');
    const path = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
    const target = fc.oneof(fc.constantFrom('a', 'd', '.', 'd/..', 'b/a'), path);
    const slot = (name: string) =>
      fc.oneof(
        fc.constant([folder(name)]),
        fc.constant([file(name, 3)]),
        target.map((to) => [link(name, to)]),
        fc.constant([]),
      );
    // Mostly coherent, so that much is really written; sometimes with a path that is not.
    const manifest = fc
      .tuple(slot('a'), slot('b'), fc.constant([folder('d')]), slot('d/a'), slot('d/b'), slot('o'))
      .map((slots) => slots.flat());
    const hostile = fc.option(path, { freq: 4 }).map((p) => (p === null ? [] : [file(p, 3)]));
    let written = 0;
    await fc.assert(
      fc.asyncProperty(manifest, hostile, async (coherent, odd) => {
        const entries = [...coherent, ...odd];
        const root = join(dir, 'root');
        rmSync(root, { recursive: true, force: true });
        mkdirSync(join(root, 'to'), { recursive: true });
        mkdirSync(join(root, 'outside'));
        // The destination's own way out.
        symlinkSync('../outside', join(root, 'to/o'));
        const sink = new StagingSink({ to: join(root, 'to'), overwrite: 'replace' });
        try {
          const { space, write } = await opened(sink, entries);
          for (let chunk = 0; chunk < space.chunks; chunk++) await write(chunk, 1);
          await sink.finish();
          await sink.close('done');
          written++;
        } catch (error) {
          assert.ok(['UNSAFE_NAME', 'EXISTS'].includes((error as BeelineError).code), String(error));
          await sink.close('discard');
        }
        assert.deepEqual(readdirSync(join(root, 'outside')), []);
        assert.deepEqual(readdirSync(root).sort(), ['outside', 'to']);
        assert.deepEqual(staged(join(root, 'to')), []);
      }),
      { numRuns: 300 },
    );

    assert.ok(written > 10, `only ${written} were written at all`);
  });
});

describe('disks that refuse', () => {
  test('a destination that is a file, or below one', async (t) => {
    const dir = scratch(t);
    writeFileSync(join(dir, 'f'), 'x');
    for (const to of ['f', 'f/below']) {
      const sink = new StagingSink({ to: join(dir, to), overwrite: 'replace' });
      await assert.rejects(opened(sink, [file('a')]), failure('EXISTS'));
    }
  });

  test('a chunk shorter than its files', async (t) => {
    const sink = new StagingSink({ to: scratch(t), overwrite: 'ask' });
    const entries = [file('a', 5)];
    await opened(sink, entries);
    await assert.rejects(
      sink.write(0, spaceOf(entries).extents(0), new Uint8Array(4), NONE),
      failure('PROTOCOL'),
    );
    await assert.rejects(sink.finish(), failure('INTERNAL', 'not complete'));
  });

  /** Runs a script as root of a namespace of its own, where it may mount. */
  function inNamespace(setup: string, script: string): string {
    const helpers = childModule('test/node/files/helpers.ts');
    const { url, node } = childModule('src/node/files/staging-sink.ts');
    const code = `Promise.all([import(${JSON.stringify(helpers.url)}), import(${JSON.stringify(url)})]).then(async ([h, { StagingSink }]) => { ${script} })`;
    const shell = `${setup} && exec "$0" ${node.join(' ')} -e '${code}'`;
    return execFileSync('unshare', ['-rm', 'sh', '-c', shell, process.execPath], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
      .toString()
      .trim();
  }
  const namespaces = (() => {
    try {
      execFileSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'none', '/mnt'], { stdio: 'ignore' });
      return {};
    } catch {
      return { skip: 'no mount namespaces here' };
    }
  })();

  test('a full disk', namespaces, (t) => {
    const dir = scratch(t);
    const out = inNamespace(
      `mount -t tmpfs -o size=1m none ${dir}`,
      `for (const size of [100000, 3000000]) {
         const warnings = [];
         const sink = new StagingSink({ to: "${dir}", overwrite: "ask", onWarning: (w) => warnings.push(w.message) });
         const entries = Array.from({ length: 15 }, (_, i) => h.file("f" + i, size));
         const { space, write } = await h.opened(sink, entries);
         let code;
         for (let c = 0; c < space.chunks && !code; c++) await write(c, 1).catch((e) => { code = e.code + " " + e.paths[0].startsWith("f"); });
         if (!code) await sink.finish().catch((e) => { code = e.code + " " + e.paths[0].startsWith("f"); });
         await sink.close("discard");
         console.log(code, warnings.length, h.staged("${dir}").length);
         const fs = await import("node:fs"); for (const f of fs.readdirSync("${dir}")) fs.rmSync("${dir}/" + f);
       }`,
    );
    assert.deepEqual(out.split('\n'), ['DISK_FULL true 1 0', 'DISK_FULL true 1 0']);
  });

  test('a read-only disk, and a folder that is another file system', namespaces, (t) => {
    const dir = scratch(t);
    const setup = `mount -t tmpfs none ${dir} && mkdir ${dir}/ro ${dir}/rw ${dir}/rw/d && mount -t tmpfs -o ro none ${dir}/ro && mount -t tmpfs none ${dir}/rw/d`;
    const out = inNamespace(
      setup,
      `for (const [to, entries] of [["ro", [h.file("f", 1)]], ["rw", [h.folder("d"), h.file("d/f", 1)]]]) {
         const sink = new StagingSink({ to: "${dir}/" + to, overwrite: "ask" });
         await h.opened(sink, entries).catch((e) => console.log(e.code, e.message.replaceAll("${dir}", "")));
       }`,
    );
    const [readOnly, other] = out.split('\n');
    assert.match(readOnly!, /^WRITE_FAILED .*read-only/);
    assert.match(other!, /^WRITE_FAILED 'd' is on another file system/);
  });
});

test('an old time and a mode that the file system keeps exactly', linux, async (t) => {
  const to = scratch(t);
  const times = [0, 1, 999_999, 1_700_000_000_000_001, 1_700_000_000_999_999, 2_000_000_000_123_457];
  const sink = new StagingSink({ to, overwrite: 'ask' });
  await opened(
    sink,
    times.map((mtime, i) => file(`f${i}`, 0, 0o640, mtime)),
  );
  await sink.finish();
  assert.deepEqual(
    times.map((_, i) => toMicros(statSync(join(to, `f${i}`), { bigint: true }))),
    times,
  );
  truncateSync(join(to, 'f0'));
});

test('a folder that somebody moves away when it is done stops nothing before the end, which finds it back', async (t) => {
  const to = scratch(t);
  for (const [round, replace] of [
    () => {},
    (path: string) => writeFileSync(path, ''),
    (path: string) => symlinkSync('nowhere', path),
  ].entries()) {
    const [done, rest] = [`done${round}`, `rest${round}`];
    const folders = [done, `${done}/in`, rest].map((path) => folder(path));
    const files = [`${done}/in/a`, `${rest}/b`, `${rest}/c`].map((path) => file(path, CHUNK));
    const sink = new StagingSink({ to, overwrite: 'ask', onWarning: () => {} });
    const { write } = await opened(sink, [...folders, ...files]);
    await write(0, 1);
    await until('a name', () => existsSync(join(to, done, 'in/a')));
    // Its names become durable with the next sync.
    renameSync(join(to, done), join(to, 'taken'));
    replace(join(to, done));
    await write(1, 2);
    await until('another', () => existsSync(join(to, rest, 'b')));
    await write(2, 3);
    await until('a third', () => existsSync(join(to, rest, 'c')));
    rmSync(join(to, done), { force: true });
    renameSync(join(to, 'taken'), join(to, done));
    await sink.finish();
    await sink.close('done');
    assert.deepEqual(readFileSync(join(to, done, 'in/a')), Buffer.alloc(CHUNK, 1));
  }
});
