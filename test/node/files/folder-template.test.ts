/** The folder that a template makes of an offer: what it says, whatever a sender says, and where what was interrupted goes on. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, win32 } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { MAX_COMPONENT } from '../../../src/base/limits.ts';
import { FolderTemplate } from '../../../src/node/files/folder-template.ts';
import { StagingSink } from '../../../src/node/files/staging-sink.ts';
import { placedWithin } from '../../../src/node/sinks.ts';
import { nameProblem } from '../../../src/offer/names.ts';
import { failure, file, folder, opened, scratch } from './helpers.ts';

/** In local time, as the folder is named. */
const NOW = new Date(2026, 10, 30, 7, 5, 9);
const from = (sender: string | undefined, ...names: string[]) => ({
  ...({ names, kind: 'files', files: 1, folders: 1, links: 0, bytes: 10 } as const),
  peer: sender === undefined ? {} : { name: sender },
});
const made = (template: string, sender?: string, ...names: string[]) =>
  new FolderTemplate(template).folder(from(sender, ...names), NOW);

describe('files: a template for the folder', () => {
  it('fills in date, time, sender and name, and takes the rest as it is', () => {
    assert.equal(made('{date}/{sender}', 'laptop'), '2026-11-30/laptop');
    assert.equal(made('from {sender}, {date} {time}', 'laptop'), 'from laptop, 2026-11-30 07-05-09');
    assert.equal(made('./a//{name}/b', 'x', 'holiday/', 'notes.txt'), 'a/holiday/b');
    assert.equal(made('{sender}/{name}'), 'unknown/unknown', 'nobody is known, and nothing has a name');
    assert.equal(made('{{date}}/{{{sender}}}', 'ann'), '{date}/{ann}');
    assert.equal(made('plain'), 'plain');
  });

  it('refuses what it does not know, and says what there is', () => {
    for (const [template, said] of [
      ['{dat}', 'there is no {dat}, but {date}, {time}, {sender}, {name}'],
      ['{}', 'there is no {}'],
      ['{code}', 'there is no {code}'],
      ['{constructor}', 'there is no {constructor}'],
      ['a{b', 'doubled: {{'],
      ['{date}}', 'doubled: }}'],
      ['../{date}', 'it leads upwards'],
      ['/etc/{date}', 'it is absolute'],
    ] as const)
      assert.throws(() => new FolderTemplate(template), failure('USAGE', said), template);
  });

  it('what a sender is called stays one part of the path, that can be seen, on every system', () => {
    for (const [hostile, folder] of [
      ['..', 'unknown'],
      ['.', 'unknown'],
      ['../../etc/passwd', '_.._etc_passwd'],
      ['/etc', '_etc'],
      ['C:\\Windows', 'C__Windows'],
      ['\\\\server\\share', '__server_share'],
      ['.ssh', 'ssh'],
      ['-rf', 'rf'],
      ['.beeline-0123', 'beeline-0123'],
      ['con', '_con'],
      ['Lpt1.txt', '_Lpt1.txt'],
      ['PROGRA~1', 'PROGRA_1'],
      ['a\u202egpj.exe', 'agpj.exe'],
      ['a\u200bb\u0000c\ud800d\ufeff', 'abcd'],
      ['ann\n\x1b[2J', 'ann[2J'],
      ['ann. . .', 'ann'],
      ['  ', 'unknown'],
      ['a\u0308', 'ä'],
      ['{date}', '{date}'],
      ['x'.repeat(1000), 'x'.repeat(80)],
      ['😀'.repeat(100), '😀'.repeat(20)],
    ] as const) {
      assert.equal(made('{sender}', hostile), folder, JSON.stringify(hostile));
      assert.equal(made('{name}', undefined, hostile), folder, JSON.stringify(hostile));
    }
    // What was written around it may make another name of the two.
    assert.equal(made('co{sender}', 'n'), '_con');
    assert.equal(made('.beeline-{sender}', '0123'), '_.beeline-0123');
    assert.equal(made('.{sender}', '..'), '.unknown');
    assert.equal(made('{sender}.', 'ann'), 'ann');
  });

  it('any name at all is one part that every system takes', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 400 }),
        fc.string({ maxLength: 40 }),
        (one, other) => {
          const path = made('{sender}/{name}-{sender}{name}', one, other);
          const parts = path.split('/');
          assert.equal(parts.length, 2, path);
          for (const part of parts) {
            assert.equal(nameProblem(part, 'posix'), undefined);
            assert.equal(nameProblem(part, 'windows'), undefined, part);
            assert.ok(Buffer.byteLength(part) <= MAX_COMPONENT);
            assert.doesNotMatch(part, /^[. -]|[. ]$|\p{Cf}/u);
          }
          assert.ok(win32.resolve('C:\\in', path).startsWith('C:\\in\\'));
        },
      ),
      { seed: Number(process.env.SEED ?? 1) },
    );
  });

  /** An offer of `holiday/` that was interrupted there. */
  const begin = async (to: string) => {
    mkdirSync(to, { recursive: true });
    const sink = new StagingSink({ to, overwrite: 'skip' });
    const { write } = await opened(sink, [folder('holiday'), file('holiday/a', 10)]);
    await write(0, 7);
    await sink.close('keep');
  };
  const holiday = from('ann', 'holiday/');

  it('what was interrupted goes on in the folder where it began', async (t) => {
    const to = scratch(t);
    const template = new FolderTemplate('{sender}/{date} {time}');
    await begin(join(to, 'ann', '2026-11-29 23-59-59'));
    await begin(join(to, 'bob', '2026-11-29 23-59-59'));
    // Others that this template could have made, or not.
    for (const other of ['2026-11-29 23-59-58', '2026-11-30 00-00-00', '2026-11-30', 'notes'])
      mkdirSync(join(to, 'ann', other));
    assert.equal(await template.folderIn(to, holiday, NOW), 'ann/2026-11-29 23-59-59');
    assert.equal(
      await template.folderIn(to, from('ann', 'holiday/', 'b'), NOW),
      'ann/2026-11-30 07-05-09',
      'another offer',
    );
    assert.equal(await template.folderIn(to, from('eve', 'holiday/'), NOW), 'eve/2026-11-30 07-05-09');
    assert.equal(
      await template.folderIn(to, { ...holiday, kind: 'stream' }, NOW),
      'ann/2026-11-30 07-05-09',
      'a stream cannot go on',
    );
    await begin(join(to, 'ann', '2026-11-30 07-05-09'));
    assert.equal(await template.folderIn(to, holiday, NOW), 'ann/2026-11-30 07-05-09', 'this one first');
  });

  it('another offer of the same names does not go into the folder of the first', async (t) => {
    const to = scratch(t);
    await begin(join(to, '2026-11-29'));
    const template = new FolderTemplate('{date}');
    assert.equal(await template.folderIn(to, holiday, NOW), '2026-11-29', 'no sender is asked for');
    for (const other of [{ bytes: 11 }, { bytes: null }, { files: 2 }, { folders: 2 }, { links: 1 }])
      assert.equal(await template.folderIn(to, { ...holiday, ...other }, NOW), '2026-11-30');
  });

  /** All that can be typed, but what divides paths or is a brace. */
  const SIGNS = Array.from({ length: 95 }, (_, sign) => String.fromCharCode(32 + sign));
  const typed = fc.string({ unit: fc.constantFrom(...SIGNS), maxLength: 20 });

  it('finds what it made, whatever signs are in names and in the template itself', async (t) => {
    const all = SIGNS.join('');
    const one = async (text: string, sender: string, name: string) => {
      const to = scratch(t);
      const mine = text.replaceAll(/[/{}\\]/g, '');
      const template = new FolderTemplate(`a${mine}{date}${mine}z/{sender}-{name}/{time} {sender}`);
      const offer = from(sender, name);
      const before = template.folder(offer, new Date(2026, 10, 29, 1, 2, 3));
      mkdirSync(join(to, before), { recursive: true });
      assert.equal(await template.folderIn(to, offer, NOW), template.folder(offer, NOW), 'nothing began');
      assert.deepEqual(template.folders(to), [before]);
    };
    for (const sender of ['lap-top', all]) {
      const to = scratch(t);
      const template = new FolderTemplate('{date} {sender}');
      const before = template.folder(from(sender, 'holiday/'), new Date(2026, 10, 29));
      await begin(join(to, before));
      assert.equal(await template.folderIn(to, from(sender, 'holiday/'), NOW), before);
    }
    await one('-', 'lap-top', 'my-file.txt');
    await one(all, all, all);
    for (const sign of SIGNS) await one(sign, `a${sign}b`, `${sign}${sign}`);
    await fc.assert(fc.asyncProperty(typed, typed, typed, one), { numRuns: 50 });
  });

  it('lists the folders that it has made, links and other folders not', (t) => {
    const to = scratch(t);
    for (const folder of [
      'ann/2026-11-29',
      'ann/2026-11-30',
      'bob/2026-11-28',
      'bob/notes',
      'out/2026-11-27',
    ])
      mkdirSync(join(to, folder), { recursive: true });
    symlinkSync(join(to, 'ann'), join(to, 'eve'));
    const list = (template: string) => new FolderTemplate(template).folders(to);
    assert.deepEqual(list('{sender}/{date}'), [
      'out/2026-11-27',
      'bob/2026-11-28',
      'ann/2026-11-30',
      'ann/2026-11-29',
    ]);
    assert.deepEqual(list('{name}/notes'), ['bob/notes']);
    assert.deepEqual(list('{name}/notes/{time}'), []);
    assert.deepEqual(list('{sender}{sender}/{date}'), []);
    assert.deepEqual(new FolderTemplate('{date}').folders(join(to, 'missing')), []);
  });

  it('nobody’s name leads through a link below the destination, not even one that comes later', async (t) => {
    const to = scratch(t);
    const other = scratch(t);
    const refused = failure('UNSAFE_NAME', 'is a link here');
    symlinkSync(other, join(to, 'photos'));
    symlinkSync(join(to, 'gone'), join(to, 'dangling'));
    mkdirSync(join(to, 'ann'));
    symlinkSync(other, join(to, 'ann', '2026'));
    const place = (within: string, ...names: string[]) =>
      placedWithin(
        { ...from('ann', ...names), tops: 1, update: false, peer: { fingerprint: '' } },
        { to, within },
      );
    await assert.rejects(place('{name}', 'photos/'), refused);
    await assert.rejects(place('{name}/a', 'photos/'), refused);
    await assert.rejects(place('{name}', 'dangling'), refused);
    await assert.rejects(place('x{name}/../', 'photos'), failure('USAGE'));
    const [{ within }] = await place('{name}', 'ann/');
    assert.equal(within, 'ann');
    // It was no link when it was looked at.
    for (const within of ['photos', 'photos/a', 'ann/2026', 'ann/2026/b']) {
      const sink = new StagingSink({ to, within, overwrite: 'skip' });
      await assert.rejects(opened(sink, [file('f', 1)]), refused, within);
    }
    assert.deepEqual(readdirSync(other), []);
    // The destination itself may be one.
    symlinkSync(other, join(to, 'in'));
    const sink = new StagingSink({ to: join(to, 'in'), within: 'a/b', overwrite: 'skip' });
    await opened(sink, [file('f', 1)]);
    assert.equal(readdirSync(join(other, 'a', 'b')).length, 1);
    await sink.close('discard');
    assert.deepEqual(readdirSync(other), []);
  });

  it('a folder of another day that is a link, a file, or nobody’s to read is none', async (t) => {
    const to = scratch(t);
    await begin(join(to, 'elsewhere'));
    symlinkSync(join(to, 'elsewhere'), join(to, '2026-11-28'));
    writeFileSync(join(to, '2026-11-27'), '');
    const template = new FolderTemplate('{date}');
    assert.equal(await template.folderIn(to, holiday, NOW), '2026-11-30');
    assert.equal(await template.folderIn(join(to, 'missing'), holiday, NOW), '2026-11-30');
    assert.ok(!readdirSync(to).includes('2026-11-30'), 'nothing is made by looking');
  });

  it('does not look through more than a bounded number of days', async (t) => {
    const to = scratch(t);
    for (let day = 0; day < 1500; day++) {
      const at = new Date(2020, 0, 1 + day);
      const name = [at.getFullYear(), at.getMonth() + 1, at.getDate()];
      mkdirSync(join(to, name.map((number) => String(number).padStart(2, '0')).join('-')));
    }
    await begin(join(to, '2020-01-01'));
    assert.equal(await new FolderTemplate('{date}').folderIn(to, holiday, NOW), '2026-11-30');
    await begin(join(to, '2024-02-08'));
    assert.equal(await new FolderTemplate('{date}').folderIn(to, holiday, NOW), '2024-02-08');
  });
});
