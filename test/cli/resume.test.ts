/** `beeline resume` as a command: what it lists, what it asks, what it removes and what it leaves, with which exit code. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { dispatch } from '../../src/cli/dispatch.ts';
import { shownUrl } from '../../src/http/fetching/url.ts';
import { takeLock } from '../../src/identity/lock.ts';
import { Staging } from '../../src/node/files/staging.ts';
import { StagingSink } from '../../src/node/files/staging-sink.ts';
import type { Entry } from '../../src/offer/manifest.ts';
import { CHUNK, file, folder, opened } from '../node/files/helpers.ts';
import { type FakeHost, fakeHost, Keyboard, Sink } from './fakes.ts';

/** With a bidi character. */
const HOSTILE = 'a\u202eb';

function root(t: TestContext): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'beeline-cli-')));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

/** A receive that was stopped after its first chunk; the staging folder. */
async function stopped(to: string, entries: readonly Entry[], from: readonly string[] = []): Promise<string> {
  const before = new Set(readdirSync(to));
  const sink = new StagingSink({ to, overwrite: 'skip', from });
  await (await opened(sink, entries)).write(0, 7);
  await sink.close('keep');
  return join(to, readdirSync(to).find((name) => name.startsWith('.beeline-') && !before.has(name))!);
}

const half = (name: string) => [folder(name), file(`${name}/big`, 2 * CHUNK)];

/** Somebody who answers questions one after the other. */
function person(...answers: string[]): FakeHost {
  const keyboard = new Keyboard();
  const stderr = new Sink(true);
  const write = stderr._write.bind(stderr);
  let seen = 0;
  stderr._write = (chunk, encoding, done) => {
    write(chunk, encoding, done);
    if (!/\[y\/N\] /.test(stderr.text.slice(seen)) || answers.length === 0) return;
    seen = stderr.text.length;
    const answer = answers.shift()!;
    setImmediate(() => keyboard.write(answer));
  };
  return fakeHost({ stdin: keyboard, stderr });
}

const lines = (host: FakeHost) =>
  host.stdout.text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

describe('cli: resume', { timeout: 300_000 }, () => {
  it('takes the folder with placeholders that a receive was given', async (t) => {
    const dir = root(t);
    for (const day of ['2026-11-29', '2026-11-30', 'notes']) {
      mkdirSync(join(dir, day));
      await stopped(join(dir, day), half(day));
    }
    const host = fakeHost();
    const to = join(dir, '{date}');
    assert.equal(await dispatch(['resume', to], host), 0);
    assert.match(host.stdout.text, / in 2026-11-29.\.beeline-/);
    assert.match(host.stdout.text, / in 2026-11-30.\.beeline-/);
    assert.doesNotMatch(host.stdout.text, /notes/);
    assert.ok(host.stdout.text.includes(`--to '${to}'`), host.stdout.text);
    assert.equal(await dispatch(['resume', 'clean', to, '--yes'], fakeHost()), 0);
    for (const [day, left] of [
      ['2026-11-29', 0],
      ['2026-11-30', 0],
      ['notes', 1],
    ] as const)
      assert.equal(readdirSync(join(dir, day)).length, left);
    const none = fakeHost();
    assert.equal(await dispatch(['resume', to], none), 0);
    assert.equal(none.stdout.text, `Nothing unfinished in ${to}.\n`);
    const wrong = fakeHost();
    assert.equal(await dispatch(['resume', join(dir, '{dat}')], wrong), 2);
  });

  it('says that nothing is unfinished, with 0', async (t) => {
    const dir = root(t);
    const host = fakeHost();
    assert.equal(await dispatch(['resume', dir], host), 0);
    assert.equal(host.stdout.text, `Nothing unfinished in ${dir}.\n`);
    assert.equal(host.stderr.text, '');
    const json = fakeHost();
    assert.equal(await dispatch(['resume', dir, '--json'], json), 0);
    assert.equal(json.stdout.text, '');
    assert.equal(await dispatch(['resume', 'clean', dir], fakeHost()), 0);
  });

  it('tells what, how much of it, how old, and how to go on', async (t) => {
    const dir = root(t);
    const path = await stopped(dir, half(HOSTILE));
    const host = fakeHost();
    assert.equal(await dispatch(['resume', dir], host), 0);
    const { text } = host.stdout;
    const order = [
      /^a\\u\{202e\}b\/: 1 file, 1 folder, 2\.10 MB$/m,
      /^ {4}1\.05 MB of it is here, 50%\.$/m,
      new RegExp(
        `^ {4}Begun (?:[\\d.]+s|\\d+m \\d+s) ago, last changed (?:[\\d.]+s|\\d+m \\d+s) ago, in ${basename(path)}\\.$`,
        'm',
      ),
      /^To go on, receive again into this folder: with the same code while the sender waits, or with a new one:$/m,
      new RegExp(`^ {4}beeline receive CODE --to ${dir}$`, 'm'),
      new RegExp(`^\`beeline resume clean ${dir}\` removes what is unfinished\\.$`, 'm'),
    ].map((pattern) => text.search(pattern));
    assert.ok(!order.includes(-1), `${order}\n${text}`);
    assert.deepEqual(
      order,
      order.toSorted((a, b) => a - b),
    );
    assert.doesNotMatch(text, /\u202e/);
  });

  it('names the URLs that something comes from, as a command only where they are whole', async (t) => {
    const dir = root(t);
    const urls = ['https://example.org/a.iso', 'https://example.org/b.iso?...'];
    await stopped(dir, [file('a.iso', CHUNK), file('b.iso', CHUNK)], urls);
    const host = fakeHost();
    assert.equal(await dispatch(['resume', dir], host), 0);
    const told = [
      'To go on with what comes from a URL, with its other flags as before:',
      '',
      `    beeline receive URL... --to ${dir}`,
      '        with the whole of https://example.org/a.iso',
      '        and the whole of https://example.org/b.iso?...',
      '',
    ];
    assert.ok(host.stdout.text.includes(told.join('\n')), host.stdout.text);
    assert.doesNotMatch(host.stdout.text, /CODE/);
    await stopped(dir, [file('c.iso', CHUNK), file('d.iso', CHUNK)], urls.slice(0, 1));
    await stopped(dir, half('e'));
    const whole = ['https://example.org/f&g.iso', 'https://example.org/h.iso'];
    await stopped(dir, [file('f&g.iso', CHUNK), file('h.iso', CHUNK)], whole);
    const all = fakeHost();
    assert.equal(await dispatch(['resume', dir], all), 0);
    const { text } = all.stdout;
    const first =
      '        with the whole of https://example.org/a.iso\n        and of all that were given behind it\n';
    assert.ok(text.includes(`    beeline receive URL... --to ${dir}\n${first}`), text);
    const line = `    beeline receive 'https://example.org/f&g.iso' https://example.org/h.iso --to ${dir}\n`;
    assert.ok(text.includes(line), text);
    assert.match(text, /^ {4}beeline receive CODE --to /m);
    const json = fakeHost();
    assert.equal(await dispatch(['resume', dir, '--json'], json), 0);
    assert.deepEqual(
      lines(json).map(({ from }) => from),
      [whole, undefined, urls.slice(0, 1), urls],
    );
  });

  it('takes a bare ~ for a folder of that name, which * has found, and only ~/x for one of the home folder', async (t) => {
    const dir = root(t);
    const before = process.cwd();
    t.after(() => process.chdir(before));
    process.chdir(dir);
    mkdirSync('~');
    await stopped(join(dir, '~'), half('a'));
    for (const given of ['~', '~/', './~']) {
      const host = fakeHost();
      assert.equal(await dispatch(['resume', given], host), 0);
      assert.match(host.stdout.text, /^a\/: 1 file/, given);
      assert.match(host.stdout.text, /--to '?\.\/~/, given);
    }
    const home = fakeHost();
    assert.equal(await dispatch(['resume', '~/no such folder'], home), 2);
    assert.ok(home.stderr.text.includes(homedir()), home.stderr.text);
    assert.equal(await dispatch(['resume', 'clean', '~', '--yes'], fakeHost()), 0);
    assert.deepEqual(readdirSync('~'), []);
  });

  it('gives no command for what a journal has no room for', async (t) => {
    const dir = root(t);
    const long = shownUrl(new URL(`https://example.org/${'a'.repeat(300)}`));
    await stopped(dir, [file('a', CHUNK)], [long]);
    const many = Array.from({ length: 20 }, (_, at) => `https://example.org/${at}`);
    await stopped(
      dir,
      many.map((_, at) => file(`${at}`, CHUNK)),
      many,
    );
    const host = fakeHost();
    assert.equal(await dispatch(['resume', dir], host), 0);
    const alone = `    beeline receive URL --to ${dir}\n        with the whole of ${long}\n`;
    assert.ok(host.stdout.text.includes(alone), host.stdout.text);
    assert.match(
      host.stdout.text,
      /whole of https:\/\/example\.org\/19\n {8}and of all that were given behind it\n/,
    );
    assert.doesNotMatch(host.stdout.text, /beeline receive http/);
  });

  it('tells of one that is at work, and of one that is damaged', async (t) => {
    const dir = root(t);
    const lock = await takeLock(await stopped(dir, half('a')));
    t.after(() => lock.release());
    const damaged = await Staging.create(dir);
    damaged.release();
    const host = fakeHost();
    assert.equal(await dispatch(['resume', dir], host), 0);
    assert.match(host.stdout.text, /^ {4}A receive is at work in it now\.$/m);
    assert.match(
      host.stdout.text,
      new RegExp(`^${basename(damaged.path)}: damaged\\. It has no journal`, 'm'),
    );
  });

  it('--json gives one object each', async (t) => {
    const dir = root(t);
    const path = await stopped(dir, half(HOSTILE));
    const host = fakeHost();
    assert.equal(await dispatch(['resume', '--json', dir], host), 0);
    const [{ created, changed, ...rest }, ...more] = lines(host);
    assert.deepEqual(more, []);
    assert.ok(Math.abs(Date.now() - created) < 60_000 && Math.abs(Date.now() - changed) < 60_000);
    assert.deepEqual(rest, {
      event: 'unfinished',
      path,
      active: false,
      damaged: false,
      names: ['a\\u{202e}b/'],
      files: 1,
      folders: 1,
      links: 0,
      bytes: 2 * CHUNK,
      here: CHUNK,
    });
  });

  it('takes clean for a command, and ./clean for a folder', async (t) => {
    const dir = root(t);
    mkdirSync(join(dir, 'clean'));
    const path = await stopped(join(dir, 'clean'), half('a'));
    const cwd = process.cwd();
    process.chdir(dir);
    t.after(() => process.chdir(cwd));
    const host = fakeHost();
    assert.equal(await dispatch(['resume', './clean', '--json'], host), 0);
    assert.equal(lines(host)[0].path, path);
    const verb = fakeHost();
    assert.equal(await dispatch(['resume', 'clean', '--yes'], verb), 0);
    assert.match(verb.stdout.text, /^Nothing unfinished in /);
    const both = fakeHost();
    assert.equal(await dispatch(['resume', 'clean', './clean', '--yes', '--json'], both), 0);
    assert.deepEqual(lines(both), [{ event: 'removed', path }]);
  });

  it('ends with 2 on wrong usage and on what is no folder', async (t) => {
    const dir = root(t);
    writeFileSync(join(dir, 'file'), '');
    for (const [argv, says] of [
      [[dir, dir], /takes one folder/],
      [['claen', dir], /takes one folder\. Did you mean beeline resume clean\?/],
      [[''], /takes one folder/],
      [[dir, '--yes'], /--yes is for `beeline resume clean`/],
      [[join(dir, 'none')], /There is no folder/],
      [['clean', join(dir, 'file'), '--yes'], /is not a folder/],
    ] as const) {
      const host = fakeHost();
      assert.equal(await dispatch(['resume', ...argv], host), 2, String(says));
      assert.match(host.stderr.text, says);
      assert.equal(host.stdout.text, '');
    }
  });
});

describe('cli: resume clean', { timeout: 300_000 }, () => {
  it('needs --yes where nobody can be asked', async (t) => {
    const dir = root(t);
    const path = await stopped(dir, half('a'));
    const refused = fakeHost();
    assert.equal(await dispatch(['resume', 'clean', dir], refused), 7);
    assert.match(refused.stderr.text, /^beeline: Nothing was removed.* --yes\.$/m);
    assert.deepEqual(readdirSync(dir), [basename(path)]);
    const host = fakeHost();
    assert.equal(await dispatch(['resume', 'clean', dir, '--yes'], host), 0);
    assert.equal(host.stdout.text, 'Removed: a/: 1 file, 1 folder, 2.10 MB\n');
    assert.deepEqual(readdirSync(dir), []);
    assert.equal(process.listenerCount('SIGINT'), 0);
  });

  it('asks about each on a terminal, and removes on yes only', async (t) => {
    const dir = root(t);
    for (const name of ['a', 'b', 'c']) await stopped(dir, half(name));
    const host = person('y\r', '\r', 'no\r');
    assert.equal(await dispatch(['resume', 'clean', dir], host), 0);
    assert.equal(host.stdout.text.match(/^Removed: /gm)?.length, 1);
    assert.equal(host.stderr.text.match(/^Left as it is: /gm)?.length, 2);
    assert.equal(readdirSync(dir).length, 2);
  });

  it('Ctrl-C at a question ends it', async (t) => {
    const dir = root(t);
    await stopped(dir, half('a'));
    assert.equal(await dispatch(['resume', 'clean', dir], person('\x03')), 130);
    assert.equal(readdirSync(dir).length, 1);
  });

  it('leaves what is at work, what is damaged and what it does not know, says so, and ends with 1', async (t) => {
    const dir = root(t);
    const work = await stopped(dir, half('a'));
    const lock = await takeLock(work);
    t.after(() => lock.release());
    const damaged = await Staging.create(dir);
    damaged.release();
    writeFileSync(join(damaged.path, 'x'), '');
    const unnamed = await stopped(dir, half('b'));
    writeFileSync(join(unnamed, HOSTILE), 'thesis');
    const host = fakeHost();
    assert.equal(await dispatch(['resume', 'clean', dir, '--yes', '--json'], host), 1);
    const left = new Map(lines(host).map((line) => [line.path, line]));
    assert.equal(left.size, 3);
    const reasons = [work, damaged.path, unnamed].map((path) => [
      left.get(path).reason,
      left.get(path).names,
    ]);
    assert.deepEqual(reasons, [
      ['locked', []],
      ['damaged', ['x']],
      ['unnamed', [HOSTILE]],
    ]);
    assert.match(host.stderr.text, /^Left as it is: a\/\. Another receive is at work/m);
    assert.match(host.stderr.text, /no journal that can be read/);
    assert.match(host.stderr.text, /does not name \(a\\u\{202e\}b\)/);
    assert.deepEqual(readdirSync(unnamed), [HOSTILE]);
    assert.deepEqual(readdirSync(damaged.path), ['x']);
    assert.ok(readdirSync(work).length > 2);
  });

  it('asks nothing about what it cannot remove', async (t) => {
    const dir = root(t);
    const lock = await takeLock(await stopped(dir, half('a')));
    t.after(() => lock.release());
    const host = person();
    assert.equal(await dispatch(['resume', 'clean', dir], host), 1);
    assert.doesNotMatch(host.stderr.text, /\[y\/N\]/);
  });
});
